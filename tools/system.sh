#!/bin/sh
# Install what the tests need of the system, where this is Debian's kind and we may: a browser, and Debian's copy of Fashion-MNIST.
set -u
wanted=
browser=${BROWSER:-}
if [ -z "$browser" ]; then
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v $name >/dev/null && browser=$name && break
    done
    [ -n "$browser" ] || wanted=chromium
elif [ "$browser" != none ] && ! command -v "$browser" >/dev/null; then
    echo "BROWSER=$browser is not found: name a Chromium or Chrome, or set BROWSER=none to leave the page tests out." >&2
    exit 1
fi
images=/usr/share/datasets/fashion-mnist
[ -d $images ] || wanted="$wanted dataset-fashion-mnist"
[ -z "$wanted" ] && exit 0

if command -v apt-get >/dev/null; then
    may=
    [ "$(id -u)" = 0 ] || may="sudo -n"
    echo "Installing$(printf ' %s' $wanted) (apt-get)"
    { $may apt-get update -q && $may env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted; } >/dev/null 2>&1
fi
status=0
case $wanted in *chromium*)
    if ! command -v chromium >/dev/null; then
        echo "No Chromium or Chrome: install one (Debian: apt-get install chromium), name it with BROWSER=…, or set BROWSER=none to leave the page tests out." >&2
        status=1
    fi
esac
if [ ! -d $images ]; then
    echo "No full-size images: install Debian's dataset-fashion-mnist, or unpack its files into $images." >&2
    status=1
fi
exit $status
