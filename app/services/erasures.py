"""Erase what is personal of a person: at once, or as soon as nothing needs it any more."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import new_id
from app.locale.phones import national_digits
from app.models import Customer, Erasure
from app.queries import erasing, erasure_facts, outbox, trail
from app.queries.erasing import Persons
from app.rules.access import SYSTEM, Actor
from app.rules.erasure import Deferral, ErasureTerms, decide_erasure, due_on
from app.schemas.common import LabelledCode
from app.schemas.erasures import DeferralRead, ErasureRead
from app.services.changes import page_of
from app.services.customer_changes import card_not_found, get_standing
from app.services.disclosures import check_reach
from app.services.trail import record_action
from app.vocabulary import Action, DeferralReason, DomainEvent, ErasureStatus, IdentityKind

CHUNK: Final = 50
INACTIVE_CHUNK: Final = 500
SWEPT_AGAIN: Final = timedelta(days=2)
"""Who was erased within this time is erased once more each night: a request that had looked at the
card before may have written after."""


async def request_erasure(
    session: AsyncSession, actor: Actor, settings: Settings, customer_id: UUID
) -> ErasureRead:
    """Erase a person with every card that was merged into theirs, or say what still needs the data.

    Raises:
        NotFoundError, GoneError, ConflictError: no such card, erased, merged, or it was asked for
            already and is deferred (409 ``invalid-transition``).
        ForbiddenError: its home store is not among the actor's.
    """
    check_reach(actor, await get_standing(session, customer_id))
    connection = await raw_connection(session)
    await erasing.lock_persons(connection, [customer_id])
    # Somebody may have been faster while the lock was waited for, or have merged a card into it.
    await get_standing(session, customer_id)
    persons = await erasing.lock_persons(connection, [customer_id])
    if await _open_erasure(session, customer_id) is not None:
        raise ConflictError(
            "An erasure of this card is deferred already; it is done when nothing holds it.",
            code="invalid-transition",
            detail_zh="该客户卡已有延后的删除申请，条件满足后自动执行。",
        )
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    held = (await _decide(session, settings, [customer_id], today))[customer_id]
    row = {
        "customer_id": customer_id,
        "id": new_id(),
        "status": ErasureStatus.DEFERRED if held else ErasureStatus.DONE,
        "requested_at": now,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "deferrals": _stored(held),
        "due_on": due_on(held, today) if held else None,
        "ended_at": None if held else now,
    }
    await session.execute(insert(Erasure).values(row))
    if held:
        await record_action(session, actor, Action.DEFERRED, "customer", customer_id, ["erasure"])
    else:
        await _erase(session, actor, persons, now)
    return _read(row)


async def list_erasures(
    session: AsyncSession,
    *,
    customer_id: UUID | None = None,
    status: ErasureStatus | None = None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[ErasureRead], list[Any] | None]:
    """Return a page of erasures, newest first, and where the next page begins.

    Raises:
        NotFoundError: no such card.
    """
    place = (col(Erasure.requested_at), col(Erasure.id))
    query = select(Erasure)
    if customer_id is not None:
        query = query.where(col(Erasure.customer_id) == customer_id)
    if status is not None:
        query = query.where(col(Erasure.status) == status)
    if after is not None:
        query = query.where(
            tuple_(*place) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    rows = await session.scalars(query.order_by(*(part.desc() for part in place)).limit(limit + 1))
    page, position = page_of(rows.all(), limit, lambda row: [row.requested_at, row.id])
    if customer_id is not None and not page:
        await _check_card(session, customer_id)
    return [_read_row(row) for row in page], position


async def get_erasure(session: AsyncSession, customer_id: UUID, erasure_id: UUID) -> ErasureRead:
    """Return an erasure of a card.

    Raises:
        NotFoundError: there is none.
    """
    return _read_row(await _find_erasure(session, customer_id, erasure_id))


async def cancel_erasure(
    session: AsyncSession, actor: Actor, customer_id: UUID, erasure_id: UUID
) -> ErasureRead:
    """Take a deferred erasure back: the person changed their mind.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is done or cancelled (409 ``invalid-transition``).
    """
    row = await _find_erasure(session, customer_id, erasure_id, for_update=True)
    if row.status is not ErasureStatus.DEFERRED:
        raise ConflictError(
            "Only a deferred erasure can be cancelled.",
            code="invalid-transition",
            detail_zh="只有已延后的删除申请可以取消。",
        )
    row.status, row.ended_at, row.due_on = ErasureStatus.CANCELLED, clock.now(), None
    session.add(row)
    await session.flush()
    await record_action(session, actor, Action.CANCELLED, "customer", customer_id, ["erasure"])
    return _read_row(row)


async def carry_out_due(
    session: AsyncSession, settings: Settings, now: datetime
) -> Mapping[str, int]:
    """Look at a portion of the deferred erasures that are due, and carry out what nothing holds.

    Call it, each time in a transaction of its own, until ``remaining`` is 0. What is still held is
    looked at again on the day on which that is over, tomorrow at the earliest. In the last portion
    those who were erased lately are swept once more.
    """
    today = clock.business_day(now, settings.zone)
    found = await session.scalars(
        select(Erasure)
        .where(
            col(Erasure.status) == ErasureStatus.DEFERRED,
            col(Erasure.due_on) <= today,
        )
        .order_by(col(Erasure.due_on), col(Erasure.id))
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    due = found.all()
    connection = await raw_connection(session)
    if not due:
        swept = await erasure_facts.erased_since(connection, now - SWEPT_AGAIN)
        await _clear(session, await erasing.lock_persons(connection, swept), now)
        return {"erased": 0, "held": 0, "swept": len(swept), "remaining": 0}
    wanted = [row.customer_id for row in due]
    await erasing.lock_persons(connection, wanted)
    decided = await _decide(session, settings, wanted, today)
    for row in due:
        held = decided[row.customer_id]
        row.deferrals = _stored(held)
        row.due_on = due_on(held, today) if held else None
        if not held:
            row.status, row.ended_at = ErasureStatus.DONE, now
        session.add(row)
    await session.flush()
    free = [customer_id for customer_id in wanted if not decided[customer_id]]
    await _erase(session, SYSTEM, await erasing.lock_persons(connection, free), now)
    return {"erased": len(free), "held": len(due) - len(free), "swept": 0, "remaining": len(due)}


async def erase_inactive(
    session: AsyncSession, settings: Settings, now: datetime
) -> Mapping[str, int]:
    """Ask for the erasure of a portion of the archived cards that nobody has used for long.

    They are erased at once: what would hold them is younger than what makes a card inactive, and
    while a file is under way nobody is. Call it, each time in a transaction of its own, until
    ``remaining`` is 0.
    """
    if settings.keep_inactive_cards_days == 0:
        return {"inactive": 0, "remaining": 0}
    since = now - timedelta(days=settings.keep_inactive_cards_days)
    connection = await raw_connection(session)
    found = await erasure_facts.inactive_since(connection, since, INACTIVE_CHUNK)
    await erasing.lock_persons(connection, found)
    # Somebody may have taken a card into use again while its lock was waited for.
    inactive = await erasure_facts.inactive_since(connection, since, INACTIVE_CHUNK, found)
    persons = await erasing.lock_persons(connection, inactive)
    if inactive:
        await session.execute(
            insert(Erasure),
            [
                {
                    "customer_id": customer_id,
                    "id": new_id(),
                    "status": ErasureStatus.DONE,
                    "requested_at": now,
                    "actor_kind": SYSTEM.kind,
                    "actor_id": None,
                    "deferrals": [],
                    "due_on": None,
                    "ended_at": now,
                }
                for customer_id in inactive
            ],
        )
        await _erase(session, SYSTEM, persons, now)
    return {"inactive": len(inactive), "remaining": len(inactive)}


async def _erase(session: AsyncSession, actor: Actor, persons: Persons, at: datetime) -> None:
    """Erase locked persons, and tell with ids only."""
    await _clear(session, persons, at)
    connection = await raw_connection(session)
    await erasing.mark_erased(connection, persons.cards, at)
    await trail.write(
        connection,
        at,
        actor.request_id,
        [
            {
                "id": new_id(),
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "action": Action.ERASED,
                "object_type": "customer",
                "object_id": customer_id,
                "fields": [],
            }
            for customer_id in persons.surviving
        ],
    )
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": DomainEvent.CUSTOMER_ERASED,
                "customer_id": customer_id,
                "subject_id": customer_id,
                "payload": {},
            }
            for customer_id in persons.surviving
        ],
    )


async def _clear(session: AsyncSession, persons: Persons, at: datetime) -> None:
    await session.flush()
    connection = await raw_connection(session)
    identities = await erasing.identities_of(connection, persons.cards)
    numbers = [
        national_digits(value)
        for kind, value in zip(identities.kinds, identities.values, strict=True)
        if kind == IdentityKind.PHONE
    ]
    await erasing.clear_customer_tables(connection, persons.cards)
    await erasing.clear_other_tables(connection, persons.cards, identities, numbers, at)


async def _decide(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID], as_of: date
) -> dict[UUID, tuple[Deferral, ...]]:
    facts = await erasure_facts.facts_of(
        await raw_connection(session), customer_ids, settings.timezone
    )
    terms = ErasureTerms(
        settings.return_period_days, settings.merge_dispute_days, settings.keep_import_files_days
    )
    return {
        customer_id: decide_erasure(facts[customer_id], terms, as_of)
        for customer_id in customer_ids
    }


async def _open_erasure(session: AsyncSession, customer_id: UUID) -> UUID | None:
    return await session.scalar(
        select(col(Erasure.id)).where(
            col(Erasure.customer_id) == customer_id,
            col(Erasure.status) == ErasureStatus.DEFERRED,
        )
    )


async def _find_erasure(
    session: AsyncSession, customer_id: UUID, erasure_id: UUID, *, for_update: bool = False
) -> Erasure:
    query = select(Erasure).where(
        col(Erasure.customer_id) == customer_id, col(Erasure.id) == erasure_id
    )
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = await session.scalar(query)
    if row is None:
        raise NotFoundError("The card has no such erasure.", detail_zh="该客户卡没有此删除申请。")
    return row


async def _check_card(session: AsyncSession, customer_id: UUID) -> None:
    if await session.get(Customer, customer_id) is None:
        raise card_not_found()


def _stored(held: Sequence[Deferral]) -> list[dict[str, str | None]]:
    return [
        {
            "reason": deferral.reason.value,
            "until": deferral.until.isoformat() if deferral.until else None,
        }
        for deferral in held
    ]


def _read_row(row: Erasure) -> ErasureRead:
    return _read({name: getattr(row, name) for name in ErasureRead.model_fields})


def _read(row: Mapping[str, Any]) -> ErasureRead:
    deferrals = [
        DeferralRead(
            reason=LabelledCode.of(DeferralReason(deferral["reason"])), until=deferral["until"]
        )
        for deferral in row["deferrals"]
    ]
    return ErasureRead(**{**row, "deferrals": deferrals})
