#!/usr/bin/env bash
# Resolve the three locks from pyproject.toml.
#
#   tools/lock.sh [--upgrade]
#
# The development lock is resolved first: it is the superset, and the other two take their
# versions from it, so that what is tested is what is shipped. No lock names a package index.
set -euo pipefail

uv=.venv/bin/uv
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-annotate
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@")

"$uv" pip compile pyproject.toml --group dev "${options[@]}" -o requirements-dev.lock
"$uv" pip compile pyproject.toml -c requirements-dev.lock "${options[@]}" -o requirements.lock
"$uv" pip compile --group build -c requirements-dev.lock "${options[@]}" -o requirements-build.lock

if grep -nE '^[^#]*(://|--(extra-)?index|--find-links)' requirements*.lock; then
    echo "a lock names an address; it must not" >&2
    exit 1
fi
