#!/usr/bin/env bash
# Run a command with HUIKE_TEST_DATABASE_URL naming a throw-away PostgreSQL 15 (its superuser),
# and HUIKE_TEST_ROLE_PASSWORD for the roles that the command makes.
#
#   tools/with_postgresql15.sh COMMAND [ARGUMENT ...]
#
# The server is Debian's postgresql-15 (installed by apt when root and missing), with a new
# cluster in a temporary folder, on a free loopback port, without fsync. It is stopped and
# removed when the command ends, however it ends. Answers with the command's exit code.
set -euo pipefail

binaries=/usr/lib/postgresql/15/bin
tools/need.sh "$binaries/postgres=postgresql-15"

cluster=$(mktemp -d)
# PostgreSQL refuses to run as root: then Debian's own user of it does.
as_server=()
if [ "$(id -u)" -eq 0 ]; then
    as_server=(runuser -u postgres --)
    chown postgres "$cluster"
fi
server() { (cd / && "${as_server[@]}" "$@"); }

cleanup() {
    server "$binaries/pg_ctl" -D "$cluster/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$cluster"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >"$cluster/password"
chmod 644 "$cluster/password"
server "$binaries/initdb" -D "$cluster/data" -U postgres --pwfile="$cluster/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$cluster/initdb.log" 2>&1 || {
    cat "$cluster/initdb.log" >&2
    exit 1
}

started=
for _ in 1 2 3 4 5; do
    port=$(.venv/bin/python -c 'import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    print(probe.getsockname()[1])')
    if server "$binaries/pg_ctl" -D "$cluster/data" -l "$cluster/data/server.log" -w -t 30 start \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$cluster" \
        -o "-c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
        -o "-c max_connections=200 -c shared_buffers=256MB" >/dev/null 2>&1; then
        started=yes
        break
    fi
done
if [ -z "$started" ]; then
    cat "$cluster/data/server.log" >&2
    exit 1
fi

HUIKE_TEST_ROLE_PASSWORD="$password" \
    HUIKE_TEST_DATABASE_URL="postgresql+asyncpg://postgres:$password@127.0.0.1:$port/postgres" "$@"
