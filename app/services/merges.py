"""Merge cards by a plan, and read what was merged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import new_id
from app.models import ConsentRecord, Customer, CustomerMerge
from app.queries import customer_moves, customer_pointers, merge_reading, survivors
from app.queries import merges as queries
from app.rules.access import Actor
from app.rules.merging import Obstacle
from app.schemas.merges import (
    Merge,
    MergeDetail,
    MergeDone,
    MergeExecute,
    MergeMove,
    MergePlan,
    MergeRequest,
)
from app.services import merge_plans, merge_tiers
from app.services.changes import page_of
from app.services.completeness import refresh_completeness
from app.services.customer_changes import card_not_found, get_customer, write_change
from app.services.merge_plans import Planned, obstacles_read, plan_merge
from app.services.rebuilding import rebuild_derived
from app.vocabulary import (
    Action,
    ConsentProof,
    CustomerStatus,
    DomainEvent,
    MergeObstacle,
    MergeStatus,
)


async def preview_merge(
    session: AsyncSession, actor: Actor, settings: Settings, given: MergeRequest
) -> MergePlan:
    """Return what merging these cards would do; nothing is changed.

    Raises:
        NotFoundError, ForbiddenError, InvalidInputError: as :func:`plan_merge`.
    """
    return (await plan_merge(session, actor, settings, given)).plan


async def execute_merge(
    session: AsyncSession, actor: Actor, settings: Settings, given: MergeExecute
) -> MergeDone:
    """Merge cards by a plan that somebody has looked at.

    Receipt numbers are locked before the cards, as tills lock them: a refund that is being posted
    is waited for. With the cards locked the plan is made again, and has to be the same.

    Raises:
        NotFoundError, ForbiddenError, InvalidInputError: as for the plan.
        ConflictError: something has changed since (409 ``merge-plan-stale``), or it cannot be done
            (409 ``conflict``, with the obstacles).
    """
    connection = await raw_connection(session)
    ids = [given.surviving_id, *given.loser_ids]
    await customer_pointers.lock_receipts(connection, given.loser_ids)
    await merge_reading.lock_cards(connection, ids)
    planned = await plan_merge(session, actor, settings, given)
    if planned.plan.fingerprint != given.fingerprint:
        raise ConflictError(
            "Something has changed since the plan was made; make a new one.",
            code="merge-plan-stale",
            detail_zh="合并方案生成后数据已有变化，请重新生成。",
        )
    if planned.plan.obstacles:
        raise cannot_be_done(planned.plan.obstacles)
    now, merge_id = clock.now(), new_id()
    survivor, losers = given.surviving_id, given.loser_ids
    pairs = await queries.settle_pairs(connection, ids, now, actor.id)
    made = _statements_made(actor, planned, now)
    # The tiers are decided and closed while each card has its own receipts.
    tiers = await merge_tiers.join(session, now, survivor, losers, planned.tier)
    before = {
        "cards": {str(one): row for one, row in planned.rows.items()},
        "after": {decision.field: decision.value for decision in planned.decisions},
        "primaries": {
            str(row["id"]): [row["is_primary"], planned.primaries[row["id"]]]
            for row in planned.identities
        },
        "consents": _consent_rows(planned),
        "statements_made": [str(row["id"]) for row in made],
        "pairs": [[str(first), str(second)] for first, second in pairs],
        "tiers": tiers,
    }
    await queries.write_merge(
        connection,
        {
            "customer_id": survivor,
            "id": merge_id,
            "loser_ids": losers,
            "fingerprint": given.fingerprint,
            "plan": planned.plan.model_dump(mode="json"),
            "before": before,
            "reason": given.reason,
            "merged_at": now,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
        },
    )
    await customer_moves.move_to(connection, merge_id, survivor, losers)
    await customer_pointers.point_to_survivor(connection, survivor, losers)
    await queries.set_primaries(connection, survivor, planned.primaries)
    if made:
        await session.execute(insert(ConsentRecord), made)
    await _let_stand(connection, planned, made)
    await _write_cards(session, actor, planned, merge_id, now)
    await rebuild_derived(session, settings, ids)
    await refresh_completeness(session, settings, ids)
    return await _done(session, merge_id)


def _statements_made(actor: Actor, planned: Planned, now: datetime) -> list[dict[str, Any]]:
    """Return the records of what the merge itself states, so that nothing is allowed by it."""
    return [
        {
            "customer_id": planned.plan.surviving_id,
            "id": new_id(),
            "purpose": subject[0],
            "channel": subject[1],
            "state": planned.consents.standing[subject].state,
            "proof": ConsentProof.MERGE,
            "stated_at": now,
            "recorded_at": now,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
        }
        for subject in sorted(planned.consents.made)
    ]


def _consent_rows(planned: Planned) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": str(owner),
            "purpose": str(subject[0]),
            "channel": str(subject[1]),
            "state": str(said.state),
            "since": said.stated_at.isoformat(),
            "record_id": str(said.record_id),
        }
        for owner, standing in planned.standings.items()
        for subject, said in standing.items()
    ]


async def _let_stand(connection: Any, planned: Planned, made: Sequence[Mapping[str, Any]]) -> None:
    own = {(row["purpose"], row["channel"]): row for row in made}
    await queries.replace_consents(
        connection,
        planned.ids,
        [
            {
                "customer_id": planned.plan.surviving_id,
                "purpose": subject[0],
                "channel": subject[1],
                "state": said.state,
                "since": (own[subject]["stated_at"] if subject in own else said.stated_at),
                "record_id": own[subject]["id"] if subject in own else said.record_id,
            }
            for subject, said in planned.consents.standing.items()
        ],
    )


async def _write_cards(
    session: AsyncSession, actor: Actor, planned: Planned, merge_id: UUID, at: datetime
) -> None:
    """Write what the surviving card says from now on, and where the others lead; with history."""
    survivor = planned.plan.surviving_id
    row = planned.rows[survivor]
    said = merge_plans.card_values(row)
    changed = {
        decision.field: decision.value
        for decision in planned.decisions
        if said.get(decision.field) != decision.value
    }
    identities = identities_in_history(planned.identities)
    changes: dict[str, tuple[Any, Any]] = {
        field: (said.get(field), value) for field, value in changed.items()
    }
    merged = [str(one) for one in planned.plan.loser_ids]
    changes["merged_ids"] = ([], merged)
    whole = [
        {**entry, "is_primary": planned.primaries[other["id"]]}
        for one in planned.ids
        for other, entry in zip(
            (each for each in planned.identities if each["customer_id"] == one),
            identities.get(one, []),
            strict=True,
        )
    ]
    if whole != identities.get(survivor, []):
        changes["identities"] = (identities.get(survivor, []), whole)
    cards = await load_cards(session, planned.ids)
    await write_change(
        session,
        actor,
        cards[survivor],
        merge_plans.card_columns(changed, row),
        changes,
        at=at,
        action=Action.MERGED,
        event=DomainEvent.CUSTOMER_MERGED,
        payload={"merge_id": str(merge_id), "merged_ids": merged},
    )
    for loser in planned.plan.loser_ids:
        card = cards[loser]
        lost: dict[str, tuple[Any, Any]] = {
            "status": (card.status.value, CustomerStatus.MERGED.value),
            "merged_into_id": (None, str(survivor)),
        }
        if loser in identities:
            lost["identities"] = (identities[loser], [])
        await write_change(
            session,
            actor,
            card,
            {"status": CustomerStatus.MERGED, "merged_into_id": survivor},
            lost,
            at=at,
            action=Action.MERGED,
            payload={"merge_id": str(merge_id), "surviving_customer_id": str(survivor)},
        )


def identities_in_history(rows: Sequence[Mapping[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    """Return identities as they stand in a card's history, by card."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append(
            {
                "kind": row["kind"],
                "system": row["system"] or None,
                "value": row["value"],
                "label": row["label"],
                "is_primary": row["is_primary"],
            }
        )
    return found


async def load_cards(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Customer]:
    """Return these cards as they are now, by id."""
    rows = await session.scalars(
        select(Customer).where(col(Customer.id).in_(ids)).execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


def cannot_be_done(obstacles: Sequence[Any]) -> ConflictError:
    """Return the refusal of what obstacles stand in the way of."""
    return ConflictError(
        "It cannot be done: " + "; ".join(one.code.en for one in obstacles) + ".",
        detail_zh="无法执行：" + "；".join(one.code.zh for one in obstacles) + "。",
        members={"obstacles": [one.model_dump(mode="json") for one in obstacles]},
    )


async def get_merge(session: AsyncSession, merge_id: UUID) -> MergeDetail:
    """Return a merge with its plan, and whether it can be undone.

    Raises:
        NotFoundError: no such merge.
    """
    row = await find_row(session, merge_id)
    obstacles = obstacles_read(await undo_obstacles(session, row))
    whole = isinstance(row["plan"], dict) and "fields" in row["plan"]
    return MergeDetail(
        **merge_of_row(row).model_dump(),
        plan=MergePlan.model_validate(row["plan"]) if whole else None,
        can_be_undone=not obstacles,
        obstacles=obstacles,
    )


async def find_row(session: AsyncSession, merge_id: UUID) -> Any:
    """Return everything that is kept of a merge.

    Raises:
        NotFoundError: no such merge.
    """
    row = await queries.find_merge(await raw_connection(session), merge_id)
    if row is None:
        raise NotFoundError("There is no such merge.", detail_zh="没有这次合并。")
    return row


async def undo_obstacles(session: AsyncSession, row: Mapping[str, Any]) -> list[Obstacle]:
    """Return why a merge cannot be undone now; nothing if it can.

    Merges are undone in reverse: what came later refers to what came before.
    """
    connection = await raw_connection(session)
    survivor = row["customer_id"]
    if row["status"] == MergeStatus.UNDONE:
        return [Obstacle(MergeObstacle.UNDONE_ALREADY, row["id"])]
    ids = [survivor, *(UUID(one) for one in row["loser_ids"])]
    cards = await merge_reading.cards(connection, ids)
    if any(card["status"] == CustomerStatus.ERASED for card in cards.values()):
        return [Obstacle(MergeObstacle.ERASED, survivor)]
    into = cards[survivor]["merged_into_id"]
    later = await queries.later_merge(connection, survivor, row["merged_at"], row["id"])
    if into is not None:
        later = await queries.merge_of(connection, UUID(into), survivor)
    return [] if later is None else [Obstacle(MergeObstacle.LATER_MERGE, later)]


async def list_merges(
    session: AsyncSession,
    *,
    customer_id: UUID | None = None,
    status: MergeStatus | None = None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[Merge], list[Any] | None]:
    """Return merges, newest first; of a card, those into it and into cards merged into it.

    Raises:
        NotFoundError: no such card.
    """
    connection = await raw_connection(session)
    place = (col(CustomerMerge.merged_at), col(CustomerMerge.id))
    query = select(CustomerMerge)
    if customer_id is not None:
        if customer_id not in await survivors.survivors_of(connection, [customer_id]):
            raise card_not_found()
        below = await survivors.merged_into(connection, [customer_id])
        ids = [customer_id, *below.get(customer_id, [])]
        query = query.where(col(CustomerMerge.customer_id).in_(ids))
    if status is not None:
        query = query.where(col(CustomerMerge.status) == status)
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    found = (
        await session.scalars(query.order_by(*(part.desc() for part in place)).limit(limit + 1))
    ).all()
    page, position = page_of(found, limit, lambda one: [one.merged_at, one.id])
    return [merge_of_row(one.model_dump()) for one in page], position


def merge_of_row(row: Mapping[str, Any]) -> Merge:
    """Return a merge as an answer."""
    plan = row["plan"] if isinstance(row["plan"], dict) else {}
    return Merge(
        id=row["id"],
        surviving_id=row["customer_id"],
        loser_ids=[UUID(one) for one in row["loser_ids"]],
        status=row["status"],
        reason=row["reason"],
        merged_at=row["merged_at"],
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        undone_at=row["undone_at"],
        undone_by_id=row["undone_by_id"],
        moves=[MergeMove.model_validate(one) for one in plan.get("moves", [])],
    )


async def _done(session: AsyncSession, merge_id: UUID) -> MergeDone:
    row = await find_row(session, merge_id)
    card = await get_customer(session, row["customer_id"])
    return MergeDone(**merge_of_row(row).model_dump(), customer=card)
