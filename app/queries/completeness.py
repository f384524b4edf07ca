"""What cards say of what they should say, and the score that is kept on them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import (
    ColumnElement,
    Uuid,
    and_,
    any_,
    case,
    exists,
    false,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.config import Settings
from app.models import Customer, CustomerContact, CustomerIdentity
from app.rules.completeness import assess
from app.schemas.card_parts import Completeness, CompletenessPartRead
from app.vocabulary import CompletenessPart, CustomerKind, CustomerStatus, IdentityKind


def _has_identity(kind: IdentityKind) -> ColumnElement[bool]:
    return exists().where(
        col(CustomerIdentity.customer_id) == col(Customer.id), col(CustomerIdentity.kind) == kind
    )


_PRESENT: Final[Mapping[CompletenessPart, ColumnElement[bool]]] = {
    CompletenessPart.PHONE: _has_identity(IdentityKind.PHONE),
    CompletenessPart.EMAIL: _has_identity(IdentityKind.EMAIL),
    CompletenessPart.BIRTHDAY: col(Customer.birth_month).is_not(None),
    CompletenessPart.GENDER: col(Customer.gender).is_not(None),
    CompletenessPart.ADDRESS: col(Customer.address).is_not(None),
    CompletenessPart.REGION: col(Customer.region).is_not(None),
    CompletenessPart.OCCUPATION: col(Customer.occupation).is_not(None),
    CompletenessPart.INTERESTS: func.cardinality(Customer.interests) > 0,
    CompletenessPart.FAMILY: func.jsonb_array_length(Customer.family) > 0,
    CompletenessPart.HOME_STORE: col(Customer.home_store_id).is_not(None),
    CompletenessPart.CONTACT: exists().where(
        col(CustomerContact.customer_id) == col(Customer.id)
    ),
    CompletenessPart.INDUSTRY: col(Customer.industry).is_not(None),
    CompletenessPart.SIZE_BAND: col(Customer.size_band).is_not(None),
    CompletenessPart.TERMS: col(Customer.terms).is_not(None),
}  # fmt: skip


def presence() -> ColumnElement[Sequence[bool]]:
    """Return, for a card of a statement, which parts it says: in the order of the vocabulary."""
    parts: Any = [_PRESENT[part] for part in CompletenessPart]
    return postgresql.array(parts)


def of(settings: Settings, kind: CustomerKind, present: Sequence[bool]) -> Completeness:
    """Return how complete a card is that :func:`presence` was read of."""
    says = {part for part, is_there in zip(CompletenessPart, present, strict=True) if is_there}
    found = assess(settings.completeness_weights[kind], says)
    return Completeness(
        score=found.score,
        parts=[CompletenessPartRead.model_validate(part) for part in found.parts],
    )


def _score(
    settings: Settings, present: Mapping[CompletenessPart, ColumnElement[bool]] = _PRESENT
) -> ColumnElement[int]:
    """Return the score in SQL, for sets of cards; :func:`app.rules.completeness.assess` says it."""
    return case(
        (col(Customer.status) == CustomerStatus.ERASED, 0),
        *(
            (col(Customer.kind) == kind, _score_of(settings.completeness_weights[kind], present))
            for kind in CustomerKind
        ),
        else_=0,
    )


def _score_of(
    weights: Mapping[str, int], present: Mapping[CompletenessPart, ColumnElement[bool]]
) -> ColumnElement[Any]:
    total = sum(weights.values())
    there: ColumnElement[int] = literal(0)
    for part, weight in weights.items():
        if weight:
            there = there + case((present[CompletenessPart(part)], weight), else_=0)
    return (there * 200 + total) // (2 * total)


async def refresh(session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]) -> int:
    """Bring the scores of these cards to what they should be; return how many were not.

    The cards have to be the transaction's own, written or locked by it: else what another
    transaction adds to one meanwhile may be missed.
    """
    score = _score(settings)
    written = await session.execute(
        update(Customer)
        .where(_among(customer_ids), col(Customer.completeness) != score)
        .values(completeness=score)
        .returning(col(Customer.id))
        .execution_options(synchronize_session=False)
    )
    return len(written.all())


async def count_cards(session: AsyncSession, after: UUID, last: UUID) -> int:
    """Return how many cards there are behind ``after``, up to ``last``."""
    card = col(Customer.id)
    count = select(func.count()).where(card > after, card <= last)
    return await session.scalar(count) or 0


async def differing(
    session: AsyncSession, settings: Settings, after: UUID, last: UUID, limit: int
) -> Sequence[UUID]:
    """Return the first cards behind ``after``, up to ``last``, whose score is not right.

    What lies around the cards is read in their order, not card by card; nothing is locked.
    """

    def is_among(card: Any) -> ColumnElement[bool]:
        return and_(card > after, card <= last)

    owner = col(CustomerIdentity.customer_id)
    kinds = {
        CompletenessPart.PHONE: IdentityKind.PHONE,
        CompletenessPart.EMAIL: IdentityKind.EMAIL,
    }
    found_by = (
        select(
            owner,
            *(
                func.bool_or(col(CustomerIdentity.kind) == kind).label(str(part))
                for part, kind in kinds.items()
            ),
        )
        .where(is_among(owner))
        .group_by(owner)
        .subquery()
    )
    contact = col(CustomerContact.customer_id)
    spoken_for = select(contact).where(is_among(contact)).group_by(contact).subquery()
    present = {
        **_PRESENT,
        **{part: func.coalesce(found_by.c[str(part)], false()) for part in kinds},
        CompletenessPart.CONTACT: spoken_for.c.customer_id.is_not(None),
    }
    card = col(Customer.id)
    found = await session.scalars(
        select(card)
        .outerjoin(found_by, and_(found_by.c.customer_id == card, is_among(found_by.c.customer_id)))
        .outerjoin(spoken_for, spoken_for.c.customer_id == card)
        .where(is_among(card), col(Customer.completeness) != _score(settings, present))
        .order_by(card)
        .limit(limit)
    )
    return found.all()


async def lock_differing(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]
) -> Sequence[UUID]:
    """Lock and return those of these cards whose score is not what it should be."""
    found = await session.scalars(
        select(col(Customer.id))
        .where(_among(customer_ids), col(Customer.completeness) != _score(settings))
        .order_by(col(Customer.id))
        .with_for_update(key_share=True)
    )
    return found.all()


def _among(customer_ids: Sequence[UUID]) -> ColumnElement[bool]:
    return col(Customer.id) == any_(literal(list(customer_ids), sa.ARRAY(Uuid())))
