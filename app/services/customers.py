"""Customer cards: created, read, changed, archived, restored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.errors import ConflictError, FieldError
from app.core.ids import new_id
from app.locale.birthdays import lunar_day_is_after
from app.models import Customer, Staff, Store
from app.queries import customers as queries
from app.queries.card_filters import CardFilters
from app.queries.customers import Position
from app.rules.access import Actor
from app.schemas.card_parts import BirthdayInput, as_stored
from app.schemas.customers import (
    Card,
    CardChange,
    CustomerCreate,
    CustomerSort,
    CustomerUpdate,
)
from app.services import (
    completeness,
    custom_values,
    customer_identities,
    duplicates,
    search_keys,
    tier_moves,
)
from app.services.changes import not_acceptable
from app.services.customer_changes import (
    Changes,
    check_active,
    check_store,
    get_for_change,
    write_change,
    write_history,
)
from app.services.customer_changes import get_customer as get_customer
from app.services.survivors import surviving_id
from app.vocabulary import (
    Action,
    BirthdayCalendar,
    Code,
    CustomerKind,
    CustomerStatus,
    DomainEvent,
)

FOREIGN_FIELDS: Final[Mapping[CustomerKind, frozenset[str]]] = {
    CustomerKind.INDIVIDUAL: frozenset({"industry", "size_band", "terms"}),
    CustomerKind.ORGANIZATION: frozenset(
        {"gender", "birthday", "marital_status", "occupation", "employer", "job_title", "family"}
    ),
}
"""What a card of the kind cannot say."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, and the place of its last item if more follows."""

    cards: Sequence[Card]
    next_position: Position | None


async def create_customer(
    session: AsyncSession, actor: Actor, settings: Settings, given: CustomerCreate
) -> Card:
    """Write a card with its identities, its first tier, and what waited for it.

    Raises:
        ForbiddenError: its home store is not among the actor's.
        InvalidInputError: values that contradict each other, lie in the future, or name nothing.
        ConflictError: a card has one of its identities (409 ``identity-taken``), or looks like it
            (409 ``possible-duplicate``).
    """
    check_store(actor, given.home_store_id)
    customer_id, now = new_id(), clock.now()
    values = {field: getattr(given, field) for field in CustomerCreate.model_fields}
    values["registered_on"] = given.registered_on or clock.today(settings.zone)
    del values["identities"], values["kind"], values["allow_duplicate"]
    found = await _problems_of(session, settings, given.kind, values)
    values["custom"] = await custom_values.checked(session, given.kind, given.custom, found)
    rows = customer_identities.rows_of(customer_id, given.identities, settings, found)
    if found:
        raise not_acceptable(found)
    await session.execute(
        insert(Customer).values(
            id=customer_id,
            kind=given.kind,
            status=CustomerStatus.ACTIVE,
            version=1,
            created_at=now,
            updated_at=now,
            **_columns(values),
        )
    )
    changes: dict[str, tuple[Any, Any]] = {
        field: (None, _json(value))
        for field, value in {"kind": given.kind, **values}.items()
        if _says(value)
    }
    if rows:
        changes["identities"] = ([], [customer_identities.in_history(row) for row in rows])
    await write_history(
        session,
        actor,
        customer_id,
        1,
        changes,
        at=now,
        action=Action.CREATED,
        event=DomainEvent.CUSTOMER_CREATED,
    )
    await tier_moves.assign_initial(session, settings, customer_id, given.kind)
    pointers = [f"/identities/{index}/value" for index in range(len(rows))]
    await customer_identities.claim(session, actor, settings, customer_id, rows, pointers)
    await completeness.refresh_completeness(session, settings, [customer_id])
    await search_keys.reindex(session, customer_id)
    await duplicates.check_card(session, customer_id, allow=given.allow_duplicate)
    return await get_customer(session, customer_id)


async def list_customers(
    session: AsyncSession,
    filters: CardFilters,
    sort: CustomerSort,
    after: Position | None,
    limit: int,
) -> Listed:
    """Return at most ``limit`` cards after a place in the list."""
    cards = await queries.list_cards(session, filters, sort, after, limit + 1)
    page = cards[:limit]
    return Listed(page, queries.position_of(page[-1], sort) if len(cards) > limit else None)


async def list_customer_changes(
    session: AsyncSession, customer_id: UUID, before_version: int | None, limit: int
) -> tuple[Sequence[CardChange], int | None]:
    """Return at most ``limit`` changes below a version, newest first, and where the next begin.

    Raises:
        NotFoundError: no such card.
        GoneError: the person's data were erased.
    """
    await surviving_id(session, customer_id)
    found = await queries.list_changes(session, customer_id, before_version, limit + 1)
    if not found:
        # A card has a first change for ever: there is none, or its history was read to the end.
        await get_customer(session, customer_id)
    page = found[:limit]
    return page, page[-1].version if len(found) > limit else None


async def update_customer(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    seen: int,
    given: CustomerUpdate,
) -> Card:
    """Change what was sent; a change to what stands already makes no version.

    Raises:
        NotFoundError: no such card.
        ForbiddenError: its home store, or the one it shall move to, is not among the actor's.
        PreconditionFailedError: it is in another version than ``seen``.
        ConflictError: it is archived, or looks like another one now (409 ``possible-duplicate``).
        InvalidInputError: values that contradict the card, lie in the future, or name nothing.
    """
    customer = await get_for_change(session, actor, customer_id, seen)
    check_active(customer)
    sent = given.changes()
    found: list[FieldError] = []
    if "custom" in sent:
        sent["custom"] = await custom_values.checked(
            session, customer.kind, sent["custom"], found, stands=customer.custom
        )
    changed = {
        field: value for field, value in sent.items() if _json(value) != _stands(customer, field)
    }
    if changed or found:
        if "home_store_id" in changed:
            check_store(actor, changed["home_store_id"])
        found.extend(await _problems_of(session, settings, customer.kind, changed))
        if found:
            raise not_acceptable(found)
        changes: Changes = {
            field: (_stands(customer, field), _json(value)) for field, value in changed.items()
        }
        await write_change(session, actor, customer, _columns(changed), changes, at=clock.now())
        await completeness.refresh_completeness(session, settings, [customer_id])
        if search_keys.DEPENDS_ON & changed.keys():
            await search_keys.reindex(session, customer_id)
        if duplicates.COMPARED_FIELDS & changed.keys():
            await duplicates.check_card(session, customer_id, allow=given.allow_duplicate)
    return await get_customer(session, customer_id)


async def archive_customer(
    session: AsyncSession, actor: Actor, customer_id: UUID, seen: int
) -> Card:
    """Put a card out of use; it can be read, and found by its identities, as before.

    Raises:
        NotFoundError, ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: it is archived already.
    """
    return await _move_to(session, actor, customer_id, seen, CustomerStatus.ARCHIVED)


async def restore_customer(
    session: AsyncSession, actor: Actor, customer_id: UUID, seen: int
) -> Card:
    """Put an archived card into use again.

    Raises:
        NotFoundError, ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: it is not archived.
    """
    return await _move_to(session, actor, customer_id, seen, CustomerStatus.ACTIVE)


async def _move_to(
    session: AsyncSession, actor: Actor, customer_id: UUID, seen: int, status: CustomerStatus
) -> Card:
    customer = await get_for_change(session, actor, customer_id, seen)
    if customer.status is status:
        raise ConflictError(
            f"The card is {status} already.",
            code="invalid-transition",
            detail_zh=f"该客户卡的状态已是“{status.label.zh}”。",
        )
    now, archives = clock.now(), status is CustomerStatus.ARCHIVED
    await write_change(
        session,
        actor,
        customer,
        {"status": status, "archived_at": now if archives else None},
        {"status": (customer.status.value, status.value)},
        at=now,
        action=Action.ARCHIVED if archives else Action.RESTORED,
        event=DomainEvent.CUSTOMER_ARCHIVED if archives else DomainEvent.CUSTOMER_RESTORED,
    )
    await search_keys.reindex(session, customer_id)
    return await get_customer(session, customer_id)


async def _problems_of(
    session: AsyncSession, settings: Settings, kind: CustomerKind, values: Mapping[str, Any]
) -> list[FieldError]:
    given = {field: value for field, value in values.items() if _says(value)}
    found = [
        FieldError(
            f"/{field}",
            "not-for-this-kind",
            f"A card of the kind {kind} has no {field}.",
            f"{kind.label.zh}卡没有 {field} 字段。",
        )
        for field in sorted(FOREIGN_FIELDS[kind] & given.keys())
    ]
    today = clock.today(settings.zone)
    births = {"/birthday": given.get("birthday")} | {
        f"/family/{index}/birthday": member.birthday
        for index, member in enumerate(given.get("family", ()))
    }
    found.extend(
        FieldError(pointer, "in-the-future", "Nobody is born in the future.", "生日不可在未来。")
        for pointer, birthday in births.items()
        if birthday is not None and _is_after(birthday, today)
    )
    if "registered_on" in given and given["registered_on"] > today:
        found.append(
            FieldError(
                "/registered_on", "in-the-future", "This day is yet to come.", "这一天尚未到来。"
            )
        )
    if "home_store_id" in given:
        store = select(col(Store.id)).where(col(Store.id) == given["home_store_id"])
        if await session.scalar(store) is None:
            found.append(
                FieldError("/home_store_id", "unknown", "There is no such store.", "没有这家门店。")
            )
    if "owner_staff_id" in given:
        owner = select(col(Staff.id)).where(
            col(Staff.id) == given["owner_staff_id"], col(Staff.disabled_at).is_(None)
        )
        if await session.scalar(owner) is None:
            found.append(
                FieldError(
                    "/owner_staff_id",
                    "unknown",
                    "There is no such active account.",
                    "没有这个有效的员工账号。",
                )
            )
    return found


def _is_after(birthday: BirthdayInput, today: date) -> bool:
    if birthday.year is None:
        return False
    if birthday.calendar is BirthdayCalendar.SOLAR:
        return date(birthday.year, birthday.month, birthday.day) > today
    return lunar_day_is_after(
        birthday.year, birthday.month, birthday.day, today, is_leap_month=birthday.is_leap_month
    )


def _says(value: Any) -> bool:
    """Tell whether a value says something: not null, no empty list."""
    return value is not None and value not in ([], {})


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = dict(values)
    for field in {"family", "terms"} & columns.keys():
        columns[field] = as_stored(columns[field])
    if "birthday" in columns:
        birthday: BirthdayInput | None = columns.pop("birthday")
        columns |= {
            "birthday_calendar": birthday.calendar if birthday else None,
            "birth_year": birthday.year if birthday else None,
            "birth_month": birthday.month if birthday else None,
            "birth_day": birthday.day if birthday else None,
            "birth_month_is_leap": birthday.is_leap_month if birthday else False,
        }
    return columns


def _stands(customer: Customer, field: str) -> Any:
    if field == "birthday":
        return queries.stored_birthday(customer)
    return _json(getattr(customer, field))


def _json(value: Any) -> Any:
    if isinstance(value, Code):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return as_stored(value)
