"""Customer cards."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.queries.card_filters import CardFilters
from app.rules.access import Actor
from app.schemas.customers import (
    Card,
    CardChange,
    CustomerCreate,
    CustomerSort,
    CustomerUpdate,
    IdentityReference,
    NewIdentity,
    RegistrationDay,
    StatusFilter,
)
from app.services import customer_identities, customers
from app.vocabulary import CustomerGroup, CustomerKind, Permission, RfmSegment, TierLevel
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.web.parameters import CustomerId, FilterWords, IdentityId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_WRITE))]

# The convertor keeps other words under /v1/customers from being taken for a card's id.
CARD = "/{customer_id:uuid}"
READING = (*SIGNED_IN, "validation", "internal-error", "unavailable")
CREATING = (
    *SIGNED_IN, *ANY_REQUEST,
    "idempotency-key-required", "idempotency-in-progress", "idempotency-key-reused",
)  # fmt: skip
CHANGING = (
    *SIGNED_IN, "not-found", "invalid-transition", "card-merged", "precondition-failed",
    "validation", "precondition-required", "internal-error", "unavailable",
)  # fmt: skip


def _filters(
    status: Annotated[
        StatusFilter, Query(description="Archived cards only when asked.")
    ] = "active",
    kind: Annotated[CustomerKind | None, Query(description="People or organizations.")] = None,
    home_store_id: Annotated[UUID | None, Query(description="Cards of this shop.")] = None,
    owner_staff_id: Annotated[
        UUID | None, Query(description="Cards that this member of staff looks after.")
    ] = None,
    tier: Annotated[TierLevel | None, Query(description="The current tier.")] = None,
    segment: Annotated[
        RfmSegment | None, Query(description="The RFM segment, as of the last night.")
    ] = None,
    group: Annotated[
        CustomerGroup | None, Query(description="The group, as of the last night.")
    ] = None,
    registered_from: Annotated[
        RegistrationDay | None, Query(description="The first day that counts.")
    ] = None,
    registered_to: Annotated[
        RegistrationDay | None, Query(description="The last day that counts.")
    ] = None,
    tag: Annotated[
        FilterWords | None, Query(description="A tag; given more than once, all of them.")
    ] = None,
    interest: Annotated[
        FilterWords | None, Query(description="An interest; more than once, all of them.")
    ] = None,
    custom: Annotated[
        FilterWords | None,
        Query(
            description="A custom field's value as `code:value`, whole; of several choices any "
            "one. Given more than once, all of them."
        ),
    ] = None,
    completeness_below: Annotated[
        int | None, Query(ge=1, le=100, description="Cards that say too little.")
    ] = None,
) -> CardFilters:
    return CardFilters(
        status=status,
        kind=kind,
        home_store_id=home_store_id,
        owner_staff_id=owner_staff_id,
        tier=tier,
        segment=segment,
        group=group,
        registered_from=registered_from,
        registered_to=registered_to,
        tags=tuple(tag or ()),
        interests=tuple(interest or ()),
        custom=tuple(custom or ()),
        completeness_below=completeness_below,
    )


@router.post(
    "",
    status_code=201,
    summary="Create a card",
    responses=problems(*CREATING, "identity-taken", "possible-duplicate"),
    dependencies=[Idempotent],
)
async def create_customer(
    body: CustomerCreate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> Card:
    """Create a card with what finds it; purchases that waited for an identity are attached."""
    card = await customers.create_customer(session, actor, settings, body)
    _tell_where(response, card)
    return card


@router.get("", summary="List cards", responses=problems(*READING, "invalid-cursor"))
async def list_customers(
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    filters: Annotated[CardFilters, Depends(_filters)],
    sort: Annotated[CustomerSort, Query(description="`-` is descending.")] = "-created_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Card]:
    """Return cards page by page; cards with equal sort values follow in the order of their ids."""
    listing = filters.listing(sort)
    after = decode_cursor(settings, listing, cursor) if cursor else None
    listed = await customers.list_customers(session, filters, sort, after, limit)
    return Page(
        items=list(listed.cards),
        next_cursor=encode_cursor(settings, listing, listed.next_position)
        if listed.next_position
        else None,
    )


@router.post(
    "/lookup",
    summary="Find a card by an identity",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found"),
)
async def lookup_customer(
    body: IdentityReference,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> Card:
    """Return the card that has this identity; personal values never stand in an address."""
    card = await customer_identities.lookup_customer(session, settings, body)
    set_etag(response, card.version)
    return card


@router.get(CARD, summary="Read a card", responses=problems(*READING, "not-found"))
async def get_customer(
    customer_id: ReadCustomerId, _actor: Reader, session: SessionDep, response: Response
) -> Card:
    """Return a card with its current tier and its identities; a merged id leads to its survivor."""
    card = await customers.get_customer(session, customer_id)
    set_etag(response, card.version)
    return card


@router.patch(
    CARD,
    summary="Change a card",
    responses=problems(
        *CHANGING, "malformed-json", "too-large", "unsupported-media-type", "possible-duplicate"
    ),
)
async def update_customer(
    customer_id: CustomerId,
    body: CustomerUpdate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Change what is sent; null empties a field, and what stands already makes no new version."""
    seen = seen_version(if_match)
    card = await customers.update_customer(session, actor, settings, customer_id, seen, body)
    set_etag(response, card.version)
    return card


@router.post(f"{CARD}/archive", summary="Archive a card", responses=problems(*CHANGING))
async def archive_customer(
    customer_id: CustomerId,
    actor: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Put a card out of use; it is listed only when asked for, and cannot be changed."""
    card = await customers.archive_customer(session, actor, customer_id, seen_version(if_match))
    set_etag(response, card.version)
    return card


@router.post(f"{CARD}/restore", summary="Restore an archived card", responses=problems(*CHANGING))
async def restore_customer(
    customer_id: CustomerId,
    actor: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Put an archived card into use again."""
    card = await customers.restore_customer(session, actor, customer_id, seen_version(if_match))
    set_etag(response, card.version)
    return card


@router.post(
    f"{CARD}/identities",
    status_code=201,
    summary="Add an identity",
    responses=problems(
        *CREATING, "not-found", "identity-taken", "possible-duplicate", "invalid-transition",
        "card-merged",
        "precondition-failed", "precondition-required",
    ),
    dependencies=[Idempotent],
)  # fmt: skip
async def create_customer_identity(
    customer_id: CustomerId,
    body: NewIdentity,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Add what finds a card, and answer the card; purchases that waited for it are attached."""
    seen = seen_version(if_match)
    card = await customer_identities.add_identity(session, actor, settings, customer_id, seen, body)
    _tell_where(response, card)
    return card


@router.delete(
    f"{CARD}/identities/{{identity_id:uuid}}",
    summary="Remove an identity",
    responses=problems(*CHANGING),
)
async def delete_customer_identity(
    customer_id: CustomerId,
    identity_id: IdentityId,
    actor: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Take an identity off a card, and answer the card; another card can then have it."""
    seen = seen_version(if_match)
    card = await customer_identities.remove_identity(session, actor, customer_id, identity_id, seen)
    set_etag(response, card.version)
    return card


@router.get(
    f"{CARD}/changes",
    summary="Read a card's history",
    responses=problems(*READING, "not-found", "invalid-cursor"),
)
async def list_customer_changes(
    customer_id: CustomerId,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CardChange]:
    """Return who changed what, from what to what, newest first.

    Each card keeps a history of its own: that of a merged card ends with the merge.
    """
    listing = {"list": "customer-changes", "customer_id": customer_id}
    position = decode_cursor(settings, listing, cursor) if cursor else [None]
    changes, next_version = await customers.list_customer_changes(
        session, customer_id, position[0], limit
    )
    return Page(
        items=list(changes),
        next_cursor=encode_cursor(settings, listing, [next_version]) if next_version else None,
    )


def _tell_where(response: Response, card: Card) -> None:
    response.headers["Location"] = f"{router.prefix}/{card.id}"
    set_etag(response, card.version)
