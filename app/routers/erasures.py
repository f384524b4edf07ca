"""Erasures of persons: asked for, deferred, done."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.erasures import ErasureRead
from app.services import erasures
from app.vocabulary import ErasureStatus, Permission
from app.web.answers import (
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId, ErasureId
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1", tags=["privacy"], route_class=HuikeRoute)
Guardian = Annotated[Actor, Depends(Allow(Permission.PRIVACY_WRITE))]
OF_CARD = "/customers/{customer_id:uuid}/erasures"
ONE = f"{OF_CARD}/{{erasure_id:uuid}}"


@router.post(
    OF_CARD,
    status_code=201,
    summary="Erase a person",
    responses=problems(*ON_CREATING, "not-found", "card-merged", "invalid-transition"),
    dependencies=[Idempotent],
)
async def create_erasure(
    customer_id: CustomerId,
    actor: Guardian,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> ErasureRead:
    """Erase what is personal of a card and of all cards merged into it; there is no way back.

    Figures, receipts and ids stay, so that totals go on adding up; the card answers 410 from then
    on, and its identities can go to another card. Where something still needs the data the erasure
    is `deferred`: the answer says why and until when, and the night carries it out.
    """
    made = await erasures.request_erasure(session, actor, settings, customer_id)
    set_created(response, f"/v1/customers/{customer_id}/erasures/{made.id}")
    return made


@router.get(
    OF_CARD, summary="List the erasures of a card", responses=problems(*ON_LISTING, "not-found")
)
async def list_erasures_of_customer(
    customer_id: CustomerId,
    _actor: Guardian,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ErasureRead]:
    """Return what was asked for and what became of it, newest first; of an erased card too."""
    listing = {"list": "erasures", "customer_id": customer_id}
    page, position = await erasures.list_erasures(
        session,
        customer_id=customer_id,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get(ONE, summary="Read an erasure", responses=problems(*ON_READING))
async def get_erasure(
    customer_id: CustomerId, erasure_id: ErasureId, _actor: Guardian, session: SessionDep
) -> ErasureRead:
    """Return an erasure: done, cancelled, or deferred and why."""
    return await erasures.get_erasure(session, customer_id, erasure_id)


@router.post(
    f"{ONE}/cancel",
    summary="Cancel a deferred erasure",
    responses=problems(*ON_READING, "invalid-transition"),
)
async def cancel_erasure(
    customer_id: CustomerId, erasure_id: ErasureId, actor: Guardian, session: SessionDep
) -> ErasureRead:
    """Take back what was not carried out yet: the person changed their mind."""
    return await erasures.cancel_erasure(session, actor, customer_id, erasure_id)


@router.get("/erasures", summary="List erasures", responses=problems(*ON_LISTING))
async def list_erasures(
    _actor: Guardian,
    session: SessionDep,
    settings: SettingsDep,
    status: Annotated[
        ErasureStatus | None, Query(description="For example those that are `deferred`.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ErasureRead]:
    """Return the erasures of the whole chain, newest first."""
    listing = {"list": "erasures", "status": status}
    page, position = await erasures.list_erasures(
        session, status=status, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))
