"""A job belongs to the transaction that causes it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.core import clock
from app.core.database import Database
from app.core.queue import enqueue, read_payload


async def queued(database: Database) -> list[Any]:
    """Return entrypoint and payload of everything on the queue, oldest first."""
    async with database.transaction() as session:
        rows = await session.execute(text("SELECT entrypoint, payload FROM pgqueuer ORDER BY id"))
        return [(row.entrypoint, read_payload(row.payload)) for row in rows]


async def test_a_committed_transaction_leaves_its_job(fresh_database: Database) -> None:
    async with fresh_database.transaction() as session:
        job = await enqueue(session, "night", {"as_of": "2026-11-21"})

    assert isinstance(job, int)
    assert await queued(fresh_database) == [("night", {"as_of": "2026-11-21"})]


async def test_a_rolled_back_transaction_leaves_no_job(fresh_database: Database) -> None:
    async def refused() -> None:
        async with fresh_database.transaction() as session:
            # No statement before it: a raw connection would not be in a transaction yet.
            assert await enqueue(session, "night", {}) is not None
            raise LookupError

    with pytest.raises(LookupError):
        await refused()

    assert await queued(fresh_database) == []


async def test_work_that_waits_already_is_not_queued_twice(fresh_database: Database) -> None:
    async with fresh_database.transaction() as session:
        first = await enqueue(session, "night", {"turn": 1}, dedupe_key="night:2026-11-21")
    async with fresh_database.transaction() as session:
        second = await enqueue(session, "night", {"turn": 2}, dedupe_key="night:2026-11-21")
        # The transaction goes on: being there already is not an error.
        other = await enqueue(session, "night", {"turn": 3}, dedupe_key="night:2026-11-22")

    assert first is not None
    assert second is None
    assert other is not None
    assert await queued(fresh_database) == [("night", {"turn": 1}), ("night", {"turn": 3})]


@pytest.mark.parametrize(
    ("ahead", "waits"),
    [(timedelta(hours=2), True), (timedelta(0), False), (timedelta(hours=-2), False)],
    ids=["later", "now", "an instant that has passed"],
)
async def test_a_job_waits_until_its_instant(
    fresh_database: Database, ahead: timedelta, waits: bool
) -> None:
    async with fresh_database.transaction() as session:
        await enqueue(session, "night", {}, execute_after=clock.now() + ahead)

    async with fresh_database.transaction() as session:
        ready = await session.scalar(text("SELECT execute_after <= now() FROM pgqueuer"))
    assert ready is not waits


@pytest.mark.parametrize(("raw", "error"), [(b"[1]", TypeError), (b"{", ValueError)])
def test_a_payload_that_is_no_object_is_refused(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_payload(raw)


def test_no_payload_reads_as_an_empty_object() -> None:
    assert read_payload(None) == {}
