"""What a process of Huike stands on: its data folder, its database, its port, its signals.

With ``HUIKE_DATABASE_URL`` the given server is used; without it the embedded one, which every
command joins or starts for as long as it needs it.
"""

import ast
import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import structlog

from app.core.config import DEFAULT_SECRET_KEY, Settings
from app.core.dsn import SQLALCHEMY_SCHEME, plain_dsn
from app.core.embedded_postgres import (
    EmbeddedPostgresError,
    EmbeddedServer,
    ensure_database,
    running,
    start,
)

log = structlog.get_logger()

DATABASE: Final = "huike"
OWNER_ROLE: Final = "huike_owner"
VERSIONS_FOLDER: Final = Path(__file__).resolve().parents[2] / "alembic" / "versions"

_CONNECT_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 1.0
_RUN_LOCK: Final = "run.lock"
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SECRET_KEY_FILE: Final = "secret-key"  # noqa: S105 - the name of a file
# Read instead of imported: Alembic takes longer to load than the rest of a start takes.
_REVISION_LINE: Final = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(.+)$", re.MULTILINE)


class CannotStartError(Exception):
    """Huike can't do what was asked; the message is a plain sentence for who asked."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the database is (postgresql+asyncpg), as the service's own role and as the owner."""

    service: str
    owner: str


# --- Data folder ------------------------------------------------------------------------------


def prepare_data_dir(folder: Path) -> None:
    """Create the data folder where it is missing.

    Started by root, the embedded server runs under another account, which has to pass through:
    then new folders can be entered by everybody and listed by nobody.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    folder = folder.absolute()
    for path in reversed((folder, *folder.parents)):
        if not path.exists():
            path.mkdir(exist_ok=True)
            # Said again since the umask takes from what mkdir is given.
            path.chmod(mode)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept in a file of mode 0600, made on first use; all callers get the same.

    Raises:
        CannotStartError: the file is empty.
    """
    with contextlib.suppress(FileNotFoundError):
        kept = path.read_text(encoding="utf-8").strip()
        if not kept:
            raise CannotStartError(f"{path} is empty. Delete it, and a new one will be made.")
        return kept
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(make() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, not a rename: whoever comes second must not replace what the first has read.
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return kept_secret(path, make)


def with_kept_secret_key(settings: Settings) -> Settings:
    """Return the settings with a secret key of this data folder where none was set."""
    if settings.secret_key.get_secret_value() != DEFAULT_SECRET_KEY:
        return settings
    key = kept_secret(settings.data_dir / _SECRET_KEY_FILE, lambda: secrets.token_hex(32))
    return settings.model_copy(update={"secret_key": type(settings.secret_key)(key)})


@contextmanager
def only_run(folder: Path, address: str) -> Iterator[None]:
    """Be the only ``huike run`` of a data folder for a block; the kernel forgets a killed one.

    Raises:
        CannotStartError: another one is running.
    """
    lock_fd = os.open(folder / _RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.read(lock_fd, 1000).decode().split()
            where = f" at {other[1]} (process {other[0]})" if len(other) == 2 else ""
            raise CannotStartError(
                f"Huike is already running on {folder}{where}. Stop it first, or choose another "
                "folder with HUIKE_DATA_DIR."
            ) from None
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()} {address}\n".encode(), 0)
        yield
    finally:
        os.close(lock_fd)


def running_address(folder: Path) -> str | None:
    """Return the address of the ``huike run`` that runs on a data folder, if one does."""
    try:
        lock_fd = os.open(folder / _RUN_LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        words = os.read(lock_fd, 1000).decode().split()
        return words[1] if len(words) == 2 else None
    finally:
        os.close(lock_fd)
    return None


# --- Database ---------------------------------------------------------------------------------


@asynccontextmanager
async def database_addresses(
    settings: Settings, *, watched: bool = False
) -> AsyncIterator[Addresses]:
    """Say where the database is, and hold the embedded server for the block.

    ``watched`` is for who stays: a server that was killed meanwhile is started again.

    Raises:
        EmbeddedPostgresError: the embedded server can't run.
        CannotStartError: an address can't be read.
    """
    if settings.database_url is not None:
        service = _asyncpg_url(settings.database_url)
        owner = settings.database_owner_url
        yield Addresses(service, service if owner is None else _asyncpg_url(owner))
        return
    await asyncio.to_thread(prepare_data_dir, settings.data_dir)
    folder, role = settings.data_dir / "postgres", settings.database_service_role
    async with running(folder, run_as=settings.embedded_run_as) as server:
        await ensure_database(server, database=DATABASE, owner=OWNER_ROLE, service=role)
        addresses = Addresses(server.url(DATABASE, role), server.url(DATABASE, OWNER_ROLE))
        if not watched:
            yield addresses
            return
        watch = asyncio.create_task(_watch_server(server, folder, settings.embedded_run_as))
        try:
            yield addresses
        finally:
            watch.cancel()
            await asyncio.wait([watch])


async def _watch_server(server: EmbeddedServer, folder: Path, run_as: str) -> None:
    """Look for the server now and then, and join one that is gone, which starts it."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        # Joining looks at folders and accounts, in processes of its own when we are root.
        if await server.is_listening():
            continue
        try:
            async with await start(folder, run_as=run_as) as handle:
                if handle.started:
                    log.warning("embedded_server_restarted")
        except EmbeddedPostgresError as error:
            log.warning("embedded_server_gone", error=str(error))


@asynccontextmanager
async def prepared_database(
    settings: Settings, *, watched: bool = False
) -> AsyncIterator[Addresses]:
    """Say where the database is once its tables are what the code expects.

    The embedded database is migrated; a given one is left to ``huike migrate`` and only looked
    at. One that can't be reached is no reason not to start: requests are answered 503 until it is.

    Raises:
        EmbeddedPostgresError: the embedded server can't run.
        CannotStartError: the tables of a given database are older than the code.
    """
    async with database_addresses(settings, watched=watched) as addresses:
        if settings.database_url is None:
            await migrate_if_needed(addresses, settings)
        else:
            await _check_given_database(addresses)
        yield addresses


async def migrate_if_needed(addresses: Addresses, settings: Settings) -> bool:
    """Bring the tables to what the code expects, as the owner; tell whether anything was to do.

    Raises:
        CannotStartError: the database can't be reached, or a newer Huike migrated it.
    """
    try:
        current = await current_revision(addresses.owner)
    except (OSError, asyncpg.PostgresError) as error:
        raise CannotStartError(f"The database can't be reached: {error}") from error
    known = revisions()
    if current == known[-1]:
        return False
    if current is not None and current not in known:
        raise CannotStartError(
            f"The database is at revision {current}, which this version of Huike does not know: "
            "a newer one has migrated it."
        )
    log.info("migration_started", revision=current, target=known[-1])
    await asyncio.to_thread(_upgrade, addresses.owner, settings.database_service_role)
    log.info("migration_finished", revision=known[-1])
    return True


def revisions(folder: Path = VERSIONS_FOLDER) -> Sequence[str]:
    """Return the revisions of the migrations in their order, read from the files' own lines.

    Raises:
        CannotStartError: they don't form one line.
    """
    following: dict[str | None, str] = {}
    for path in folder.glob("*.py"):
        found = dict(_REVISION_LINE.findall(path.read_text(encoding="utf-8")))
        following[ast.literal_eval(found["down_revision"])] = ast.literal_eval(found["revision"])
    line: list[str] = []
    while (revision := following.pop(line[-1] if line else None, None)) is not None:
        line.append(revision)
    if following or not line:
        raise CannotStartError(f"The migrations in {folder} don't follow one another.")
    return line


async def _check_given_database(addresses: Addresses) -> None:
    try:
        current = await current_revision(addresses.service)
    except (OSError, asyncpg.PostgresError) as error:
        log.warning("database_unreachable_at_start", error=type(error).__name__)
        return
    known = revisions()
    if current is None or (current in known and current != known[-1]):
        raise CannotStartError(
            f"The database is at revision {current or 'none'}, and this version of Huike needs "
            f"{known[-1]}. Run: huike migrate"
        )
    if current not in known:
        # An older process beside newer tables is how a release is rolled out.
        log.warning("database_is_newer_than_code", revision=current, known=known[-1])


async def current_revision(url: str) -> str | None:
    """Return the revision a database is at, None when it was never migrated."""
    connection = await asyncpg.connect(plain_dsn(url), timeout=_CONNECT_SECONDS)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()


def _upgrade(owner_url: str, service_role: str) -> None:
    from alembic import command

    from app.core.migrations import alembic_config

    # It would tell of each of its parts.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(alembic_config(owner_url, service_role=service_role), "head")


def _asyncpg_url(url: str) -> str:
    """Accept the spellings of a PostgreSQL address that people know."""
    for prefix in (SQLALCHEMY_SCHEME, "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return SQLALCHEMY_SCHEME + url.removeprefix(prefix)
    raise CannotStartError(f"HUIKE_DATABASE_URL must begin with {SQLALCHEMY_SCHEME}")


# --- Port -------------------------------------------------------------------------------------


def bound_socket(host: str, port: int) -> socket.socket:
    """Take an address before anything else is started; port 0 takes a free one.

    Raises:
        CannotStartError: it is not to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            # Several may bind one port as long as none listens.
            taken.listen()
        except OSError:
            taken.close()
            raise
    except OSError as error:
        raise cannot_listen(host, port, error) from error
    taken.setblocking(False)
    return taken


def cannot_listen(host: str, port: int, error: OSError) -> CannotStartError:
    """Say in a sentence why an address is not to be had."""
    if error.errno == errno.EADDRINUSE:
        return CannotStartError(
            f"Port {port} on {host} is in use. Choose another one with --port "
            f"(make run PORT={port + 1})."
        )
    return CannotStartError(f"Can't listen on {host} port {port}: {error.strerror or error}.")


# --- Signals ----------------------------------------------------------------------------------


class StopSignals:
    """SIGINT and SIGTERM as something to wait for.

    Until :meth:`defer` is called the first signal cancels the work, so that a start can be broken
    off; from then on it only sets ``stop``, and the work ends by itself. The second sets
    ``hurry``: whoever waits for something stops waiting.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self._work: asyncio.Future[None] | None = None

    def defer(self) -> None:
        """From now on the work watches ``stop`` itself."""
        self._work = None

    def watch(self, work: "asyncio.Future[None]") -> None:
        """Let the first signal cancel this work."""
        self._work = work

    def receive(self) -> None:
        """Take note of one signal."""
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()
        if self._work is not None:
            self._work.cancel()


async def until_signalled(work: Callable[[StopSignals], Awaitable[None]]) -> None:
    """Run work to its end; being stopped by a signal is an end like any other."""
    signals = StopSignals()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, signals.receive)
    running_work = asyncio.ensure_future(work(signals))
    signals.watch(running_work)
    try:
        await running_work
    except asyncio.CancelledError:
        if not signals.stop.is_set():
            raise
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
