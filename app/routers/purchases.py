"""What a customer bought."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from app.rules.access import Actor
from app.schemas.purchases import (
    CustomerStatistics,
    PurchaseLineRead,
    PurchaseRead,
    PurchaseWithLines,
)
from app.services import purchases
from app.vocabulary import Permission
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.web.parameters import PurchaseId
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["purchases"], route_class=HuikeRoute)
Reader = Annotated[Actor, Depends(Allow(Permission.PURCHASES_READ))]
_READ = (*SIGNED_IN, "not-found", "validation", "internal-error", "unavailable")


@router.get(
    "/{customer_id}/purchases",
    summary="A customer's receipts",
    responses=problems(*_READ, "invalid-cursor"),
)
async def list_customer_purchases(
    customer_id: ReadCustomerId,
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PurchaseRead]:
    """Return the receipts of a card, sales and refunds, newest first."""
    listing = {"list": "purchases", "customer": customer_id}
    position = decode_cursor(settings, listing, cursor) if cursor else None
    after = (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None
    found = await purchases.list_purchases(session, customer_id, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[PurchaseRead.model_validate(item) for item in found[:limit]],
        next_cursor=None
        if last is None
        else encode_cursor(settings, listing, (last.occurred_at, last.id)),
    )


@router.get(
    "/{customer_id}/purchases/{purchase_id}",
    summary="One receipt with its lines",
    responses=problems(*_READ),
)
async def get_customer_purchase(
    customer_id: ReadCustomerId, purchase_id: PurchaseId, actor: Reader, session: SessionDep
) -> PurchaseWithLines:
    """Return a receipt of a card with its lines."""
    purchase, lines = await purchases.get_purchase(session, customer_id, purchase_id)
    return PurchaseWithLines(
        **PurchaseRead.model_validate(purchase).model_dump(),
        lines=[PurchaseLineRead.model_validate(line) for line in lines],
    )


@router.get(
    "/{customer_id}/statistics",
    summary="A customer's derived numbers",
    responses=problems(*_READ),
)
async def get_customer_statistics(
    customer_id: ReadCustomerId, actor: Reader, session: SessionDep
) -> CustomerStatistics:
    """Return counts and amounts of all time and of the rolling window, and the cost to serve."""
    stats = await purchases.get_statistics(session, customer_id)
    service = await purchases.get_service_statistics(session, customer_id)
    return CustomerStatistics.model_validate(
        stats.model_dump(exclude={"customer_id", "window_changes_on"})
        | {"service": service.model_dump(exclude={"customer_id", "window_changes_on"})}
    )
