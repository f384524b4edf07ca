"""Take signed events in: store each once, post it, answer it; a repeated one gets its first answer.

One event is an array of one. An event is stored in the transaction of its effects.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, ForbiddenError, NotFoundError, RetryTransactionError
from app.integrations.pos import standard_webhooks
from app.models import PosEvent, Source
from app.queries import pos_events
from app.rules.access import Actor
from app.schemas.common import BilingualText
from app.schemas.pos_events import EventProblem, EventResult, TillEvent
from app.services.posting import post_events
from app.services.posting_run import (
    PendingEvent,
    Posted,
    Run,
    SourceFacts,
    pending_of,
    source_facts,
)
from app.services.till_answers import answer_again, answer_for
from app.services.trail import record_action
from app.vocabulary import Action, EventStatus, SourceMode

ANSWERED_DONE, ANSWERED_KEPT = 200, 202


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event with its sender, as it was sent (``body``) and as it was read."""

    source: SourceFacts
    body: Mapping[str, Any]
    event: TillEvent

    @property
    def key(self) -> tuple[UUID, str]:
        """What makes the event one: its sender and its id."""
        return self.source.id, self.event.event_id


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to an event: the HTTP status of a single one, and its result."""

    status: int
    result: EventResult
    is_conflict: bool = False


async def authenticate_source(
    session: AsyncSession, settings: Settings, code: str, headers: Mapping[str, str], body: bytes
) -> tuple[SourceFacts, str]:
    """Return the source that signed these bytes, and the message's id.

    Raises:
        UnauthenticatedError: no such source, not its signature, or signed too long ago.
        ForbiddenError: the source was switched off.
    """
    row = await pos_events.find_source(await raw_connection(session), code)
    secrets: list[str] = list(row["secrets"]) if row else []
    message_id = standard_webhooks.verify(
        headers, body, secrets, clock.now(), settings.webhook_tolerance_seconds
    )
    assert row is not None  # A signature is never valid without a secret.
    if not row["is_active"]:
        raise ForbiddenError("This source is switched off.", detail_zh="该来源已停用。")
    return source_facts(row), message_id


async def refresh_source(session: AsyncSession, source: SourceFacts) -> SourceFacts:
    """Return a source that was authenticated in an earlier transaction, as it is by now.

    Raises:
        ForbiddenError: it was switched off meanwhile.
    """
    row = await pos_events.find_source(await raw_connection(session), source.code)
    if row is None or not row["is_active"]:
        raise ForbiddenError("This source is switched off.", detail_zh="该来源已停用。")
    return source_facts(row)


async def take_events(
    session: AsyncSession, settings: Settings, received: Sequence[ReceivedEvent]
) -> list[Taken]:
    """Store, post and answer events, in their order.

    An id that comes again gets its first answer; with another body it is a conflict, and nothing
    of it is stored.

    Raises:
        RetryTransactionError: a concurrent sender's transaction ended without an answer.
    """
    if not received:
        return []
    connection = await raw_connection(session)
    first: dict[tuple[UUID, str], ReceivedEvent] = {}
    for one in received:
        first.setdefault(one.key, one)
    rows = [
        {
            "source_id": one.source.id,
            "event_id": one.event.event_id,
            "kind": one.event.type,
            "mode": one.source.mode,
            "body": dict(one.body),
            "body_hash": body_hash(one.body),
        }
        for one in first.values()
    ]
    new = await pos_events.store_events(connection, clock.now(), rows)
    pending = {key: PendingEvent(one.source, one.event) for key, one in first.items() if key in new}
    answers = await _post_and_save(session, settings, list(pending.values()))
    known = await pos_events.first_answers(connection, [key for key in first if key not in new])
    hashes = {(row["source_id"], row["event_id"]): row["body_hash"] for row in rows}
    taken = []
    for one in received:
        stored = known.get(one.key)
        first_hash = stored["body_hash"] if stored else hashes[one.key]
        # Of an event whose customer was erased nobody can tell any more; its answer stands.
        if first_hash and body_hash(one.body) != first_hash:
            taken.append(Taken(409, _conflict(one.event.event_id), is_conflict=True))
        elif one.key in pending:
            answer = answers[pending[one.key]]
            taken.append(Taken(_status_of(answer), answer))
        elif stored is None or stored["answer"] is None:
            raise RetryTransactionError
        else:
            result = answer_again(stored["answer"])
            taken.append(Taken(stored["answer_status"], result))
    return taken


async def take_event(session: AsyncSession, settings: Settings, received: ReceivedEvent) -> Taken:
    """Take a single event.

    Raises:
        ConflictError: its id was used for another body.
    """
    taken = (await take_events(session, settings, [received]))[0]
    if taken.is_conflict:
        raise ConflictError(
            "The event id was used for another body.",
            code="event-conflict",
            detail_zh="该事件编号已用于其他内容。",
        )
    return taken


async def _post_and_save(
    session: AsyncSession, settings: Settings, pending: Sequence[PendingEvent]
) -> dict[PendingEvent, EventResult]:
    """Post stored events, each in the mode of its source, and write what became of them."""
    live = [one for one in pending if one.source.mode is SourceMode.LIVE]
    tested = [one for one in pending if one.source.mode is SourceMode.TEST]
    answers: dict[PendingEvent, EventResult] = {}
    outcomes: list[dict[str, Any]] = []
    if live:
        run, results = await post_events(session, settings, live)
        for posted in results:
            answer = answer_for(run, posted)
            answers[posted.pending] = answer
            outcomes.append(_outcome(run, posted, answer))
    if tested:
        # Everything is done as in earnest and undone, so that the answer is what it would be.
        async with session.begin_nested() as savepoint:
            run, results = await post_events(session, settings, tested)
            await savepoint.rollback()
        for posted in results[: len(tested)]:
            # The problem it would have is told; the event itself is a test and goes with them.
            answer = answer_for(run, posted).model_copy(update={"status": EventStatus.TEST})
            posted.decided = EventStatus.TEST
            answers[posted.pending] = answer
            outcomes.append(_outcome(run, posted, answer))
    await pos_events.save_outcomes(await raw_connection(session), outcomes)
    return answers


def _outcome(run: Run, posted: Posted, answer: EventResult) -> dict[str, Any]:
    is_test = posted.pending.source.mode is SourceMode.TEST
    awaits = posted.awaits if posted.status is EventStatus.PARKED else None
    return {
        "source_id": posted.pending.source.id,
        "event_id": posted.pending.event_id,
        "status": posted.status,
        "applied_at": run.now if posted.status is EventStatus.APPLIED else None,
        "awaits_source_id": awaits[0] if awaits else None,
        "awaits_receipt_key": awaits[1] if awaits else None,
        "problem_code": posted.fault,
        "customer_id": None if is_test else posted.customer_id,
        "purchase_id": None if is_test else posted.purchase_id,
        "answer": answer.model_dump(mode="json"),
        "answer_status": _status_of(answer),
    }


def _status_of(answer: EventResult) -> int:
    done = answer.status in {EventStatus.APPLIED, EventStatus.TEST}
    return ANSWERED_DONE if done and answer.problem is None else ANSWERED_KEPT


def body_hash(body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a body's canonical JSON: key order and white space do not matter."""
    return hashlib.sha256(orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _conflict(event_id: str) -> EventResult:
    return EventResult(
        event_id=event_id,
        status="conflict",
        purchase_id=None,
        customer=None,
        tier=None,
        greeting=None,
        problem=EventProblem(
            type="/problems/event-conflict",
            title=BilingualText(
                en="The event id was used for another body", zh="事件编号已用于其他内容"
            ),
            detail=BilingualText(
                en="Give a corrected event a new id.", zh="更正后的事件请使用新编号。"
            ),
            errors=None,
        ),
    )


async def get_event(
    session: AsyncSession, actor: Actor, source: str, event_id: str
) -> tuple[PosEvent, str]:
    """Return a stored event and its source's code.

    Raises:
        NotFoundError: no such event, or of a store that is not the actor's.
    """
    row = (
        await session.execute(
            select(PosEvent, col(Source.code), col(Source.store_id))
            .join(Source, col(Source.id) == col(PosEvent.source_id))
            .where(col(Source.code) == source, col(PosEvent.event_id) == event_id)
        )
    ).first()
    if row is None or not actor.reaches_store(row[2]):
        raise NotFoundError("There is no such event.", detail_zh="没有这个事件。")
    return row[0], row[1]


async def replay_event(
    session: AsyncSession, actor: Actor, settings: Settings, source: str, event_id: str
) -> None:
    """Post a held or parked event again, after what was wrong has been mended.

    The event's status and problem change; the answer the till was given stays.

    Raises:
        NotFoundError: no such event, or of a store that is not the actor's.
        ConflictError: it is neither held nor parked (``invalid-transition``).
    """
    stored, _ = await get_event(session, actor, source, event_id)
    connection = await raw_connection(session)
    row = await pos_events.lock_event(connection, source, event_id)
    assert row is not None
    if EventStatus(row["status"]) not in {EventStatus.HELD, EventStatus.PARKED}:
        raise ConflictError(
            "Only held and parked events can be replayed.",
            code="invalid-transition",
            detail_zh="只有搁置或等待中的事件可以重放。",
        )
    pending = pending_of(row)
    await _post_and_save(session, settings, [pending])
    session.expire(stored)
    await record_action(
        session, actor, Action.REPLAYED, "source", UUID(str(row["source_id"])), fields=["event"]
    )


def events(
    actor: Actor, *, status: EventStatus | None, source: str | None
) -> Select[PosEvent, str]:
    """Return the statement of stored events of the stores the actor reaches, in no order."""
    query = select(PosEvent, col(Source.code)).join(
        Source, col(Source.id) == col(PosEvent.source_id)
    )
    if status is not None:
        query = query.where(col(PosEvent.status) == status)
    if source is not None:
        # One source, known before the events are read, so that its index gives them in order.
        its_id = select(col(Source.id)).where(col(Source.code) == source).scalar_subquery()
        query = query.where(col(PosEvent.source_id) == its_id)
    if actor.store_ids is not None:
        query = query.where(col(Source.store_id).in_(actor.store_ids))
    return query


async def list_events(
    session: AsyncSession,
    actor: Actor,
    *,
    status: EventStatus | None,
    source: str | None,
    after: tuple[Any, UUID, str] | None,
    limit: int,
) -> list[tuple[PosEvent, str]]:
    """Return stored events, newest first, of the stores the actor reaches.

    ``after`` is (received_at, source id, event id) of the last one of the previous page.
    """
    query = events(actor, status=status, source=source)
    position = (col(PosEvent.received_at), col(PosEvent.source_id), col(PosEvent.event_id))
    if after is not None:
        query = query.where(tuple_(*position) < tuple_(*after))
    query = query.order_by(*(part.desc() for part in position)).limit(limit)
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]
