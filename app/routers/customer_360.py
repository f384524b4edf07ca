"""The 360° view of a customer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.customer_360 import Customer360
from app.services import customer_360
from app.vocabulary import Permission
from app.web.answers import ON_READING
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.preconditions import set_etag
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["timeline"], route_class=HuikeRoute)


@router.get(
    "/{customer_id:uuid}/overview",
    summary="The 360° view of a customer",
    responses=problems(*ON_READING, "card-erased"),
)
async def get_customer_360(
    customer_id: ReadCustomerId,
    actor: Annotated[Actor, Depends(Allow(Permission.PURCHASES_READ))],
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> Customer360:
    """Return card, tier and why, value, last receipts and contacts, consent: in one answer.

    Needs `customers:read`, `interactions:read` and `tiers:read` as well. Members will be added.
    The ETag is the card's.
    """
    view = await customer_360.get_customer_360(session, actor, settings, customer_id)
    set_etag(response, view.card.version)
    return view
