#!/bin/sh
# Install what the tests need of the system, where this is Debian's kind and we may: browsers, and Debian's copy of Fashion-MNIST.
set -u

# look VARIABLE VALUE TITLE NAMES…: is a browser there? Sets found to yes, no, or what a wrong VALUE ends in.
look() {
    variable=$1 value=$2 title=$3 found=no
    shift 3
    if [ "$value" = none ]; then
        found=yes
    elif [ -n "$value" ]; then
        command -v "$value" >/dev/null && found=yes && return
        echo "$variable=$value is not found: name a $title, or set $variable=none to leave the tests out that need it." >&2
        exit 1
    else
        for name; do command -v "$name" >/dev/null && found=yes; done
    fi
}
look_for_both() {
    look BROWSER "${BROWSER:-}" "Chromium or Chrome" chromium chromium-browser google-chrome google-chrome-stable
    browser=$found
    look FIREFOX "${FIREFOX:-}" Firefox firefox-esr firefox
    firefox=$found
}

images=/usr/share/datasets/fashion-mnist
look_for_both
wanted=
[ $browser = yes ] || wanted="$wanted chromium"
[ $firefox = yes ] || wanted="$wanted firefox-esr"
[ -d $images ] || wanted="$wanted dataset-fashion-mnist"
[ -z "$wanted" ] && exit 0

if command -v apt-get >/dev/null; then
    may=
    [ "$(id -u)" = 0 ] || may="sudo -n"
    echo "Installing$wanted (apt-get)"
    $may apt-get update -q >/dev/null 2>&1
    for package in $wanted; do # one by one: a system may have the one and lack the other
        $may env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" >/dev/null 2>&1
    done
fi
look_for_both
status=0
if [ $browser = no ]; then
    echo "No Chromium or Chrome: install one (Debian: apt-get install chromium), name it with BROWSER=…, or set BROWSER=none to leave the page tests out." >&2
    status=1
fi
if [ $firefox = no ]; then
    echo "No Firefox: install one (Debian: apt-get install firefox-esr), name it with FIREFOX=…, or set FIREFOX=none to leave its tests out." >&2
    status=1
fi
if [ ! -d $images ]; then
    echo "No full-size images: install Debian's dataset-fashion-mnist, or unpack its files into $images." >&2
    status=1
fi
exit $status
