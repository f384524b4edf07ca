"""Which tier a card is in, why, and what would change it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.rules.access import Actor
from app.schemas.tiers import TierPeriod, TierRead
from app.services import tier_answers, tier_reads
from app.vocabulary import Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1", tags=["tiers"], route_class=HuikeRoute)
Reader = Annotated[Actor, Depends(Allow(Permission.TIERS_READ))]


@router.get(
    "/customers/{customer_id}/tier",
    summary="A customer's tier, and why",
    responses=problems(*SIGNED_IN, "not-found", "validation", "internal-error", "unavailable"),
)
async def get_customer_tier(
    customer_id: ReadCustomerId, actor: Reader, session: SessionDep, settings: SettingsDep
) -> TierRead:
    """Explain a tier: inputs, threshold, policy version, distance to the next, what keeps it.

    `explanation` is what was stored when the tier was assigned; `today` and `keep` are computed
    now.
    """
    return tier_answers.tier_read(await tier_reads.get_tier(session, settings, customer_id))


@router.get(
    "/customers/{customer_id}/tier-history",
    summary="The tiers a customer held",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_customer_tiers(
    customer_id: ReadCustomerId,
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TierPeriod]:
    """List a card's tiers with their reasons, newest first."""
    listing = {"list": "tier-history", "customer": customer_id}
    page, position = await tier_reads.list_tier_history(
        session, customer_id, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=tier_answers.tier_periods(page),
        next_cursor=next_cursor(settings, listing, position),
    )
