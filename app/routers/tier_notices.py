"""Who is about to lose a level, and who did."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.queries.tier_notices import NoticeFilters
from app.rules.access import Actor
from app.schemas.common import Day
from app.schemas.tier_notices import TierNoticeRead
from app.services import tier_notices
from app.vocabulary import NoticeStatus, Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1", tags=["tiers"], route_class=HuikeRoute)


@router.get(
    "/tier-notices",
    summary="List notices of lower tiers",
    responses=problems(*ON_LISTING),
)
async def list_tier_notices(
    actor: Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))],
    session: SessionDep,
    settings: SettingsDep,
    status: Annotated[
        NoticeStatus | None, Query(description="What became of them; all if left out.")
    ] = None,
    customer_id: Annotated[UUID | None, Query(description="Those of this card.")] = None,
    home_store_id: Annotated[UUID | None, Query(description="Of cards of this shop.")] = None,
    owner_staff_id: Annotated[
        UUID | None, Query(description="Of cards that this member of staff looks after.")
    ] = None,
    falls_by: Annotated[
        Day | None, Query(description="Those that fall on this day or before.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TierNoticeRead]:
    """List who was told that they will lose a level, newest first, with what would keep it.

    A role bound to stores sees the customers whose home store is theirs. Cards that were merged or
    erased are left out: nobody can be told any more.
    """
    filters = NoticeFilters(
        status, customer_id, home_store_id, owner_staff_id, falls_by, actor.store_ids
    )
    page, position = await tier_notices.list_notices(
        session, filters, limit=limit, after=position_after(settings, filters.listing(), cursor)
    )
    return Page(items=page, next_cursor=next_cursor(settings, filters.listing(), position))
