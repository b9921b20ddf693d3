#!/bin/sh
# Installs what the tests of the Splunk app run beside Python: each tool in its own virtual environment under .cache/splunk/.
# Safe to run again; a tool that is there already is left alone. The tests skip, with the reason, what is still missing.
set -eu
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/splunk
mkdir -p "$cache"
PATH=$PATH:/usr/sbin:/sbin # ldconfig

# find_python VERSION: prints an interpreter of that version, from the PATH or from pyenv
find_python() {
    for candidate in "python$1" python3 "$HOME"/.pyenv/versions/"$1".*/bin/python; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# install NAME PYTHON: the tool of .ci/requirements/NAME.txt, pinned with hashes, in an environment of its own
install() {
    name=$1 python=$2 lock=.ci/requirements/$1.txt
    cmp -s "$lock" "$cache/$name/.done" && return 0
    rm -rf "${cache:?}/$name"
    "$python" -m venv "$cache/$name"
    "$cache/$name/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    cp "$lock" "$cache/$name/.done"
}

# libmagic for AppInspect, pcre2grep for Splunk's match limits
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    missing=
    command -v pcre2grep >/dev/null || missing="$missing pcre2-utils"
    ldconfig -p | grep -q 'libmagic\.so' || missing="$missing libmagic1"
    # shellcheck disable=SC2086 # two words are two packages
    [ -z "$missing" ] || { apt-get update -qq && apt-get install -y -qq $missing >/dev/null; }
fi

# AppInspect parses the app's code with its own interpreter: the oldest Python that the app supports, if that is here
python=$(find_python 3.9 || command -v python3)
install appinspect "$python"
python=$(find_python 3.13 || find_python 3.12 || find_python 3.11 || command -v python3)
install pcre2 "$python"
# these two want what newer Pythons no longer bring
python=$(find_python 3.11 || find_python 3.10 || find_python 3.9 || command -v python3)
install ksconf "$python"
install slim "$python"
