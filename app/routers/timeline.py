"""A card's timeline."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.schemas.timeline import TimelinePage
from app.services import timeline
from app.vocabulary import Permission, TimelineKind
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["timeline"], route_class=HuikeRoute)


@router.get(
    "/{customer_id:uuid}/timeline",
    summary="A customer's timeline",
    responses=problems(*ON_LISTING, "not-found", "card-erased"),
)
async def list_timeline(
    customer_id: ReadCustomerId,
    actor: Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))],
    session: SessionDep,
    settings: SettingsDep,
    kind: Annotated[
        list[TimelineKind] | None,
        Query(description="Only these kinds; may be given several times."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TimelinePage:
    """Return what happened with a customer, newest first: everything that the caller may read.

    A kind that is asked for and may not be read is refused. Kinds will be added: take no notice of
    those you don't know.
    """
    kinds = sorted(set(kind or ()))
    listing = {"list": "timeline", "customer": customer_id, "kinds": kinds, "actor": actor.id}
    entries, position = await timeline.list_timeline(
        session,
        actor,
        customer_id,
        kinds,
        after=position_after(settings, listing, cursor),
        limit=limit,
    )
    return TimelinePage.model_validate(
        {"items": entries, "next_cursor": next_cursor(settings, listing, position)}
    )
