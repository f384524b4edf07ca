"""Consent: written down with its proof, read, and asked before the chain acts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.errors import FieldError
from app.core.ids import new_id
from app.models import ConsentRecord, Customer, OutboxEvent
from app.queries import consents as queries
from app.queries.consents import Place
from app.rules.access import Actor
from app.rules.consent import (
    WITHOUT_CHANNEL,
    Decision,
    Said,
    Subject,
    decide,
    is_in_force,
    later,
    standing_of,
)
from app.schemas.consents import (
    ConsentRead,
    ConsentsStated,
    ConsentStatement,
    ConsentsWithdrawn,
)
from app.services.changes import not_acceptable
from app.services.customer_changes import card_merged, card_not_found, check_store
from app.services.survivors import card_erased, surviving_id
from app.services.trail import record_action
from app.vocabulary import (
    Action,
    ConsentChannel,
    ConsentPurpose,
    ConsentState,
    CustomerStatus,
    DomainEvent,
)


async def record_consents(
    session: AsyncSession, actor: Actor, customer_id: UUID, given: ConsentsStated
) -> dict[Subject, Said]:
    """Write down what a customer says, and return what stands then.

    An older statement than the one that stands goes into the history only. Archived cards take
    statements too: a withdrawal counts whatever became of the card.

    Raises:
        NotFoundError: no such card.
        ForbiddenError: its home store is not among the actor's.
        ConflictError: it was merged (409 ``card-merged``).
        GoneError: the person's data were erased.
        InvalidInputError: a statement of the future, or one channel of a purpose without any.
    """
    now = clock.now()
    found = [
        *_in_future(given.statements, now),
        *(
            FieldError(
                f"/statements/{index}/channel",
                "without-channel",
                f"{statement.purpose} is said for `any` only.",
                f"“{statement.purpose.label.zh}”只能对 any（不限渠道）登记。",
            )
            for index, statement in enumerate(given.statements)
            if statement.purpose in WITHOUT_CHANNEL and statement.channel is not ConsentChannel.ANY
        ),
    ]
    if found:
        raise not_acceptable(found)
    return await _record(session, actor, customer_id, given.statements, now)


async def withdraw_consents(
    session: AsyncSession, actor: Actor, customer_id: UUID, given: ConsentsWithdrawn
) -> dict[Subject, Said]:
    """Write down that a customer takes back everything, and return what stands then.

    Raises:
        NotFoundError, ForbiddenError, ConflictError: as for every statement.
        InvalidInputError: it is stated in the future.
    """
    now = clock.now()
    if given.stated_at is not None and given.stated_at > now:
        raise not_acceptable([_future("/stated_at")])
    statements = [
        ConsentStatement(
            purpose=purpose,
            channel=ConsentChannel.ANY,
            state=ConsentState.WITHDRAWN,
            **given.model_dump(),
        )
        for purpose in ConsentPurpose
    ]
    return await _record(session, actor, customer_id, statements, now)


async def get_consents(session: AsyncSession, customer_id: UUID) -> dict[Subject, Said]:
    """Return what stands for a card.

    Raises:
        NotFoundError: no such card.
    """
    standing = await queries.standing_of_card(session, customer_id)
    if not standing:
        await _require_card(session, customer_id)
    return standing


async def check_consent(
    session: AsyncSession,
    settings: Settings,
    customer_id: UUID,
    purpose: ConsentPurpose,
    channel: ConsentChannel,
) -> Decision:
    """Decide whether the chain may act for a purpose by a channel now, and say why.

    Raises:
        NotFoundError: no such card.
    """
    return decide(
        await get_consents(session, customer_id), purpose, channel, purposes_unasked(settings)
    )


async def list_consent_records(
    session: AsyncSession, customer_id: UUID, *, after: Place | None, limit: int
) -> Sequence[ConsentRecord]:
    """Return a card's statements, the latest stated first.

    Raises:
        NotFoundError: no such card.
    """
    found = await queries.list_records(session, customer_id, after, limit)
    if not found:
        await _require_card(session, customer_id)
    return found


def standing_read(standing: Mapping[Subject, Said]) -> list[ConsentRead]:
    """Return what stands of a card as an answer, in the order of the vocabularies."""
    purposes, channels = list(ConsentPurpose), list(ConsentChannel)
    in_order = sorted(
        standing.items(),
        key=lambda item: (purposes.index(item[0][0]), channels.index(item[0][1])),
    )
    return [
        consent_read(subject, said, is_in_force=is_in_force(standing, subject))
        for subject, said in in_order
    ]


def consent_read(subject: Subject, said: Said, *, is_in_force: bool) -> ConsentRead:
    """Return a statement that stands as an answer."""
    assert said.record_id is not None
    return ConsentRead(
        purpose=subject[0],
        channel=subject[1],
        state=said.state,
        is_in_force=is_in_force,
        since=said.stated_at,
        record_id=said.record_id,
    )


def purposes_unasked(settings: Settings) -> frozenset[ConsentPurpose]:
    """Return the purposes that need no consent until it is withdrawn."""
    return frozenset(ConsentPurpose(purpose) for purpose in settings.consent_unasked_purposes)


async def _record(
    session: AsyncSession,
    actor: Actor,
    customer_id: UUID,
    given: Sequence[ConsentStatement],
    now: datetime,
) -> dict[Subject, Said]:
    await _lock_card(session, actor, customer_id)
    rows = [_row(actor, customer_id, statement, now) for statement in given]
    await queries.write_records(session, rows)
    standing = await queries.standing_of_card(session, customer_id)
    new = standing_of(
        ((row["purpose"], row["channel"]), Said(row["state"], row["stated_at"], row["id"]))
        for row in rows
    )
    replaced = [
        (subject, said)
        for subject, said in new.items()
        if subject not in standing or later(standing[subject], said) is said
    ]
    if replaced:
        await queries.put_standing(session, customer_id, replaced)
        await _announce(
            session,
            customer_id,
            [
                (subject, said)
                for subject, said in replaced
                if subject not in standing or standing[subject].state is not said.state
            ],
            now,
        )
    await record_action(
        session,
        actor,
        Action.CHANGED,
        "customer",
        customer_id,
        {f"consents.{purpose}.{channel}" for purpose, channel in new},
    )
    return {**standing, **dict(replaced)}


def _row(
    actor: Actor, customer_id: UUID, statement: ConsentStatement, now: datetime
) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "id": new_id(),
        **statement.model_dump(),
        "stated_at": statement.stated_at or now,
        "recorded_at": now,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
    }


async def _announce(
    session: AsyncSession,
    customer_id: UUID,
    changed: Sequence[tuple[Subject, Said]],
    now: datetime,
) -> None:
    """Tell others what changed, in one statement; nothing where the same was said again."""
    if not changed:
        return
    await session.execute(
        insert(OutboxEvent).values(
            [
                {
                    "id": new_id(),
                    "type": DomainEvent.CONSENT_CHANGED,
                    "occurred_at": now,
                    "customer_id": customer_id,
                    "subject_id": said.record_id,
                    "payload": {
                        "purpose": purpose.value,
                        "channel": channel.value,
                        "state": said.state.value,
                    },
                }
                for (purpose, channel), said in changed
            ]
        )
    )


async def _lock_card(session: AsyncSession, actor: Actor, customer_id: UUID) -> None:
    """Keep other writers of this card's consent out until the transaction ends."""
    card = await session.scalar(
        select(Customer)
        .where(col(Customer.id) == customer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if card is None:
        raise card_not_found()
    if card.merged_into_id is not None:
        raise card_merged(await surviving_id(session, customer_id))
    if card.status is CustomerStatus.ERASED:
        raise card_erased()
    check_store(actor, card.home_store_id)


async def _require_card(session: AsyncSession, customer_id: UUID) -> None:
    if (
        await session.scalar(select(col(Customer.id)).where(col(Customer.id) == customer_id))
        is None
    ):
        raise card_not_found()


def _in_future(given: Sequence[ConsentStatement], now: datetime) -> list[FieldError]:
    return [
        _future(f"/statements/{index}/stated_at")
        for index, statement in enumerate(given)
        if statement.stated_at is not None and statement.stated_at > now
    ]


def _future(pointer: str) -> FieldError:
    return FieldError(
        pointer, "in-the-future", "Nobody has said this yet.", "该时刻尚未到来，不可登记。"
    )
