"""Whether cards are still true."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.queries.verification import DueFilters
from app.rules.access import Actor
from app.schemas.customers import Card
from app.services import verification
from app.vocabulary import Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=HuikeRoute)


@router.post(
    "/{customer_id:uuid}/verifications",
    summary="Verify a card",
    responses=problems(
        *SIGNED_IN, "not-found", "card-erased", "invalid-transition", "card-merged",
        "precondition-failed", "validation", "precondition-required", "internal-error",
        "unavailable",
    ),
)  # fmt: skip
async def verify_customer(
    customer_id: CustomerId,
    actor: Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> Card:
    """Note that somebody made sure today that the card is true, as it stands in this version.

    Nothing else verifies a card: a changed phone is one thing that is known, not all of them.
    """
    seen = seen_version(if_match)
    card = await verification.verify_customer(session, actor, settings, customer_id, seen)
    set_etag(response, card.version)
    return card


@router.get(
    "/due-for-verification",
    summary="List cards that are due for verification",
    responses=problems(*ON_LISTING),
)
async def list_customers_due_for_verification(
    _actor: Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))],
    session: SessionDep,
    settings: SettingsDep,
    home_store_id: Annotated[UUID | None, Query(description="Cards of this shop.")] = None,
    owner_staff_id: Annotated[
        UUID | None, Query(description="Cards that this member of staff looks after.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Card]:
    """Return cards that nobody verified for a time that is set: never verified ones first."""
    filters = DueFilters(home_store_id, owner_staff_id)
    page, position = await verification.list_due_for_verification(
        session,
        settings,
        filters,
        limit=limit,
        after=position_after(settings, filters.listing(), cursor),
    )
    return Page(items=page, next_cursor=next_cursor(settings, filters.listing(), position))
