"""Identities of cards: claimed for one card of the chain, added, removed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import settings_of
from app.core.errors import (
    ConflictError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    RetryTransactionError,
)
from app.core.ids import new_id
from app.models import CustomerIdentity, Identity
from app.queries import customers as queries
from app.rules.access import Actor
from app.schemas.customers import (
    MAXIMUM_IDENTITIES,
    Card,
    IdentityInput,
    IdentityReference,
    NewIdentity,
)
from app.services import duplicates, search_keys
from app.services.attachment import attach_interactions, attach_purchases
from app.services.completeness import refresh_completeness
from app.services.customer_changes import (
    check_active,
    get_customer,
    get_for_change,
    write_change,
)
from app.services.identities import IdentityError, IdentityKey, normalise


def key_of(reference: IdentityReference, settings: Settings, pointer: str = "") -> IdentityKey:
    """Return the identity that a body names; ``pointer`` is where in the body it stands.

    Raises:
        InvalidInputError: no such identity can be, with a pointer to its system or value.
    """
    try:
        return normalise(reference.kind, reference.system, reference.value, settings.phone_region)
    except IdentityError as error:
        raise InvalidInputError(
            "The identity is not acceptable.",
            [
                FieldError(
                    f"{pointer}/{error.part}",
                    f"invalid-{reference.kind.value}",
                    str(error),
                    error.message_zh,
                )
            ],
            detail_zh="该身份标识无效。",
        ) from error


def rows_of(
    customer_id: UUID,
    inputs: Sequence[IdentityInput],
    settings: Settings,
    found: list[FieldError],
) -> list[CustomerIdentity]:
    """Return the identities of a new card; what is wrong with them is added to ``found``."""
    rows: list[CustomerIdentity] = []
    keys: set[IdentityKey] = set()
    primaries: set[str] = set()
    for index, given in enumerate(inputs):
        pointer = f"/identities/{index}"
        try:
            key = key_of(given, settings, pointer)
        except InvalidInputError as error:
            found.extend(error.errors)
            continue
        if key in keys:
            found.append(FieldError(f"{pointer}/value", "duplicate", "Given twice.", "重复给出。"))
        if given.is_primary and key.kind in primaries:
            found.append(
                FieldError(
                    f"{pointer}/is_primary",
                    "duplicate",
                    "One of each kind is primary.",
                    "每种身份只能有一个为首选。",
                )
            )
        keys.add(key)
        if given.is_primary:
            primaries.add(key.kind)
        rows.append(_row(customer_id, key, given))
    return rows


def _row(customer_id: UUID, key: IdentityKey, given: IdentityInput) -> CustomerIdentity:
    return CustomerIdentity(
        customer_id=customer_id,
        id=new_id(),
        kind=key.kind,
        system=key.system,
        value=key.value,
        label=given.label,
        is_primary=given.is_primary,
        added_at=clock.now(),
    )


def in_history(row: CustomerIdentity) -> dict[str, Any]:
    """Return an identity as it stands in a card's history."""
    return {
        "kind": row.kind.value,
        "system": row.system or None,
        "value": row.value,
        "label": row.label,
        "is_primary": row.is_primary,
    }


async def claim(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    rows: Sequence[CustomerIdentity],
    pointers: Sequence[str],
) -> None:
    """Make identities a stored card's own, over the whole chain, and attach what waited for them.

    ``pointers`` say for each row where in the body it stands.

    Raises:
        ConflictError: a card has one of them (409 ``identity-taken``), with the holder of the
            first and a pointer to each.
    """
    if not rows:
        return
    wanted = [IdentityKey(row.kind, row.system, row.value) for row in rows]
    triples = [(key.kind, key.system, key.value) for key in wanted]
    claimed = await queries.claim_identities(session, customer_id, triples, clock.now())
    taken = [triple for triple in triples if triple not in claimed]
    if taken:
        holders = await queries.holders_of(session, taken)
        if len(holders) < len(taken):
            # Its holder gave one up between the two statements; now it can be had.
            raise RetryTransactionError
        places = dict(zip(triples, pointers, strict=True))
        raise ConflictError(
            "Another card has this identity.",
            code="identity-taken",
            detail_zh="该身份标识已属于另一张客户卡。",
            members={"customer_id": str(holders[taken[0]])},
            errors=[
                FieldError(
                    places[triple],
                    "identity-taken",
                    "A card has this identity.",
                    "该身份标识已属于另一张客户卡。",
                )
                for triple in taken
            ],
        )
    await session.execute(
        insert(CustomerIdentity),
        [
            {
                "customer_id": customer_id,
                "id": row.id,
                "kind": row.kind,
                "system": row.system,
                "value": row.value,
                "label": row.label,
                "is_primary": row.is_primary,
                "added_at": row.added_at,
            }
            for row in rows
        ],
    )
    await attach_purchases(session, actor, settings, customer_id, wanted)
    await attach_interactions(session, actor, settings, customer_id, wanted)


async def lookup_customer(
    session: AsyncSession, settings: Settings, reference: IdentityReference
) -> Card:
    """Return the card that an identity finds, archived ones included.

    Raises:
        InvalidInputError: no such identity can be.
        NotFoundError: no card has it.
    """
    key = key_of(reference, settings)
    triple = (key.kind, key.system, key.value)
    holders = await queries.holders_of(session, [triple])
    card = None
    if triple in holders:
        card = await queries.find_card(session, holders[triple])
    if card is None:
        raise NotFoundError("No card has this identity.", detail_zh="没有客户卡具有该身份。")
    return card


async def add_identity(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    seen: int,
    given: NewIdentity,
) -> Card:
    """Add an identity to a card; a new primary one takes the place of the other of its kind.

    Raises:
        NotFoundError, ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived, a card has the identity already, or another card looks
            like it now (409 ``possible-duplicate``).
        InvalidInputError: no such identity can be, or the card has as many as it may.
    """
    customer = await get_for_change(session, actor, customer_id, seen)
    check_active(customer)
    row = _row(customer_id, key_of(given, settings), given)
    before = await _identities_of(session, customer_id)
    if len(before) >= MAXIMUM_IDENTITIES:
        raise InvalidInputError(
            "The card has as many identities as a card may have.",
            [
                FieldError(
                    "",
                    "too-many",
                    f"A card has {MAXIMUM_IDENTITIES} identities at most.",
                    f"一张客户卡最多有 {MAXIMUM_IDENTITIES} 个身份。",
                )
            ],
            detail_zh="该客户卡的身份数量已达上限。",
        )
    was = [in_history(other) for other in before]
    demoted = [
        other
        for other in before
        if given.is_primary and other.is_primary and other.kind is row.kind
    ]
    becomes = [
        {**in_history(other), "is_primary": other.is_primary and other not in demoted}
        for other in before
    ]
    becomes.append(in_history(row))
    await write_change(session, actor, customer, {}, {"identities": (was, becomes)}, at=clock.now())
    if demoted:
        await session.execute(
            update(CustomerIdentity)
            .where(
                col(CustomerIdentity.customer_id) == customer_id,
                col(CustomerIdentity.id).in_([other.id for other in demoted]),
            )
            .values(is_primary=False)
        )
    await claim(session, actor, settings, customer_id, [row], ["/value"])
    await refresh_completeness(session, settings, [customer_id])
    await search_keys.reindex(session, customer_id)
    await duplicates.check_card(session, customer_id, allow=given.allow_duplicate)
    return await get_customer(session, customer_id)


async def remove_identity(
    session: AsyncSession, actor: Actor, customer_id: UUID, identity_id: UUID, seen: int
) -> Card:
    """Take an identity off a card; another card can have it then. Purchases stay.

    Raises:
        NotFoundError: no such card, or the card has no such identity.
        ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived.
    """
    customer = await get_for_change(session, actor, customer_id, seen)
    check_active(customer)
    before = await _identities_of(session, customer_id)
    gone = next((row for row in before if row.id == identity_id), None)
    if gone is None:
        raise NotFoundError("The card has no such identity.", detail_zh="该客户卡没有此身份。")
    was = [in_history(row) for row in before]
    becomes = [in_history(row) for row in before if row is not gone]
    await write_change(session, actor, customer, {}, {"identities": (was, becomes)}, at=clock.now())
    await session.execute(
        delete(CustomerIdentity).where(
            col(CustomerIdentity.customer_id) == customer_id,
            col(CustomerIdentity.id) == identity_id,
        )
    )
    await session.execute(
        delete(Identity).where(
            col(Identity.kind) == gone.kind,
            col(Identity.system) == gone.system,
            col(Identity.value) == gone.value,
            col(Identity.customer_id) == customer_id,
        )
    )
    await refresh_completeness(session, settings_of(session), [customer_id])
    await search_keys.reindex(session, customer_id)
    return await get_customer(session, customer_id)


async def _identities_of(session: AsyncSession, customer_id: UUID) -> list[CustomerIdentity]:
    rows = await session.scalars(
        select(CustomerIdentity)
        .where(col(CustomerIdentity.customer_id) == customer_id)
        .order_by(col(CustomerIdentity.id))
        .execution_options(populate_existing=True)
    )
    return list(rows)
