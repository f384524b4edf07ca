"""Hollow accounts, and the upgrades that they hold for somebody to look at."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.schemas.tier_reviews import (
    HollowAccounts,
    TierReviewAcceptance,
    TierReviewRead,
    TierReviewRefusal,
)
from app.services import customer_profiles, hollow_accounts, tier_review_decisions
from app.services.tier_review_answers import account_read, review_read
from app.vocabulary import Permission, ReviewStatus
from app.web.answers import ON_LISTING, ON_READING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import HeldCardId, RefusedCardId, RefusedReviewId, ReviewId
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1", tags=["tiers"], route_class=HuikeRoute)
# The lists show names.
Reader = Annotated[Actor, Depends(Allow(Permission.TIERS_READ, Permission.CUSTOMERS_READ))]
Reviewer = Annotated[Actor, Depends(Allow(Permission.TIERS_WRITE))]
ONE = "/tier-reviews/{customer_id:uuid}/{review_id:uuid}"
ON_DECIDING = (
    *SIGNED_IN, *ANY_REQUEST, "not-found", "card-erased", "card-merged", "invalid-transition",
)  # fmt: skip


@router.get(
    "/tier-reviews", summary="List upgrades held for review", responses=problems(*ON_LISTING)
)
async def list_tier_reviews(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    status: Annotated[
        ReviewStatus | None, Query(description="For example those that are `open`.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TierReviewRead]:
    """Return the reviews, newest first; a role bound to stores sees those of its own cards.

    Cards without a home store are everybody's; those that were merged or erased are left out.
    """
    listing = {"list": "tier-reviews", "status": status}
    page, position = await tier_review_decisions.list_reviews(
        session, actor, status=status, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=[review_read(*one) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(ONE, summary="Read a review", responses=problems(*ON_READING, "card-erased"))
async def get_tier_review(
    customer_id: HeldCardId, review_id: ReviewId, actor: Reader, session: SessionDep
) -> TierReviewRead:
    """Return a held upgrade: each condition with its number and limit, and what was decided."""
    return review_read(
        *await tier_review_decisions.get_review(session, actor, customer_id, review_id)
    )


@router.post(f"{ONE}/accept", summary="Accept a held upgrade", responses=problems(*ON_DECIDING))
async def accept_tier_review(
    customer_id: HeldCardId,
    review_id: ReviewId,
    body: TierReviewAcceptance,
    actor: Reviewer,
    session: SessionDep,
    settings: SettingsDep,
) -> TierReviewRead:
    """Lift the card to the level that it waits for.

    What its figures no longer earn answers 409, as does a review that has ended, or a level that
    was set by hand.
    """
    return review_read(
        *await tier_review_decisions.accept(
            session,
            actor,
            settings,
            customer_id,
            review_id,
            note=body.note,
            seen_level=body.next_level,
        )
    )


@router.post(f"{ONE}/refuse", summary="Refuse a held upgrade", responses=problems(*ON_DECIDING))
async def refuse_tier_review(
    customer_id: RefusedCardId,
    review_id: RefusedReviewId,
    body: TierReviewRefusal,
    actor: Reviewer,
    session: SessionDep,
) -> TierReviewRead:
    """Leave the card where it is, and say why.

    It is not asked again for as many days as the policy holds a level, while the account is hollow;
    once it is not any more, it rises like any other.
    """
    return review_read(
        *await tier_review_decisions.refuse(
            session, actor, customer_id, review_id, reason=body.reason
        )
    )


@router.get("/hollow-accounts", summary="List hollow accounts", responses=problems(*ON_LISTING))
async def list_hollow_accounts(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HollowAccounts:
    """Return cards with a big turnover that looks hollow, severe ones first.

    Which they are the night finds, of the day `as_of`; each condition's numbers are of this moment.
    A role bound to stores sees its own cards, and those without a home store.
    """
    listing = {"list": "hollow-accounts"}
    page, position = await hollow_accounts.list_hollow_accounts(
        session, settings, actor, limit=limit, after=position_after(settings, listing, cursor)
    )
    return HollowAccounts(
        as_of=await customer_profiles.profiles_as_of(session),
        items=[account_read(one) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )
