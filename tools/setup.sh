#!/bin/sh
# setup.sh install DIR: make the virtual environment DIR with $PYTHON (or a fitting one from the PATH) and install the tested versions.
# setup.sh check DIR:   see that the environment DIR has what is needed; install what it lacks.
set -eu
action=$1
venv=$2

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
stop() { echo "$*" >&2; exit 1; }

if [ "$action" = check ]; then
    [ -x "$venv/bin/python3" ] || stop "VENV=$venv has no bin/python3: name the folder of a Python environment."
    fits "$venv/bin/python3" || stop "VENV=$venv holds $("$venv/bin/python3" -V): Python 3.11, 3.12 or 3.13 is needed."
    missing=$("$venv/bin/python3" tools/missing.py)
    [ -z "$missing" ] && exit 0
    echo "VENV=$venv lacks: $(echo $missing)"
    "$venv/bin/python3" -m pip install --disable-pip-version-check -q $missing ||
        stop "These could not be installed into VENV=$venv: install them there, or leave VENV out."
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || stop "PYTHON=$PYTHON is not found."
    fits "$PYTHON" || stop "PYTHON=$PYTHON is $("$PYTHON" -V 2>&1): Python 3.11, 3.12 or 3.13 is needed."
else
    for name in python3 python3.13 python3.12 python3.11 python; do
        if command -v $name >/dev/null && fits $name; then PYTHON=$name; break; fi
    done
    [ -n "${PYTHON:-}" ] || stop "No Python 3.11, 3.12 or 3.13 on the PATH: install one, or name it with PYTHON=…"
fi

# An environment of another Python version is made anew.
version='import sys; print(sys.version_info[:2])'
if [ ! -x "$venv/bin/python3" ] || [ "$("$venv/bin/python3" -c "$version")" != "$("$PYTHON" -c "$version")" ]; then
    "$PYTHON" -m venv --clear "$venv" || stop "$PYTHON cannot make a virtual environment: on Debian, apt-get install python3-venv"
fi
echo "Installing the tested versions into $venv: about 6 GB with PyTorch for GPUs"
"$venv/bin/python3" -m pip install --disable-pip-version-check -q -r requirements.txt
"$venv/bin/python3" -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
