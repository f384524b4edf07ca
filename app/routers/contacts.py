"""The people at an organization."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.contacts import ContactChange, ContactCreate, ContactRead
from app.services import contacts
from app.vocabulary import Permission
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import ContactId, CustomerId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(
    prefix="/v1/customers/{customer_id:uuid}/contacts",
    tags=["customers"],
    route_class=HuikeRoute,
)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_WRITE))]
OF_CARDS = ("card-erased", "conflict", "invalid-transition", "card-merged")


@router.post(
    "",
    status_code=201,
    summary="Add a contact person",
    responses=problems(
        *ON_CREATING, *OF_CARDS, "not-found", "precondition-failed", "precondition-required"
    ),
    dependencies=[Idempotent],
)
async def create_customer_contact(
    customer_id: CustomerId,
    body: ContactCreate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> ContactRead:
    """Add a person to an organization's card; `If-Match` and `ETag` are the card's."""
    seen = seen_version(if_match)
    made = await contacts.create_contact(session, actor, settings, customer_id, seen, body)
    location = f"/v1/customers/{customer_id}/contacts/{made.contact.id}"
    set_created(response, location, made.version)
    return made.contact


@router.get("", summary="List contact persons", responses=problems(*ON_LISTING, "not-found"))
async def list_customer_contacts(
    customer_id: ReadCustomerId,
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ContactRead]:
    """List the people at an organization, the first known first; `ETag` is the card's."""
    listing = {"list": "contacts", "customer_id": customer_id}
    page, position, version = await contacts.list_contacts(
        session, customer_id, limit=limit, after=position_after(settings, listing, cursor)
    )
    set_etag(response, version)
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get("/{contact_id:uuid}", summary="Read a contact person", responses=problems(*ON_READING))
async def get_customer_contact(
    customer_id: ReadCustomerId,
    contact_id: ContactId,
    _: Reader,
    session: SessionDep,
    response: Response,
) -> ContactRead:
    """Return a person at an organization; `ETag` is the card's, and needed to change them."""
    found = await contacts.get_contact(session, customer_id, contact_id)
    set_etag(response, found.version)
    return found.contact


@router.patch(
    "/{contact_id:uuid}",
    summary="Change a contact person",
    responses=problems(*ON_CHANGING, *OF_CARDS),
)
async def update_customer_contact(
    customer_id: CustomerId,
    contact_id: ContactId,
    body: ContactChange,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> ContactRead:
    """Change what the body names; `If-Match` and `ETag` are the card's."""
    seen = seen_version(if_match)
    changed = await contacts.change_contact(
        session, actor, settings, customer_id, contact_id, seen, body
    )
    set_etag(response, changed.version)
    return changed.contact


@router.delete(
    "/{contact_id:uuid}",
    status_code=204,
    summary="Remove a contact person",
    responses=problems(
        *SIGNED_IN, *OF_CARDS, "not-found", "precondition-failed", "validation",
        "precondition-required", "internal-error", "unavailable",
    ),
)  # fmt: skip
async def delete_customer_contact(
    customer_id: CustomerId,
    contact_id: ContactId,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> None:
    """Take a person off an organization's card; `If-Match` and `ETag` are the card's."""
    seen = seen_version(if_match)
    version = await contacts.remove_contact(session, actor, settings, customer_id, contact_id, seen)
    set_etag(response, version)
