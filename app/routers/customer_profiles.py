"""What the figures say of customers: profiles, who is about to earn more, who costs too much."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.schemas.common import LabelledCode
from app.schemas.customer_profiles import (
    CustomerGroups,
    CustomerProfileRead,
    PruningCandidates,
    RfmSegments,
    UpgradePotential,
)
from app.services import customer_profiles, profile_lists, profile_reads, profile_reports
from app.vocabulary import CustomerKind, Permission
from app.web.answers import ON_LISTING, ON_READING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1", tags=["tiers"], route_class=HuikeRoute)
# A profile tells of margins, as statistics do.
Reader = Annotated[Actor, Depends(Allow(Permission.TIERS_READ, Permission.PURCHASES_READ))]
# The lists show names and margins.
Lister = Annotated[Actor, Depends(Allow(Permission.REPORTS_READ, Permission.CUSTOMERS_READ))]
ReportReader = Annotated[Actor, Depends(Allow(Permission.REPORTS_READ))]
OfKind = Annotated[CustomerKind, Query(description="Individuals or organizations.")]
ON_REPORTING = (*SIGNED_IN, "validation", "internal-error", "unavailable")


@router.get(
    "/customers/{customer_id:uuid}/profile",
    summary="What a customer's figures say",
    responses=problems(*ON_READING, "card-erased"),
)
async def get_customer_profile(
    customer_id: ReadCustomerId, actor: Reader, session: SessionDep, settings: SettingsDep
) -> CustomerProfileRead:
    """Return scores, segment, group, growth, next level, hollow signs and reasons to prune.

    Each with the figures and cut points behind it. `findings` go by the figures of this moment,
    `listed` is what lists and reports have of the card until the next night.
    """
    return await profile_reads.get_profile(session, settings, customer_id)


@router.get("/upgrade-potential", summary="List upgrade potential", responses=problems(*ON_LISTING))
async def list_upgrade_potential(
    actor: Lister,
    session: SessionDep,
    settings: SettingsDep,
    kind: OfKind = CustomerKind.INDIVIDUAL,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UpgradePotential:
    """Return who is near the next level and growing, or on pace to it; who misses least first.

    Of the last night. A role bound to stores sees its own cards, and those without a home store.
    """
    listing = {"list": "upgrade-potential", "kind": kind}
    policy, items, position = await profile_lists.list_upgrade_potential(
        session, actor, kind, limit=limit, after=position_after(settings, listing, cursor)
    )
    return UpgradePotential(
        as_of=await customer_profiles.profiles_as_of(session),
        unit=LabelledCode.of(policy.unit),
        items=items,
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(
    "/pruning-candidates", summary="List candidates for pruning", responses=problems(*ON_LISTING)
)
async def list_pruning_candidates(
    actor: Lister,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PruningCandidates:
    """Return who costs more than they bring, with the reasons; a person decides what follows.

    Found by the last night; who bought since, or is being reviewed, is left out. A role bound to
    stores sees its own cards, and those without a home store.
    """
    listing = {"list": "pruning-candidates"}
    items, position = await profile_lists.list_pruning_candidates(
        session, settings, actor, limit=limit, after=position_after(settings, listing, cursor)
    )
    return PruningCandidates(
        as_of=await customer_profiles.profiles_as_of(session),
        items=items,
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(
    "/reports/rfm-segments", summary="Customers by segment", responses=problems(*ON_REPORTING)
)
async def get_rfm_segments(
    actor: ReportReader, session: SessionDep, kind: OfKind = CustomerKind.INDIVIDUAL
) -> RfmSegments:
    """Return customers and amounts by RFM segment, with the boundaries and the cut points.

    Of the last night. A role bound to stores sees the customers whose home store is theirs.
    """
    return await profile_reports.get_rfm_segments(session, actor, kind)


@router.get(
    "/reports/customer-groups", summary="Customers by group", responses=problems(*ON_REPORTING)
)
async def get_customer_groups(
    actor: ReportReader, session: SessionDep, kind: OfKind = CustomerKind.INDIVIDUAL
) -> CustomerGroups:
    """Return customers and amounts by group, with the values that cards are held against.

    Of the last night. A role bound to stores sees the customers whose home store is theirs.
    """
    return await profile_reports.get_customer_groups(session, actor, kind)
