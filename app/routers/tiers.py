"""Which tier a card is in, why, and what would change it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.tiers import TierOverrideCreate, TierOverrideEnd, TierPeriod, TierRead
from app.services import tier_answers, tier_overrides, tier_reads
from app.vocabulary import Permission
from app.web.answers import ON_CREATING, ON_LISTING, next_cursor, position_after, set_created
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1", tags=["tiers"], route_class=HuikeRoute)
Reader = Annotated[Actor, Depends(Allow(Permission.TIERS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.TIERS_WRITE))]


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


@router.post(
    "/customers/{customer_id:uuid}/tier-override",
    status_code=201,
    summary="Set a customer's tier by hand",
    responses=problems(
        *ON_CREATING, "not-found", "card-erased", "card-merged", "invalid-transition"
    ),
    dependencies=[Idempotent],
)
async def set_tier_override(
    customer_id: CustomerId,
    body: TierOverrideCreate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> TierRead:
    """Set a tier with a reason and a last day; it takes the place of one that was set before.

    Until that day is over neither receipts nor evaluations move the card. Then it gets the better
    of what it earns and what it held before. A fall that was announced and an upgrade that waits
    for a person are dropped.
    """
    await tier_overrides.set_override(session, settings, actor, customer_id, body)
    set_created(response, f"/v1/customers/{customer_id}/tier")
    return tier_answers.tier_read(await tier_reads.get_tier(session, settings, customer_id))


@router.post(
    "/customers/{customer_id:uuid}/tier-override/end",
    summary="End a tier set by hand",
    responses=problems(
        *SIGNED_IN, *ANY_REQUEST, "not-found", "card-erased", "card-merged", "invalid-transition"
    ),
)
async def end_tier_override(
    customer_id: CustomerId,
    body: TierOverrideEnd,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
) -> TierRead:
    """Let the card go on by itself: it gets the better of what it earns and what it held before.

    Safe to repeat: what was ended is refused.
    """
    await tier_overrides.end_override(session, settings, actor, customer_id, body)
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
