#!/usr/bin/env bash
# Make the virtual environment that everything else runs in.
#
#   tools/install.sh VENV PYTHON
#
# The packages are exactly those of requirements-dev.lock, each with its hash checked.
# pip installs uv (from the same lock), uv installs the rest in seconds; where uv cannot
# reach a package index that pip is configured for, pip does the whole work.
set -euo pipefail

venv=$1
python=$2
lock=requirements-dev.lock

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed; \"$python\" is not (choose one with: make PYTHON=...)" >&2
    exit 1
fi

# An environment made by another or since removed interpreter is made anew.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || tools/need.sh python3-venv-module=python3-venv
    "$python" -m venv "$venv"
fi

pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
awk '/^uv==/ {found = 1} found {print} found && !/\\$/ {exit}' "$lock" >"$pins"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

by_uv() {
    "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes -r "$pins" &&
        "$venv/bin/uv" pip sync --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes "$lock" &&
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" \
            --no-deps --no-build-isolation --editable .
}

by_pip() {
    "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes -r "$lock" &&
        "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
}

by_uv || {
    echo "uv could not install the lock; pip tries" >&2
    by_pip
}
