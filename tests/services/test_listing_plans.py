"""Lists that grow for ever are read in the order of an index, whichever filter is used."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.queries.card_filters import CardFilters
from app.queries.customers import list_cards
from app.rules.access import Actor
from app.schemas.exports import ContactFilters, ReceiptFilters
from app.services.audit import AuditFilter, list_audit_entries
from app.services.exporting.contacts import ContactTable
from app.services.exporting.receipts import ReceiptTable
from app.services.interactions import list_next_steps
from app.services.pos_intake import list_events
from app.services.profile_lists import list_pruning_candidates, list_upgrade_potential
from app.services.reports import list_reports
from app.services.tier_review_decisions import list_reviews
from app.services.unattached_interactions import list_unattached
from app.vocabulary import (
    Action,
    ActorKind,
    CustomerGroup,
    CustomerKind,
    EventStatus,
    ReportKind,
    ReviewStatus,
    RfmSegment,
)

Listing = Callable[[AsyncSession], Awaitable[Any]]
NOW = clock.now()
STORE_MANAGER = Actor(
    kind=ActorKind.STAFF, id=new_id(), name="Store manager", permissions=frozenset(),
    store_ids=frozenset({new_id()}),
)  # fmt: skip
MANAGER = Actor(kind=ActorKind.STAFF, id=new_id(), name="Manager", permissions=frozenset())


async def plan_of(database: Database, listing: Listing) -> str:
    """Return the plan of a listing's statement, where sorting and reading all is the last resort.

    What an index cannot give in order is then still sorted, and the plan says so.
    """
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    async with database.transaction() as session:
        connection = await raw_connection(session)
        event.listen(engine, "before_cursor_execute", note)
        try:
            await listing(session)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        ((statement, parameters),) = sent
        rows = await connection.fetch(f"EXPLAIN {statement}", *parameters)
    return "\n".join(row[0] for row in rows)


def audit(*, after: bool = False, **wanted: Any) -> Listing:
    """Return a listing of the trail."""
    place = [NOW.isoformat(), str(new_id())] if after else None
    return lambda session: list_audit_entries(session, AuditFilter(**wanted), limit=50, after=place)


def events(*, after: bool = False, **wanted: Any) -> Listing:
    """Return a listing of what tills sent."""
    place = (NOW, new_id(), "e-1") if after else None
    filters = {"status": None, "source": None, **wanted}
    return lambda session: list_events(session, MANAGER, **filters, after=place, limit=50)


def next_steps(*, after: bool = False, **wanted: Any) -> Listing:
    """Return a listing of steps that are open."""
    place = [NOW.date().isoformat(), str(new_id())] if after else None
    filters = {"staff_id": None, "store_id": None, "until": None, **wanted}
    return lambda session: list_next_steps(session, **filters, after=place, limit=50)


def unattached(*, after: bool = False, store_id: UUID | None = None) -> Listing:
    """Return a listing of contacts without a card."""
    place = [NOW.isoformat(), str(new_id())] if after else None
    return lambda session: list_unattached(session, store_id=store_id, after=place, limit=50)


def reviews(*, after: bool = False, status: ReviewStatus | None = None) -> Listing:
    """Return a listing of upgrades that are held."""
    place = [NOW.isoformat(), str(new_id())] if after else None
    return lambda session: list_reviews(session, MANAGER, status=status, after=place, limit=50)


def cards_of(*, after: bool = False, **filters: Any) -> Listing:
    """Return a list of cards, newest first, as far as its first statement."""
    place = [NOW.isoformat(), str(new_id())] if after else None
    return lambda session: list_cards(session, CardFilters(**filters), "-created_at", place, 50)


def potential(*, after: bool = False, actor: Actor = MANAGER) -> Listing:
    """Return the list of who is about to earn more."""
    place = ["1.50", str(new_id())] if after else None

    async def listing(session: AsyncSession) -> None:
        await list_upgrade_potential(session, actor, CustomerKind.INDIVIDUAL, after=place, limit=50)

    return listing


def candidates(*, after: bool = False) -> Listing:
    """Return the list of who costs too much."""
    place = ["-1.50", str(new_id())] if after else None

    async def listing(session: AsyncSession) -> None:
        await list_pruning_candidates(
            session, Settings(_env_file=None), MANAGER, after=place, limit=50
        )

    return listing


@pytest.mark.parametrize(
    ("listing", "index"),
    [
        pytest.param(next_steps(), "ix_interaction_next_step", id="next steps"),
        pytest.param(
            next_steps(until=NOW.date(), after=True), "ix_interaction_next_step",
            id="next steps, bounded, next page",
        ),
        pytest.param(
            next_steps(staff_id=new_id(), after=True), "ix_interaction_next_step_staff",
            id="next steps of somebody",
        ),
        pytest.param(
            next_steps(store_id=new_id()), "ix_interaction_next_step_store",
            id="next steps of a shop",
        ),
        pytest.param(
            unattached(after=True), "ix_unattached_interaction_occurred_at_id",
            id="contacts without a card",
        ),
        pytest.param(
            unattached(store_id=new_id()), "ix_unattached_interaction_store_id_occurred_at_id",
            id="contacts without a card, of a shop",
        ),
        pytest.param(reviews(), "ix_tier_review_opened_at_id", id="reviews"),
        pytest.param(
            reviews(status=ReviewStatus.OPEN, after=True), "ix_tier_review_opened_at_id",
            id="reviews that wait, next page",
        ),
        pytest.param(
            cards_of(segment=RfmSegment.LOYAL, after=True), "ix_customer_created_at_id",
            id="cards of a segment",
        ),
        pytest.param(
            cards_of(group=CustomerGroup.VALUE), "ix_customer_created_at_id",
            id="cards of a group",
        ),
        pytest.param(potential(), "ix_customer_profile_potential", id="upgrade potential"),
        pytest.param(
            potential(after=True, actor=STORE_MANAGER), "ix_customer_profile_potential",
            id="upgrade potential of a shop, next page",
        ),
        pytest.param(
            candidates(after=True), "ix_customer_profile_pruning", id="candidates for pruning"
        ),
        pytest.param(audit(), "ix_audit_entry_at_id", id="trail"),
        pytest.param(audit(after=True), "ix_audit_entry_at_id", id="trail, next page"),
        pytest.param(
            audit(since=NOW - timedelta(days=1), until=NOW), "ix_audit_entry_at_id",
            id="trail of a day",
        ),
        pytest.param(audit(action=Action.DISABLED), "ix_audit_entry_action_at_id", id="action"),
        pytest.param(
            audit(action=Action.DISABLED, until=NOW, after=True), "ix_audit_entry_action_at_id",
            id="action, bounded, next page",
        ),
        pytest.param(audit(object_type="store"), "ix_audit_entry_object_type_at_id", id="type"),
        pytest.param(
            audit(object_type="store", object_id=new_id()),
            "ix_audit_entry_object_type_object_id_at_id", id="object",
        ),
        pytest.param(audit(actor_id=new_id()), "ix_audit_entry_actor_id_at_id", id="actor"),
        pytest.param(events(), "ix_pos_event_received_at_source_id_event_id", id="events"),
        pytest.param(
            events(source="till-1"), "ix_pos_event_source_id_received_at_event_id", id="source"
        ),
        pytest.param(
            events(source="till-1", after=True), "ix_pos_event_source_id_received_at_event_id",
            id="source, next page",
        ),
        pytest.param(
            events(status=EventStatus.HELD),
            "ix_pos_event_status_received_at_source_id_event_id", id="status",
        ),
    ],
)  # fmt: skip
async def test_a_list_is_read_in_the_order_of_an_index(
    database: Database, listing: Listing, index: str
) -> None:
    plan = await plan_of(database, listing)
    # On small tables several indexes cost the same; which of them is taken is the planner's whim.
    assert "using ix_" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    async with database.transaction() as session:
        known = "SELECT count(*) FROM pg_indexes WHERE indexname = :index"
        assert await session.scalar(text(known), {"index": index}) == 1


def report_jobs(*, after: bool = False, store_ids: frozenset[UUID] | None = None) -> Listing:
    """Return a listing of reports."""
    place = [NOW.isoformat(), str(new_id())] if after else None
    actor = replace(MANAGER, store_ids=store_ids)
    return lambda session: list_reports(
        session, actor, [ReportKind.CONCENTRATION], limit=50, after=place
    )


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param(report_jobs(), id="reports"),
        pytest.param(report_jobs(after=True), id="next page"),
        pytest.param(report_jobs(store_ids=frozenset({new_id()})), id="of stores"),
    ],
)
async def test_reports_are_read_in_the_order_of_their_index(
    database: Database, listing: Listing
) -> None:
    plan = await plan_of(database, listing)
    assert "using ix_report_created_at_id" in plan
    assert "Sort" not in plan


def receipts_of(**filters: Any) -> Listing:
    """Return a page of a file of receipts, not the first."""
    table = ReceiptTable(MANAGER, ReceiptFilters(**filters))
    place = (new_id(), NOW.date(), new_id())
    if "customer_id" in filters:
        place = (NOW, new_id())  # type: ignore[assignment]
    return lambda session: table.page(session, place, 500)


def contacts_of(**filters: Any) -> Listing:
    """Return a page of a file of contacts, not the first."""
    table = ContactTable(MANAGER, Settings(_env_file=None), ContactFilters(**filters))
    place = (NOW if "customer_id" in filters else NOW.date(), new_id())
    return lambda session: table.page(session, place, 500)


@pytest.mark.parametrize(
    ("listing", "sorted_by"),
    [
        pytest.param(receipts_of(), "Presorted Key: store_id, business_day", id="receipts"),
        pytest.param(
            receipts_of(store_id=new_id(), business_day_from=NOW.date()),
            "Presorted Key: business_day", id="receipts of a store",
        ),
        pytest.param(receipts_of(customer_id=new_id()), None, id="receipts of a card"),
        pytest.param(contacts_of(), None, id="contacts"),
        pytest.param(contacts_of(store_id=new_id()), None, id="contacts of a store"),
        pytest.param(contacts_of(customer_id=new_id()), None, id="contacts of a card"),
    ],
)  # fmt: skip
async def test_a_page_of_a_file_is_read_from_an_index_and_sorts_a_day_at_most(
    database: Database, listing: Listing, sorted_by: str | None
) -> None:
    plan = await plan_of(database, listing)
    assert "using ix_" in plan
    assert "Seq Scan" not in plan
    assert ("Sort" in plan) is (sorted_by is not None)
    if sorted_by is not None:
        assert "Incremental Sort" in plan
        assert sorted_by in plan
