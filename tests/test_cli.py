"""The command line, as a process of its own on a real database."""

import asyncio
import json
import os
import socket
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.core.config import Settings
from app.core.database import Database
from app.core.runtime import revisions
from app.core.security import verify_password
from app.jobs.nightly import STEPS
from app.main import create_app
from app.models import NightStep, Staff
from app.vocabulary import Role
from tests.support import databases
from tests.support.world import build_world

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class Huike:
    """Run commands in an empty folder, with nothing of our own environment's settings."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if "HUIKE" not in name}
        self.environment = {
            **kept,
            "PYTHONPATH": str(PROJECT),
            "HUIKE_DATA_DIR": str(folder / "data"),
            **variables,
        }

    async def __call__(self, *arguments: str, **variables: str) -> Outcome:
        return await self.python("-m", "app.cli", *arguments, **variables)

    async def python(self, *arguments: str, **variables: str) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode(), err.decode())


@pytest.fixture
def huike(tmp_path: Path) -> Huike:
    """The command without any database."""
    return Huike(tmp_path)


@pytest.fixture
def on_database(tmp_path: Path, fresh_database: Database) -> Huike:
    """The command on a database of one's own."""
    return Huike(tmp_path, HUIKE_DATABASE_URL=fresh_database.url)


# --- Without a database -----------------------------------------------------------------------


async def test_the_command_itself_loads_nothing_heavy(huike: Huike) -> None:
    script = (
        "import sys, app.cli;"
        "print([name for name in ('alembic', 'asyncpg', 'fastapi', 'httpx', 'pgqueuer',"
        " 'pydantic', 'sqlalchemy', 'starlette', 'uvicorn') if name in sys.modules])"
    )

    outcome = await huike.python("-c", script)

    assert (outcome.code, outcome.out) == (0, "[]\n")


async def test_help_names_every_command(huike: Huike) -> None:
    outcome = await huike("--help", COLUMNS="120", NO_COLOR="1")

    assert outcome.code == 0
    for command in (
        "serve", "run", "worker", "migrate", "demo", "demo-sale", "nightly", "rebuild-stats",
        "rebuild-search", "create-admin", "openapi",
    ):  # fmt: skip
        assert f" {command} " in outcome.out


async def test_the_api_document_is_the_same_whatever_the_environment_says(
    huike: Huike, settings: Settings
) -> None:
    database = Database("postgresql+asyncpg://", settings)
    document = create_app(settings, database).openapi()
    expected = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    await database.close()

    printed = await huike(
        "openapi", HUIKE_TIMEZONE="Europe/Berlin", HUIKE_CURRENCY="EUR", HUIKE_HOST="0.0.0.0"
    )
    written = await huike("openapi", "--output", "document.json")

    assert (printed.code, printed.out) == (0, expected)
    assert (written.code, written.out) == (0, "")
    assert (huike.folder / "document.json").read_text(encoding="utf-8") == expected


async def test_a_wrong_setting_is_named_without_its_value(huike: Huike) -> None:
    outcome = await huike("serve", HUIKE_PORT="99999", HUIKE_SECRET_KEY="s" * 40)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("huike: HUIKE_PORT: Input should be less than or equal to 65535")
    assert "99999" not in outcome.err


async def test_serving_beyond_loopback_with_the_default_secret_is_refused(huike: Huike) -> None:
    outcome = await huike("serve", "--host", "0.0.0.0", "--port", "0")

    assert outcome.code == 1
    assert "HUIKE_SECRET_KEY is the default" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (huike.folder / "data").exists()


@pytest.mark.parametrize("command", ["serve", "run"])
async def test_a_port_in_use_is_said_plainly_and_nothing_is_started(
    huike: Huike, command: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        outcome = await huike(command, "--port", str(port))

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        f"huike: Port {port} on 127.0.0.1 is in use. Choose another one with --port "
        f"(make run PORT={port + 1}).\n"
    )
    assert not (huike.folder / "data" / "postgres").exists()


# --- On a database ----------------------------------------------------------------------------


async def test_migrating_brings_an_empty_database_to_the_newest_revision_once(
    huike: Huike, worker_name: str
) -> None:
    newest = revisions()[-1]
    async with databases.clone(f"{worker_name}_empty", template="template0") as name:
        addresses = {
            "HUIKE_DATABASE_URL": databases.url_for(name, databases.SERVICE),
            "HUIKE_DATABASE_OWNER_URL": databases.url_for(name, databases.OWNER),
        }

        first = await huike("migrate", **addresses)
        second = await huike("migrate", **addresses)

    assert (first.code, first.out) == (0, f"Migrated to revision {newest}.\n")
    assert (second.code, second.out) == (0, f"Already at revision {newest}.\n")


async def test_commands_refuse_a_database_that_was_never_migrated(
    huike: Huike, worker_name: str
) -> None:
    async with databases.clone(f"{worker_name}_empty", template="template0") as name:
        url = databases.url_for(name, databases.SERVICE)

        outcome = await huike("nightly", HUIKE_DATABASE_URL=url)

    assert outcome.code == 1
    assert "at revision none" in outcome.err
    assert "Run: huike migrate" in outcome.err
    assert "Traceback" not in outcome.err


async def test_a_command_in_the_wrong_folder_makes_no_database_there(huike: Huike) -> None:
    outcome = await huike("demo-sale")

    assert outcome.code == 1
    assert "There is no database in" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (huike.folder / "data" / "postgres").exists()


async def test_a_night_runs_for_the_day_that_is_named(
    on_database: Huike, fresh_database: Database
) -> None:
    outcome = await on_database("nightly", "--as-of", "2026-11-21")

    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[0] == "Night of 2026-11-21:"
    steps = [step for step, _ in STEPS]
    assert [line.split()[0] for line in outcome.out.splitlines()[1:]] == steps
    async with fresh_database.transaction() as session:
        rows = list(await session.scalars(select(NightStep)))
    assert {(row.as_of, row.step) for row in rows} == {(date(2026, 11, 21), step) for step in steps}
    assert all(row.finished_at for row in rows)


async def test_duplicates_are_looked_for_by_hand(on_database: Huike) -> None:
    outcome = await on_database("scan-duplicates", "--full")

    assert outcome.code == 0, outcome.err
    assert outcome.out == (
        "taken_up 0, compared_cards 0, compared_pairs 0, written_pairs 0, removed_pairs 0\n"
    )


async def test_a_night_that_lies_ahead_is_refused_and_leaves_no_trace(
    on_database: Huike, fresh_database: Database
) -> None:
    outcome = await on_database("nightly", "--as-of", "2999-01-01")

    assert outcome.code == 2
    assert "2999-01-01 lies ahead" in outcome.err
    async with fresh_database.transaction() as session:
        assert list(await session.scalars(select(NightStep))) == []


async def test_statistics_of_an_empty_chain_agree_with_its_receipts(on_database: Huike) -> None:
    checked = await on_database("rebuild-stats", "--check")
    rebuilt = await on_database("rebuild-stats")

    assert checked.code == 0, checked.err
    assert "different 0" in checked.out
    assert (rebuilt.code, rebuilt.out) == (0, "corrected 0\n")


async def test_search_keys_of_an_empty_chain_are_soon_made(on_database: Huike) -> None:
    rebuilt = await on_database("rebuild-search")

    assert (rebuilt.code, rebuilt.out) == (0, "cards 0, corrected 0\n"), rebuilt.err


async def test_the_first_administrator_is_created_from_the_command_line(
    on_database: Huike, fresh_database: Database
) -> None:
    outcome = await on_database("create-admin", "root-of-all", "--generate")

    assert outcome.code == 0, outcome.err
    said = outcome.out.splitlines()
    assert said[0] == "Created administrator root-of-all."
    password = said[1].removeprefix("Password: ")
    async with fresh_database.transaction() as session:
        (staff,) = await session.scalars(select(Staff))
    assert (staff.username, staff.display_name, staff.role) == (
        "root-of-all",
        "root-of-all",
        Role.ADMIN,
    )
    assert await verify_password(staff.password_hash, password)


async def test_an_administrator_may_bring_a_password_in_the_environment(
    on_database: Huike, fresh_database: Database
) -> None:
    password = "correct horse battery"

    outcome = await on_database(
        "create-admin", "kang", "--display-name", "康", HUIKE_ADMIN_PASSWORD=password
    )

    assert outcome.code == 0, outcome.err
    assert password not in outcome.out
    async with fresh_database.transaction() as session:
        (staff,) = await session.scalars(select(Staff))
    assert staff.display_name == "康"
    assert await verify_password(staff.password_hash, password)


@pytest.mark.parametrize(
    ("username", "display_name", "password", "findings"),
    [
        ("kang", "康", "short", ["password: At least 10 characters."]),
        ("kang", "康", "x" * 129, ["password: At most 128 characters."]),
        ("kang", "康" * 101, "long enough", ["display name: At most 100 characters."]),
        (
            "no such name", "康", "x",
            [
                "username: Must match ^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$",
                "password: At least 10 characters.",
            ],
        ),
    ],
    ids=["a short password", "a long password", "a long display name", "two at once"],
)  # fmt: skip
async def test_an_administrator_who_could_not_sign_in_or_too_easily_is_not_created(
    huike: Huike, username: str, display_name: str, password: str, findings: list[str]
) -> None:
    outcome = await huike(
        "create-admin", username, "--display-name", display_name, HUIKE_ADMIN_PASSWORD=password
    )

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [f"huike: {finding}" for finding in findings]
    assert not (huike.folder / "data").exists()


async def test_a_user_name_that_is_taken_is_said_plainly(
    on_database: Huike, fresh_database: Database
) -> None:
    first = await on_database("create-admin", "kang", "--generate")
    second = await on_database("create-admin", "kang", "--generate")

    assert (first.code, second.code) == (0, 1)
    assert second.err.startswith("huike: ")
    assert "Traceback" not in second.err
    assert second.out == ""
    async with fresh_database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM staff")) == 1


async def test_the_demo_chain_goes_into_an_empty_database_only(
    on_database: Huike, fresh_database: Database
) -> None:
    await build_world(fresh_database)

    loaded = await on_database("demo")
    signed = await on_database("demo-sale")

    assert (loaded.code, loaded.out) == (1, "")
    assert loaded.err == (
        "huike: The database holds another chain; the demo chain goes into an empty one.\n"
    )
    assert (signed.code, signed.out) == (1, "")
    assert signed.err == "huike: The demo chain is not in this database. Load it with: huike demo\n"
    async with fresh_database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM customer")) == 0
