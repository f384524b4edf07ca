"""Data folder, secrets, lock, port, and whether the tables are what the code expects."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import text

from app.core import embedded_postgres, runtime
from app.core.config import DEFAULT_SECRET_KEY, Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedHandle
from app.core.migrations import SCRIPT_FOLDER
from app.core.runtime import Addresses, CannotStartError, StopSignals
from tests.support import databases

# --- Migrations -------------------------------------------------------------------------------


def test_revisions_read_from_the_files_are_those_alembic_knows() -> None:
    script = ScriptDirectory(str(SCRIPT_FOLDER))

    in_order = [entry.revision for entry in reversed(list(script.walk_revisions()))]

    assert list(runtime.revisions()) == in_order
    assert runtime.revisions()[-1] == script.get_current_head()


def write_migration(folder: Path, revision: str, follows: str | None) -> None:
    (folder / f"{revision}.py").write_text(
        f"revision: str = {revision!r}\ndown_revision: str | None = {follows!r}\n"
    )


def test_revisions_that_fork_are_refused(tmp_path: Path) -> None:
    for revision, follows in (("a", None), ("b", "a"), ("d", "lost")):
        write_migration(tmp_path, revision, follows)

    with pytest.raises(CannotStartError, match="don't follow one another"):
        runtime.revisions(tmp_path)


def no_upgrade(*_: object) -> None:
    raise AssertionError("nothing was to migrate")


async def test_tables_that_are_current_are_not_migrated(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_upgrade", no_upgrade)
    url = fresh_database.url

    assert await runtime.migrate_if_needed(Addresses(url, url), settings) is False


async def test_tables_of_a_newer_version_are_left_alone(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_upgrade", no_upgrade)
    owner = owner_url(fresh_database)
    await stamp(owner, settings, "9999")

    with pytest.raises(CannotStartError, match=r"revision 9999.*a newer one has migrated it"):
        await runtime.migrate_if_needed(Addresses(fresh_database.url, owner), settings)


def owner_url(database: Database) -> str:
    """Return the address of the same database as its owner."""
    return databases.url_for(str(database.engine.url.database), databases.OWNER)


async def stamp(owner_url: str, settings: Settings, revision: str | None) -> None:
    """Let the database say that it is at a revision, or at none."""
    owner = Database(owner_url, settings)
    async with owner.transaction() as session:
        await session.execute(text("DELETE FROM alembic_version"))
        if revision is not None:
            await session.execute(
                text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision}
            )
    await owner.close()


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("0001", "is at revision 0001.*Run: huike migrate"),
        (None, "at revision none.*huike migrate"),
    ],
)
async def test_a_given_database_with_older_tables_is_refused_with_the_remedy(
    fresh_database: Database, settings: Settings, revision: str | None, says: str
) -> None:
    owner = owner_url(fresh_database)
    await stamp(owner, settings, revision)
    given = settings.model_copy(update={"database_url": fresh_database.url})

    with pytest.raises(CannotStartError, match=says):
        async with runtime.prepared_database(given):
            pass


async def test_a_given_database_with_newer_tables_is_served(
    fresh_database: Database, settings: Settings
) -> None:
    owner = owner_url(fresh_database)
    await stamp(owner, settings, "9999")
    given = settings.model_copy(update={"database_url": fresh_database.url})

    async with runtime.prepared_database(given) as addresses:
        assert addresses == Addresses(fresh_database.url, fresh_database.url)


async def test_a_given_database_that_is_away_is_no_reason_not_to_start(
    settings: Settings, tmp_path: Path
) -> None:
    away = f"postgresql+asyncpg://huike@/huike?host={tmp_path}"
    given = settings.model_copy(update={"database_url": away})

    async with runtime.prepared_database(given) as addresses:
        assert addresses.service == away


async def test_migrating_a_database_that_is_away_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    away = f"postgresql+asyncpg://huike@/huike?host={tmp_path}"

    with pytest.raises(CannotStartError, match="can't be reached"):
        await runtime.migrate_if_needed(Addresses(away, away), settings)


async def test_a_watched_server_is_joined_only_when_it_is_gone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = 0

    async def counting(*arguments: Any, **options: Any) -> EmbeddedHandle:
        nonlocal joined
        joined += 1
        return await embedded_postgres.start(*arguments, **options)

    monkeypatch.setattr(runtime, "_WATCH_SECONDS", 0.02)
    monkeypatch.setattr(runtime, "start", counting)
    # Not below pytest's own folder: the account of a server that root starts can't enter that.
    folder = Path(tempfile.mkdtemp(prefix="huike-watched-"))
    folder.chmod(0o711)
    own = settings.model_copy(update={"database_url": None, "data_dir": folder})
    try:
        async with runtime.database_addresses(own, watched=True):
            await asyncio.sleep(0.5)
            assert joined == 0
            pid_file = folder / "postgres" / "data" / "postmaster.pid"
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            async with asyncio.timeout(30):
                while joined == 0:
                    await asyncio.sleep(0.02)
            assert joined == 1
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql", "postgres"])
async def test_every_usual_spelling_of_an_address_is_understood(
    settings: Settings, scheme: str
) -> None:
    given = settings.model_copy(
        update={
            "database_url": f"{scheme}://service@host/huike",
            "database_owner_url": f"{scheme}://owner@host/huike",
        }
    )

    async with runtime.database_addresses(given) as addresses:
        assert addresses == Addresses(
            "postgresql+asyncpg://service@host/huike", "postgresql+asyncpg://owner@host/huike"
        )


async def test_an_address_of_another_database_is_refused(settings: Settings) -> None:
    given = settings.model_copy(update={"database_url": "mysql://host/huike"})

    with pytest.raises(CannotStartError, match="must begin with postgresql"):
        async with runtime.database_addresses(given):
            pass


# --- Data folder ------------------------------------------------------------------------------


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    first = runtime.kept_secret(path, lambda: "made first")
    second = runtime.kept_secret(path, lambda: "made second")

    assert (first, second) == ("made first", "made first")
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_comes_second_gets_the_secret_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def overtaken() -> str:
        path.write_text("the other's\n")
        return "mine"

    assert runtime.kept_secret(path, overtaken) == "the other's"


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch()

    with pytest.raises(CannotStartError, match=r"is empty\. Delete it"):
        runtime.kept_secret(path, lambda: "new")

    assert path.read_text() == ""


def test_a_folder_without_a_set_key_keeps_one_of_its_own(
    settings: Settings, tmp_path: Path
) -> None:
    here = settings.model_copy(update={"data_dir": tmp_path})

    first = runtime.with_kept_secret_key(here).secret_key.get_secret_value()
    second = runtime.with_kept_secret_key(here).secret_key.get_secret_value()

    assert first == second != DEFAULT_SECRET_KEY
    assert len(first) == 64


def test_a_set_key_is_used_and_none_is_kept(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"data_dir": tmp_path, "secret_key": SecretStr("k" * 40)})

    assert runtime.with_kept_secret_key(own).secret_key.get_secret_value() == "k" * 40
    assert list(tmp_path.iterdir()) == []


def test_a_new_data_folder_is_as_closed_as_the_server_in_it_allows(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on the way"

    runtime.prepare_data_dir(folder)

    expected = 0o711 if os.geteuid() == 0 else 0o700
    assert [mode_of(folder), mode_of(folder.parent)] == [expected, expected]


def test_a_data_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    runtime.prepare_data_dir(tmp_path)

    assert mode_of(tmp_path) == 0o750


def test_a_second_run_on_a_folder_is_told_where_the_first_is(tmp_path: Path) -> None:
    with runtime.only_run(tmp_path, "http://127.0.0.1:8123"):
        says = rf"already running on .* at http://127.0.0.1:8123 \(process {os.getpid()}\)"
        with (
            pytest.raises(CannotStartError, match=says),
            runtime.only_run(tmp_path, "http://127.0.0.1:8124"),
        ):
            pass
        assert runtime.running_address(tmp_path) == "http://127.0.0.1:8123"

    assert runtime.running_address(tmp_path) is None
    with runtime.only_run(tmp_path, "http://127.0.0.1:8125"):
        assert runtime.running_address(tmp_path) == "http://127.0.0.1:8125"


def test_nothing_runs_on_a_folder_that_was_never_used(tmp_path: Path) -> None:
    assert runtime.running_address(tmp_path) is None


# --- Port and signals -------------------------------------------------------------------------


def test_a_port_in_use_is_refused_in_a_sentence() -> None:
    with runtime.bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CannotStartError, match=rf"Port {port} on 127\.0\.0\.1 is in use"):
            runtime.bound_socket("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_refused_in_a_sentence() -> None:
    with pytest.raises(CannotStartError, match=r"Can't listen on 192\.0\.2\.1 port 0"):
        runtime.bound_socket("192.0.2.1", 0)


def test_a_taken_port_keeps_early_clients_until_they_are_served() -> None:
    with (
        runtime.bound_socket("127.0.0.1", 0) as taken,
        socket.create_connection(taken.getsockname(), timeout=1) as client,
    ):
        assert client.getpeername() == taken.getsockname()


async def test_a_signal_breaks_off_work_that_has_not_taken_over() -> None:
    ended: list[str] = []

    async def work(_signals: StopSignals) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("cleaned up")

    await runtime.until_signalled(work)

    assert ended == ["cleaned up"]


async def test_after_taking_over_work_ends_by_itself_and_the_second_signal_hurries_it() -> None:
    seen: list[str] = []

    async def work(signals: StopSignals) -> None:
        signals.defer()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(signals.stop.wait(), 5)
        seen.append(f"stop, hurry {signals.hurry.is_set()}")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(signals.hurry.wait(), 5)
        seen.append("hurry")

    await runtime.until_signalled(work)

    assert seen == ["stop, hurry False", "hurry"]


async def test_a_cancellation_that_no_signal_caused_is_not_swallowed() -> None:
    async def work(_signals: StopSignals) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await runtime.until_signalled(work)
