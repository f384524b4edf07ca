"""Cards as they are read, and the statements that keep identities unique over the chain.

Identities are resolved first and the card is read second: two statements, never a join, since
the two need not lie on the same machine.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Select,
    Text,
    Uuid,
    and_,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection, settings_of
from app.locale.birthdays import next_birthday
from app.locale.masking import mask_identity, mask_within
from app.models import (
    Customer,
    CustomerChange,
    CustomerIdentity,
    Identity,
    TierAssignment,
)
from app.models.columns import INSTANT
from app.queries import completeness, custom_fields, survivors
from app.queries.card_filters import CardFilters, conditions_of
from app.schemas.card_parts import Birthday, Completeness, FamilyMember, TradingTerms
from app.schemas.common import LabelledCode
from app.schemas.customers import (
    Card,
    CardChange,
    CardIdentity,
    CustomerSort,
)
from app.vocabulary import (
    BirthdayCalendar,
    IdentityKind,
    TierLevel,
)

IdentityTriple = tuple[IdentityKind, str, str]
"""Kind, system and normalised value."""
Position = Sequence[Any]


_SORT_COLUMNS: Final[Mapping[str, tuple[Any, TypeEngine[Any]]]] = {
    "created_at": (col(Customer.created_at), INSTANT),
    "updated_at": (col(Customer.updated_at), INSTANT),
    "name": (col(Customer.name), Text()),
}


async def find_card(session: AsyncSession, customer_id: UUID) -> Card | None:
    """Return a card with its current tier and its identities, in three statements."""
    found = await whole_cards(session, cards().where(col(Customer.id) == customer_id))
    return found[0] if found else None


async def list_cards(
    session: AsyncSession,
    filters: CardFilters,
    sort: CustomerSort,
    after: Position | None,
    limit: int,
) -> list[Card]:
    """Return the cards that follow ``after`` (sort value, id), in three statements.

    Cards with equal sort values follow in the order of their ids.
    """
    (column, column_type), descending = _SORT_COLUMNS[sort.removeprefix("-")], sort.startswith("-")
    card_id = col(Customer.id)
    statement = (await _wanted(session, filters)).limit(limit)
    if descending:
        statement = statement.order_by(column.desc(), card_id.desc())
    else:
        statement = statement.order_by(column, card_id)
    if after is not None:
        place = tuple_(
            literal(_sort_value(sort, after[0]), column_type), literal(UUID(after[1]), Uuid())
        )
        here = tuple_(column, card_id)
        statement = statement.where(here < place if descending else here > place)
    return await whole_cards(session, statement)


async def count_cards(session: AsyncSession, filters: CardFilters, at_most: int) -> int:
    """Return how many cards there are, and look no further than ``at_most``."""
    rows = (await _wanted(session, filters)).with_only_columns(col(Customer.id)).limit(at_most)
    return await session.scalar(select(func.count()).select_from(rows.subquery())) or 0


async def _wanted(session: AsyncSession, filters: CardFilters) -> Select[Any, Any, Any]:
    return cards().where(
        *conditions_of(filters),
        *await custom_fields.conditions(session, filters.kind, filters.custom),
    )


def position_of(card: Card, sort: CustomerSort) -> Position:
    """Return the place of a card in a list that is so sorted, for a cursor."""
    value = getattr(card, sort.removeprefix("-"))
    return [value.isoformat() if isinstance(value, datetime) else value, str(card.id)]


def _sort_value(sort: CustomerSort, value: Any) -> Any:
    return value if sort.removeprefix("-") == "name" else datetime.fromisoformat(value)


def cards() -> Select[Customer, TierLevel, Sequence[bool]]:
    """Return the statement of all cards, for :func:`whole_cards`."""
    return (
        select(Customer, col(TierAssignment.level), completeness.presence())
        .outerjoin(
            TierAssignment,
            and_(
                col(TierAssignment.customer_id) == col(Customer.id),
                col(TierAssignment.valid_to).is_(None),
            ),
        )
        .execution_options(populate_existing=True)
    )


async def whole_cards(session: AsyncSession, statement: Select[Any, Any, Any]) -> list[Card]:
    """Return the cards that a statement of :func:`cards` finds, with all that belongs to each."""
    rows = (await session.execute(statement)).all()
    if not rows:
        return []
    found = await session.scalars(
        select(CustomerIdentity)
        .where(col(CustomerIdentity.customer_id).in_([customer.id for customer, *_ in rows]))
        .order_by(col(CustomerIdentity.customer_id), col(CustomerIdentity.id))
        .execution_options(populate_existing=True)
    )
    identities: dict[UUID, list[CardIdentity]] = {}
    for row in found:
        identities.setdefault(row.customer_id, []).append(card_identity(row))
    merged = await survivors.merged_into(
        await raw_connection(session), [customer.id for customer, *_ in rows]
    )
    settings = settings_of(session)
    today = clock.today(settings.zone)
    return [
        _card(
            customer,
            level,
            completeness.of(settings, customer.kind, present),
            identities.get(customer.id, []),
            merged.get(customer.id, []),
            today,
        )
        for customer, level, present in rows
    ]


def card_identity(row: CustomerIdentity) -> CardIdentity:
    """Return a stored identity as everybody may see it on the card."""
    shown = mask_identity(row.kind, row.value)
    return CardIdentity(
        id=row.id,
        kind=row.kind,
        system=row.system or None,
        value=shown,
        is_masked=shown != row.value,
        label=row.label,
        is_primary=row.is_primary,
    )


def stored_birthday(customer: Customer) -> dict[str, Any] | None:
    """Return a card's birthday from its columns, as histories and family members spell it."""
    if customer.birthday_calendar is None:
        return None
    return {
        "calendar": customer.birthday_calendar.value,
        "year": customer.birth_year,
        "month": customer.birth_month,
        "day": customer.birth_day,
        "is_leap_month": customer.birth_month_is_leap,
    }


def _birthday(stored: Mapping[str, Any] | None, today: date) -> Birthday | None:
    if stored is None:
        return None
    next_on = next_birthday(
        stored["month"],
        stored["day"],
        is_lunar=stored["calendar"] == BirthdayCalendar.LUNAR,
        is_leap_month=stored["is_leap_month"],
        on_or_after=today,
    )
    return Birthday(**stored, next_on=next_on, is_today=next_on == today)


def _relative(stored: Mapping[str, Any], today: date) -> FamilyMember:
    return FamilyMember(
        relation=stored["relation"],
        name=stored["name"],
        birthday=_birthday(stored["birthday"], today),
        note=stored["note"],
    )


def _card(
    customer: Customer,
    level: TierLevel | None,
    how_complete: Completeness,
    identities: list[CardIdentity],
    merged_ids: list[UUID],
    today: date,
) -> Card:
    return Card(
        id=customer.id,
        kind=customer.kind,
        status=customer.status,
        name=customer.name,
        tier=None if level is None else LabelledCode.of(level),
        gender=customer.gender,
        birthday=_birthday(stored_birthday(customer), today),
        marital_status=customer.marital_status,
        occupation=customer.occupation,
        employer=customer.employer,
        job_title=customer.job_title,
        industry=customer.industry,
        size_band=customer.size_band,
        region=customer.region,
        address=customer.address,
        origin=customer.origin,
        home_store_id=customer.home_store_id,
        owner_staff_id=customer.owner_staff_id,
        note=customer.note,
        registered_on=customer.registered_on,
        tags=customer.tags,
        interests=customer.interests,
        family=[_relative(member, today) for member in customer.family],
        terms=None if customer.terms is None else TradingTerms(**customer.terms),
        custom=customer.custom,
        completeness=how_complete,
        verified_on=customer.verified_on,
        verified_by_id=customer.verified_by_id,
        identities=identities,
        merged_ids=merged_ids,
        archived_at=customer.archived_at,
        version=customer.version,
        created_at=customer.created_at,
        updated_at=customer.updated_at,
    )


async def list_changes(
    session: AsyncSession, customer_id: UUID, before_version: int | None, limit: int
) -> list[CardChange]:
    """Return the changes of a card, newest first, from below a version on."""
    statement = (
        select(CustomerChange)
        .where(col(CustomerChange.customer_id) == customer_id)
        .order_by(col(CustomerChange.version).desc())
        .limit(limit)
    )
    if before_version is not None:
        statement = statement.where(col(CustomerChange.version) < before_version)
    return [CardChange.model_validate(_plain(row)) for row in await session.scalars(statement)]


def _plain(change: CustomerChange) -> dict[str, Any]:
    shown = {field: getattr(change, field) for field in CardChange.model_fields}
    return {**shown, "changes": mask_within(change.changes)}


async def changed_fields_since(session: AsyncSession, customer_id: UUID, version: int) -> list[str]:
    """Return the names of the fields that changed after a version, sorted."""
    names = await session.scalars(
        select(func.jsonb_object_keys(CustomerChange.changes))
        .where(
            col(CustomerChange.customer_id) == customer_id,
            col(CustomerChange.version) > version,
        )
        .distinct()
    )
    return sorted(names)


async def claim_identities(
    session: AsyncSession, customer_id: UUID, wanted: Sequence[IdentityTriple], at: datetime
) -> set[IdentityTriple]:
    """Make free and awaited identities the card's; return those that are now its own.

    What is not returned belongs to a card already. Rows are locked in their own order, so that
    two cards that claim the same values wait for each other rather than for ever.
    """
    statement = insert(Identity).values(
        [
            {
                "kind": kind,
                "system": system,
                "value": value,
                "customer_id": customer_id,
                "created_at": at,
            }
            for kind, system, value in sorted(wanted)
        ]
    )
    claimed = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "system", "value"],
            set_={"customer_id": statement.excluded.customer_id},
            where=col(Identity.customer_id).is_(None),
        ).returning(col(Identity.kind), col(Identity.system), col(Identity.value))
    )
    return {(kind, system, value) for kind, system, value in claimed}


async def holders_of(
    session: AsyncSession, wanted: Sequence[IdentityTriple]
) -> dict[IdentityTriple, UUID]:
    """Return which card each identity belongs to; those of no card are left out."""
    rows = await session.execute(
        select(Identity).where(
            tuple_(col(Identity.kind), col(Identity.system), col(Identity.value)).in_(list(wanted)),
            col(Identity.customer_id).is_not(None),
        )
    )
    return {
        (row.kind, row.system, row.value): row.customer_id
        for row in rows.scalars()
        if row.customer_id is not None
    }


async def replace_version(
    session: AsyncSession, customer_id: UUID, seen: int, values: Mapping[str, Any]
) -> bool:
    """Write a card's next version over the one that was seen; tell whether it still stood."""
    written = await session.scalar(
        update(Customer)
        .where(col(Customer.id) == customer_id, col(Customer.version) == seen)
        .values(version=seen + 1, **values)
        .returning(col(Customer.version))
        .execution_options(synchronize_session=False)
    )
    return written is not None
