"""Contacts with customers: read, corrected within their window, their next steps done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PreconditionFailedError,
)
from app.models import Interaction, InteractionChange
from app.queries import customer_service_stats
from app.queries import interactions as queries
from app.rules.access import Actor
from app.rules.interactions import Correction, Recorded, may_correct
from app.rules.service_cost import service_cost
from app.schemas.interactions import InteractionUpdate
from app.services import channels, interaction_checks
from app.services.changes import not_acceptable, page_of
from app.services.interaction_checks import Facts
from app.services.interaction_recording import tell
from app.services.purchases import require_card
from app.vocabulary import (
    Action,
    Channel,
    Code,
    Direction,
    DomainEvent,
    InteractionOutcome,
)


@dataclass(frozen=True, slots=True)
class InteractionFilters:
    """What a list of contacts is narrowed to; None leaves a part open. Days are both included."""

    channel: Channel | None = None
    direction: Direction | None = None
    outcome: InteractionOutcome | None = None
    occurred_from: date | None = None
    occurred_to: date | None = None


async def lock_card(session: AsyncSession, customer_id: UUID) -> None:
    """Lock a card that contacts may be recorded with.

    Raises:
        NotFoundError: no such card.
        ConflictError, GoneError: it was merged into another one, or its person erased.
    """
    cards = await queries.lock_cards(await raw_connection(session), [customer_id])
    refusal = interaction_checks.refusal_of_card(cards.get(customer_id))
    if refusal is not None:
        raise refusal


async def find_interaction(
    session: AsyncSession, customer_id: UUID, interaction_id: UUID
) -> Interaction | None:
    """Return a contact of a card, or None."""
    return await session.get(Interaction, (customer_id, interaction_id), populate_existing=True)


async def get_interaction(
    session: AsyncSession, customer_id: UUID, interaction_id: UUID
) -> Interaction:
    """Return a contact of a card.

    Raises:
        NotFoundError: no such contact of this card.
    """
    found = await find_interaction(session, customer_id, interaction_id)
    if found is None:
        raise NotFoundError("There is no such interaction.", detail_zh="没有这条互动。")
    return found


async def list_interactions(
    session: AsyncSession,
    settings: Settings,
    customer_id: UUID,
    filters: InteractionFilters,
    *,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Interaction], list[Any] | None]:
    """Return a page of a card's contacts, newest first, and where the next one begins.

    Raises:
        NotFoundError: no such card.
    """
    position = (col(Interaction.occurred_at), col(Interaction.id))
    query = contacts(settings, filters).where(col(Interaction.customer_id) == customer_id)
    if after is not None:
        place = (datetime.fromisoformat(after[0]), UUID(after[1]))
        query = query.where(tuple_(*position) < tuple_(*place))
    query = query.order_by(*(part.desc() for part in position)).limit(limit + 1)
    rows = (await session.scalars(query)).all()
    if not rows:
        await require_card(session, customer_id)
    return page_of(rows, limit, lambda row: [row.occurred_at.isoformat(), str(row.id)])


def contacts(settings: Settings, filters: InteractionFilters) -> Select[Interaction]:
    """Return the statement of contacts so narrowed, whoever's they are, in no order."""
    return select(Interaction).where(*_conditions(settings, filters))


def _conditions(settings: Settings, filters: InteractionFilters) -> list[ColumnElement[bool]]:
    wanted: list[tuple[Any, object]] = [
        (Interaction.channel, filters.channel),
        (Interaction.direction, filters.direction),
        (Interaction.outcome, filters.outcome),
    ]
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in wanted if value is not None
    ]
    # Instants, since the list is read in their order; a day is the chain's.
    if filters.occurred_from is not None:
        begins = datetime.combine(filters.occurred_from, time(), settings.zone)
        conditions.append(col(Interaction.occurred_at) >= begins)
    if filters.occurred_to is not None:
        ends = datetime.combine(filters.occurred_to + timedelta(days=1), time(), settings.zone)
        conditions.append(col(Interaction.occurred_at) < ends)
    return conditions


async def list_next_steps(
    session: AsyncSession,
    *,
    staff_id: UUID | None,
    store_id: UUID | None,
    until: date | None,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Interaction], list[Any] | None]:
    """Return a page of contacts whose next step is open, by the day it is due."""
    position = (col(Interaction.next_step_on), col(Interaction.id))
    query = select(Interaction).where(
        col(Interaction.next_step).is_not(None),
        col(Interaction.next_step_on).is_not(None),
        col(Interaction.next_step_done_at).is_(None),
    )
    if staff_id is not None:
        query = query.where(col(Interaction.staff_id) == staff_id)
    if store_id is not None:
        query = query.where(col(Interaction.store_id) == store_id)
    if until is not None:
        query = query.where(col(Interaction.next_step_on) <= until)
    if after is not None:
        place = (date.fromisoformat(after[0]), UUID(after[1]))
        query = query.where(tuple_(*position) > tuple_(*place))
    rows = (await session.scalars(query.order_by(*position).limit(limit + 1))).all()
    return page_of(rows, limit, lambda row: [str(row.next_step_on), str(row.id)])


async def list_interaction_changes(
    session: AsyncSession,
    customer_id: UUID,
    interaction_id: UUID,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[InteractionChange], list[Any] | None]:
    """Return a page of corrections of a contact, newest first.

    Raises:
        NotFoundError: no such contact of this card.
    """
    await get_interaction(session, customer_id, interaction_id)
    query = select(InteractionChange).where(
        col(InteractionChange.customer_id) == customer_id,
        col(InteractionChange.interaction_id) == interaction_id,
    )
    if after is not None:
        query = query.where(col(InteractionChange.version) < after[0])
    query = query.order_by(col(InteractionChange.version).desc()).limit(limit + 1)
    return page_of((await session.scalars(query)).all(), limit, lambda row: [row.version])


async def update_interaction(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    interaction_id: UUID,
    seen: int,
    given: InteractionUpdate,
) -> Interaction:
    """Correct what was sent; a change to what stands already makes no version.

    Another channel or duration is priced anew, at the prices of this moment; nothing else changes
    what a contact cost.

    Raises:
        NotFoundError: no such contact of this card.
        ConflictError, GoneError: the card was merged into another one, or its person erased.
        ForbiddenError: somebody else's contact, or its window is over, or another shop's.
        PreconditionFailedError: it is in another version than ``seen``.
        InvalidInputError: values that contradict each other, lie in the future, or name nothing.
    """
    row = await _get_for_change(session, customer_id, interaction_id, seen)
    now = clock.now()
    _check_correction(actor, row, now, settings.interaction_edit_hours)
    changed = {
        field: value for field, value in given.changes().items() if value != getattr(row, field)
    }
    if not changed:
        return row
    values = {field: getattr(row, field) for field in InteractionUpdate.model_fields} | changed
    await _check_values(session, actor, settings, customer_id, now, values, changed)
    if "occurred_at" in changed:
        changed["business_day"] = clock.business_day(values["occurred_at"], settings.zone)
    if changed.keys() & {"channel", "duration_seconds"}:
        price = (await channels.prices(session))[values["channel"]]
        changed["cost"] = service_cost(price, values["duration_seconds"])
    if changed.keys() & {"next_step", "next_step_on"} and row.next_step_done_at is not None:
        # Another step is open again.
        changed["next_step_done_at"] = None
    return await _write(session, actor, settings, row, changed, now)


async def finish_next_step(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    interaction_id: UUID,
    seen: int,
) -> Interaction:
    """Say that a contact's next step was done; whoever records contacts may.

    Raises:
        NotFoundError: no such contact of this card.
        ConflictError, GoneError: it has no open step; the card was merged, or its person erased.
        PreconditionFailedError: it is in another version than ``seen``.
    """
    row = await _get_for_change(session, customer_id, interaction_id, seen)
    if row.next_step is None or row.next_step_done_at is not None:
        raise ConflictError(
            "The interaction has no open next step.",
            code="invalid-transition",
            detail_zh="该互动没有待办的下一步。",
        )
    now = clock.now()
    return await _write(session, actor, settings, row, {"next_step_done_at": now}, now)


async def _get_for_change(
    session: AsyncSession, customer_id: UUID, interaction_id: UUID, seen: int
) -> Interaction:
    """Return a contact as it is, its card being locked until the transaction ends."""
    await lock_card(session, customer_id)
    row = await get_interaction(session, customer_id, interaction_id)
    if row.version != seen:
        fields = await session.scalars(
            select(func.jsonb_object_keys(InteractionChange.changes))
            .where(
                col(InteractionChange.customer_id) == customer_id,
                col(InteractionChange.interaction_id) == interaction_id,
                col(InteractionChange.version) > seen,
            )
            .distinct()
        )
        raise PreconditionFailedError(
            "The interaction has changed since the version you have seen.",
            detail_zh="该互动在您读取之后已被修改。",
            members={"changed_fields": sorted(fields)},
        )
    return row


def _check_correction(actor: Actor, row: Interaction, now: datetime, window_hours: int) -> None:
    recorded = Recorded(row.recorded_by_kind, row.recorded_by_id, row.recorded_at, row.store_id)
    decision = may_correct(actor, recorded, now, window_hours)
    if decision is Correction.NOT_THEIRS:
        raise ForbiddenError(
            "Who recorded an interaction may correct it, and leaders of its shop.",
            detail_zh="互动只能由登记人或所属门店的负责人更正。",
        )
    if decision is Correction.TOO_LATE:
        raise ForbiddenError(
            f"An interaction may be corrected for {window_hours} hours; ask a leader.",
            detail_zh=f"互动在登记后 {window_hours} 小时内可更正；请联系负责人。",
        )


async def _check_values(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    now: datetime,
    values: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> None:
    if "store_id" in changed:
        interaction_checks.check_contact_store(actor, changed["store_id"])
    known = await interaction_checks.known_references(
        await raw_connection(session), interaction_checks.references_of(customer_id, values)
    )
    found = interaction_checks.findings(settings, Facts(now, known), customer_id, values)
    if found:
        raise not_acceptable(found)


async def _write(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    row: Interaction,
    changed: Mapping[str, Any],
    now: datetime,
) -> Interaction:
    history = {
        field: [_json(getattr(row, field)), _json(value)] for field, value in changed.items()
    }
    version = row.version + 1
    customer_id, interaction_id = row.customer_id, row.id
    await session.execute(
        update(Interaction)
        .where(col(Interaction.customer_id) == customer_id, col(Interaction.id) == interaction_id)
        .values(version=version, updated_at=now, **changed)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        insert(InteractionChange).values(
            customer_id=customer_id,
            interaction_id=interaction_id,
            version=version,
            changed_at=now,
            actor_kind=actor.kind,
            actor_id=actor.id,
            changes=history,
        )
    )
    connection = await raw_connection(session)
    if changed.keys() & {"occurred_at", "direction", "cost"}:
        today = clock.business_day(now, settings.zone)
        await customer_service_stats.refresh(connection, today, [customer_id])
    await tell(
        connection, actor, now, DomainEvent.INTERACTION_CHANGED, Action.CHANGED,
        [(interaction_id, customer_id, {})], sorted(changed),
    )  # fmt: skip
    return await get_interaction(session, customer_id, interaction_id)


def _json(value: Any) -> Any:
    if value is None or isinstance(value, Code | int):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)
