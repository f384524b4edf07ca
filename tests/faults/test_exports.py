"""Files that break off: the client notices, and nothing is left behind."""

import asyncio
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import UnavailableError
from app.main import create_app
from app.models import AuditEntry, Export
from app.rules.access import SYSTEM
from app.schemas.exports import AuditExport
from app.services import exports
from app.services.exporting.tables import Column, Place, Table, column
from app.services.exporting.trails import AuditTable
from app.vocabulary import ExportFormat, ExportKind
from tests.support.world import World, build_world
from tests.web.test_over_a_socket import served

FILL = text(
    """
    INSERT INTO audit_entry (id, at, actor_kind, action, object_type, object_id, fields)
    SELECT gen_random_uuid(), CAST(:at AS timestamptz) - n * interval '1 second', 'system',
           'changed', 'store', gen_random_uuid(), ARRAY['name', 'opening_hours']
    FROM generate_series(1, :count) AS n
    """
)
ROWS_OF_A_PAGE = 100


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made during the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
async def chain(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> tuple[Database, World]:
    """A chain with some pages of the audit trail."""
    monkeypatch.setattr(exports, "ROWS_OF_A_PAGE", ROWS_OF_A_PAGE)
    world = await build_world(fresh_database)
    async with fresh_database.transaction() as session:
        await session.execute(FILL, {"at": clock.now(), "count": 5 * ROWS_OF_A_PAGE})
    return fresh_database, world


class Pages:
    """Stands in for the trail's pages: the third does something else."""

    def __init__(self, on_page: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on_page = on_page
        self.read = 0
        self.reached = asyncio.Event()
        whole = AuditTable.page

        async def page(
            table: AuditTable, session: AsyncSession, after: Place | None, limit: int
        ) -> tuple[Sequence[AuditEntry], Place | None]:
            self.read += 1
            if self.read == self.on_page:
                self.reached.set()
                await self.instead(session)
            return await whole(table, session, after, limit)

        monkeypatch.setattr(AuditTable, "page", page)

    async def instead(self, session: AsyncSession) -> None:
        """Fail as a database that goes away does."""
        raise UnavailableError("gone")


class SlowPages(Pages):
    """The page never comes."""

    async def instead(self, session: AsyncSession) -> None:
        """Keep a statement running for longer than any test."""
        await session.execute(text("SET LOCAL statement_timeout = 0"))
        await session.execute(text("SELECT pg_sleep(600)"))


async def records(database: Database) -> list[tuple[Any, Any]]:
    """Return how far each export got: rows and end, empty where it broke off."""
    async with database.transaction() as session:
        found = await session.scalars(select(Export))
        return [(export.rows, export.ended_at) for export in found]


async def nothing_runs(database: Database) -> bool:
    """Wait until no connection is taken and no slow page runs; tell whether it came to that."""
    running = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state <> 'idle' AND pid <> pg_backend_pid()"
    )
    for _ in range(100):
        if database.engine.pool.checkedout() == 0:  # type: ignore[attr-defined]
            async with database.transaction() as session:
                if await session.scalar(running) == 0:
                    return True
        await asyncio.sleep(0.1)
    return False


def client_at(port: int) -> httpx.AsyncClient:
    """Return a client of a service on this port."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")


async def receive(answer: httpx.Response, into: list[bytes]) -> None:
    """Receive what comes of an answer."""
    async for chunk in answer.aiter_raw():
        into += [chunk]


def body(file_format: str) -> dict[str, Any]:
    """Ask for the trail."""
    return {"format": file_format, "columns": ["at", "object_id"]}


async def test_a_csv_file_that_breaks_off_has_no_end(
    chain: tuple[Database, World], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, world = chain
    Pages(3, monkeypatch)
    received: list[bytes] = []
    async with served(create_app(settings, database)) as port, client_at(port) as client:
        async with client.stream(
            "POST", "/v1/exports/audit", json=body("csv"), headers=world.headers()
        ) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                await receive(answer, received)
        whole = await client.post("/v1/exports/audit", json=body("csv"), headers=world.headers())
    assert b"".join(received).count(b"\r\n") == 1 + 2 * ROWS_OF_A_PAGE
    assert whole.content.count(b"\r\n") == 1 + 5 * ROWS_OF_A_PAGE + 2
    assert (None, None) in await records(database)
    assert await nothing_runs(database)


@pytest.mark.parametrize(("file_format", "on_page"), [("csv", 1), ("xlsx", 3)])
async def test_what_fails_before_the_first_byte_is_a_problem(
    chain: tuple[Database, World],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    temporary: Path,
    file_format: str,
    on_page: int,
) -> None:
    database, world = chain
    Pages(on_page, monkeypatch)
    async with served(create_app(settings, database)) as port, client_at(port) as client:
        answer = await client.post(
            "/v1/exports/audit", json=body(file_format), headers=world.headers()
        )
    assert (answer.status_code, answer.headers["content-type"]) == (
        503, "application/problem+json"
    )  # fmt: skip
    assert answer.headers["retry-after"] == "1"
    assert await records(database) == [(None, None)]
    assert await gone(temporary)


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
async def test_a_client_that_goes_away_leaves_no_connection_and_no_file(
    chain: tuple[Database, World],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    temporary: Path,
    file_format: str,
) -> None:
    database, world = chain
    pages = SlowPages(3, monkeypatch)
    async with served(create_app(settings, database)) as port:
        async with client_at(port) as client:
            asking = asyncio.create_task(
                client.post("/v1/exports/audit", json=body(file_format), headers=world.headers())
            )
            await asyncio.wait_for(pages.reached.wait(), 20)
            assert database.engine.pool.checkedout() == 1  # type: ignore[attr-defined]
            asking.cancel()
        assert await nothing_runs(database)
    assert await records(database) == [(None, None)]
    assert await gone(temporary)


async def test_an_export_has_a_deadline_of_its_own(
    chain: tuple[Database, World], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, world = chain
    SlowPages(3, monkeypatch)
    hasty = settings.model_copy(
        update={"request_deadline_seconds": 0.05, "export_deadline_seconds": 1.0}
    )
    async with served(create_app(hasty, database)) as port, client_at(port) as client:
        answer = await client.post("/v1/exports/audit", json=body("xlsx"), headers=world.headers())
        assert (answer.status_code, answer.json()["type"]) == (
                503, "/problems/deadline-exceeded"
            )  # fmt: skip
        assert await nothing_runs(database)


async def gone(folder: Path) -> bool:
    """Wait until a folder is empty; tell whether it came to that."""
    for _ in range(50):
        if not list(folder.iterdir()):
            return True
        await asyncio.sleep(0.1)
    return False


class Numbers(Table[int]):
    """A list of numbers that takes no time to be read."""

    kind: ClassVar[ExportKind] = ExportKind.AUDIT

    def filter_names(self) -> list[str]:
        """Return none."""
        return []

    async def columns(self, session: AsyncSession) -> Sequence[Column[int]]:
        """Return the number, and a long text."""
        return [
            column("n", "n", "n", lambda n, _: n),
            column("text", "text", "text", lambda n, _: f"{n:0200d}"),
        ]

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many there are."""
        return 50_000

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[int], Place | None]:
        """Return the next numbers."""
        first = after[0] if after else 0
        last = min(first + limit, 50_000)
        return range(first, last), None if last == 50_000 else (last,)


@pytest.mark.parametrize("file_format", list(ExportFormat))
async def test_fifty_thousand_rows_take_no_more_memory_than_a_few_pages(
    database: Database, settings: Settings, file_format: ExportFormat
) -> None:
    table = Numbers()
    async with database.transaction() as session:
        begun = await exports.begin_export(
            session, SYSTEM, settings, table, AuditExport(format=file_format)
        )
    size = 0
    tracemalloc.start()
    try:
        if file_format is ExportFormat.CSV:
            async for chunk in exports.csv_chunks(database, table, begun):
                size += len(chunk)
        else:
            with await exports.write_xlsx(database, table, begun) as file:
                size = file.seek(0, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [rows for rows, _ in await records(database)] == [50_000]
    # The rows together are ten megabytes of text.
    assert size > (10_000_000 if file_format is ExportFormat.CSV else 500_000)
    assert peak < 3_000_000
