"""Masked values shown in full, with a reason."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.disclosures import Disclosed, DisclosureRead, DisclosureRequest
from app.services import disclosures
from app.vocabulary import Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId
from app.web.route import HuikeRoute

router = APIRouter(
    prefix="/v1/customers/{customer_id:uuid}/disclosures",
    tags=["privacy"],
    route_class=HuikeRoute,
)


@router.post(
    "",
    summary="See masked values in full",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found", "card-merged"),
)
async def create_disclosure(
    customer_id: CustomerId,
    body: DisclosureRequest,
    actor: Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_UNMASK))],
    session: SessionDep,
    response: Response,
) -> Disclosed:
    """Return phones, e-mail addresses and WeChat ids whole; who asked and why is written down.

    It takes no Idempotency-Key: a kept answer would keep the values, and asking again is a second
    disclosure. Who is bound to stores sees cards of these, and cards without a home store.
    """
    response.headers["Cache-Control"] = "no-store"
    return await disclosures.disclose(session, actor, customer_id, body)


@router.get(
    "",
    summary="List who saw a card's values in full",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_disclosures(
    customer_id: CustomerId,
    _actor: Annotated[Actor, Depends(Allow(Permission.PRIVACY_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DisclosureRead]:
    """Return who saw what of a card and why, newest first; of an erased one without the reasons."""
    listing = {"list": "disclosures", "customer_id": customer_id}
    page, position = await disclosures.list_disclosures(
        session, customer_id, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))
