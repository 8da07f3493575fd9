#!/usr/bin/env bash
# Makes the virtual environment VENV with the packages of REQUIREMENTS, and leaves a copy of that file at STAMP.
# Does nothing when STAMP already says the same; never removes an environment that works.
# usage: make-venv.sh VENV REQUIREMENTS STAMP
set -euo pipefail

venv=$1 requirements=$2 stamp=$3
python=${PYTHON:-python3}

if cmp -s "$requirements" "$stamp" && "$venv/bin/python" -c 'import pytest, pyarrow'; then
    echo "$venv is up to date"
    exit 0
fi

# Some distributions split ensurepip off: then virtualenv brings pip along, and if there is no pip either, the system's packages.
make_venv() {
    "$python" -m venv "$venv" 2>/dev/null && return
    rm -rf "$venv"
    "$python" -m virtualenv "$venv" 2>/dev/null && return
    "$python" -m pip install --quiet --user virtualenv 2>/dev/null && "$python" -m virtualenv "$venv" && return
    "$python" -m pip install --quiet --user --break-system-packages virtualenv 2>/dev/null &&
        "$python" -m virtualenv "$venv" && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y python3-venv && "$python" -m venv "$venv" && return
    fi
    echo "cannot make a Python environment: install python3-venv, or pip" >&2
    return 1
}

mkdir -p "$(dirname "$venv")"
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    make_venv
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$stamp"
echo "$venv holds the packages of $requirements"
