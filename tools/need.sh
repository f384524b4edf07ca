#!/usr/bin/env bash
# Make sure that programs from Debian packages are there.
#
#   tools/need.sh COMMAND=PACKAGE ...
#
# COMMAND is a name on the PATH or an absolute path. What is missing is installed
# when we are root on a machine with apt; otherwise it is named and the answer is 1.
# With nothing missing it costs a few milliseconds and touches nothing.
set -euo pipefail

packages=()
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || packages+=("${pair#*=}")
done
[ ${#packages[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: ${packages[*]} (Debian: sudo apt-get install ${packages[*]})" >&2
    exit 1
fi

echo "installing with apt: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
quiet=(-qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
    apt-get "${quiet[@]}" update &&
        apt-get "${quiet[@]}" install --yes --no-install-recommends "${packages[@]}"
} </dev/null >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
}
