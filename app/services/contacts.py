"""The people at an organization: each change is a version of its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.errors import ConflictError, FieldError, NotFoundError
from app.core.ids import new_id
from app.locale.masking import mask_email, mask_phone
from app.models import Customer, CustomerContact
from app.rules.access import Actor
from app.schemas.contacts import ContactChange, ContactCreate, ContactRead
from app.services.changes import not_acceptable, page_of
from app.services.completeness import refresh_completeness
from app.services.customer_changes import (
    card_not_found,
    check_active,
    get_for_change,
    write_change,
)
from app.services.identities import IdentityError, normalise
from app.vocabulary import CustomerKind, IdentityKind

MAXIMUM_CONTACTS: Final = 200
_REACHED_BY: Final[Mapping[str, IdentityKind]] = {
    "phone": IdentityKind.PHONE,
    "email": IdentityKind.EMAIL,
}
_FIELDS: Final = tuple(ContactCreate.model_fields)


@dataclass(frozen=True, slots=True)
class ContactOfCard:
    """A contact person, and the version that the card is in."""

    contact: ContactRead
    version: int


async def create_contact(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    seen: int,
    body: ContactCreate,
) -> ContactOfCard:
    """Add a person to an organization's card.

    Raises:
        NotFoundError, ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived, is a person's, or has as many people as it can have.
        InvalidInputError: there is no such phone number or e-mail address.
    """
    customer = await _organization(session, actor, customer_id, seen)
    values = _normalised({field: getattr(body, field) for field in _FIELDS}, settings)
    had = select(func.count()).where(col(CustomerContact.customer_id) == customer_id)
    if (await session.scalar(had) or 0) >= MAXIMUM_CONTACTS:
        raise ConflictError(
            f"A card has {MAXIMUM_CONTACTS} contact persons at most.",
            detail_zh=f"一张客户卡最多有 {MAXIMUM_CONTACTS} 位联系人。",
        )
    contact_id, now = new_id(), clock.now()
    contact = CustomerContact(
        customer_id=customer_id, id=contact_id, created_at=now, updated_at=now, **values
    )
    await _write(session, actor, customer, None, contact)
    await session.execute(insert(CustomerContact).values(contact.model_dump()))
    await refresh_completeness(session, settings, [customer_id])
    return ContactOfCard(_read(contact), seen + 1)


async def list_contacts(
    session: AsyncSession, customer_id: UUID, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[ContactRead], list[Any] | None, int]:
    """Return a page of the people at an organization, oldest first; and the card's version.

    A person's card has none.

    Raises:
        NotFoundError: no such card.
    """
    version = await _version_of(session, customer_id)
    wanted = (
        select(CustomerContact)
        .where(col(CustomerContact.customer_id) == customer_id)
        .order_by(col(CustomerContact.id))
        .limit(limit + 1)
        .execution_options(populate_existing=True)
    )
    if after is not None:
        wanted = wanted.where(col(CustomerContact.id) > UUID(after[0]))
    rows = (await session.scalars(wanted)).all()
    page, position = page_of(rows, limit, lambda row: [str(row.id)])
    return [_read(row) for row in page], position, version


async def get_contact(session: AsyncSession, customer_id: UUID, contact_id: UUID) -> ContactOfCard:
    """Return a contact person, and the version that the card is in.

    Raises:
        NotFoundError: no such card, or nobody of that id on it.
    """
    version = await _version_of(session, customer_id)
    return ContactOfCard(_read(await _find(session, customer_id, contact_id)), version)


async def change_contact(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    contact_id: UUID,
    seen: int,
    body: ContactChange,
) -> ContactOfCard:
    """Change what was sent; a change to what stands already makes no version.

    Raises:
        NotFoundError: no such card, or nobody of that id on it.
        ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived, or a person's.
        InvalidInputError: there is no such phone number or e-mail address.
    """
    customer = await _organization(session, actor, customer_id, seen)
    before = await _find(session, customer_id, contact_id)
    sent = _normalised(body.changes(), settings)
    changed = {field: value for field, value in sent.items() if getattr(before, field) != value}
    if not changed:
        return ContactOfCard(_read(before), seen)
    changed["updated_at"] = clock.now()
    after = CustomerContact(**{**before.model_dump(), **changed})
    await _write(session, actor, customer, before, after)
    await session.execute(
        update(CustomerContact)
        .where(*_key(customer_id, contact_id))
        .values(changed)
        .execution_options(synchronize_session=False)
    )
    return ContactOfCard(_read(after), seen + 1)


async def remove_contact(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    contact_id: UUID,
    seen: int,
) -> int:
    """Take a person off an organization's card; return the version that it is in then.

    Raises:
        NotFoundError: no such card, or nobody of that id on it.
        ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived, or a person's.
    """
    customer = await _organization(session, actor, customer_id, seen)
    before = await _find(session, customer_id, contact_id)
    await _write(session, actor, customer, before, None)
    await session.execute(
        delete(CustomerContact)
        .where(*_key(customer_id, contact_id))
        .execution_options(synchronize_session=False)
    )
    await refresh_completeness(session, settings, [customer_id])
    return seen + 1


def in_history(contact: CustomerContact) -> dict[str, Any]:
    """Return a contact person as they stand in a card's history."""
    return {"id": str(contact.id)} | {
        field: str(value) if field == "role" else value
        for field in _FIELDS
        if (value := getattr(contact, field)) is not None
    }


async def _write(
    session: AsyncSession,
    actor: Actor,
    customer: Customer,
    before: CustomerContact | None,
    after: CustomerContact | None,
) -> None:
    """Write the card's next version: its history has the one person who was changed."""
    was, becomes = (None if person is None else in_history(person) for person in (before, after))
    await write_change(session, actor, customer, {}, {"contacts": (was, becomes)}, at=clock.now())


async def _organization(
    session: AsyncSession, actor: Actor, customer_id: UUID, seen: int
) -> Customer:
    customer = await get_for_change(session, actor, customer_id, seen)
    check_active(customer)
    if customer.kind is not CustomerKind.ORGANIZATION:
        raise ConflictError(
            "Only cards of organizations have contact persons.",
            detail_zh="只有团体客户卡可以登记联系人。",
        )
    return customer


async def _version_of(session: AsyncSession, customer_id: UUID) -> int:
    version = await session.scalar(
        select(col(Customer.version)).where(col(Customer.id) == customer_id)
    )
    if version is None:
        raise card_not_found()
    return version


async def _find(session: AsyncSession, customer_id: UUID, contact_id: UUID) -> CustomerContact:
    found = await session.scalar(
        select(CustomerContact)
        .where(*_key(customer_id, contact_id))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFoundError(
            "The card has no such contact person.", detail_zh="该客户卡没有这位联系人。"
        )
    return found


def _key(customer_id: UUID, contact_id: UUID) -> tuple[Any, Any]:
    return (
        col(CustomerContact.customer_id) == customer_id,
        col(CustomerContact.id) == contact_id,
    )


def _normalised(values: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    normalised, found = dict(values), []
    for field, kind in _REACHED_BY.items():
        if values.get(field) is None:
            continue
        try:
            key = normalise(kind, None, values[field], settings.phone_region)
        except IdentityError as error:
            found.append(FieldError(f"/{field}", f"invalid-{field}", str(error), error.message_zh))
        else:
            normalised[field] = key.value
    if found:
        raise not_acceptable(found)
    return normalised


def _read(contact: CustomerContact) -> ContactRead:
    shown = {name: getattr(contact, name, None) for name in ContactRead.model_fields}
    phone = None if contact.phone is None else mask_phone(contact.phone)
    email = None if contact.email is None else mask_email(contact.email)
    masked = {"phone": phone, "email": email, "is_masked": (phone or email) is not None}
    return ContactRead.model_validate({**shown, **masked})
