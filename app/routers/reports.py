"""Figures over the chain."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.schemas.common import Day
from app.schemas.tiers import TierDistribution
from app.services import tier_answers, tier_reports
from app.vocabulary import CustomerKind, Permission
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=HuikeRoute)


@router.get(
    "/tier-distribution",
    summary="Customers and amounts by tier",
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def get_tier_distribution(
    actor: Annotated[Actor, Depends(Allow(Permission.REPORTS_READ))],
    session: SessionDep,
    settings: SettingsDep,
    as_of: Annotated[
        Day | None, Query(description="The day; today if left out. Not after today.")
    ] = None,
    kind: Annotated[
        CustomerKind, Query(description="Individuals or organizations.")
    ] = CustomerKind.INDIVIDUAL,
) -> TierDistribution:
    """Return the distribution table: level, customers, their share, net amount, its share.

    Counted are customers of the kind who bought inside the policy's window that ends with the
    day; a role bound to stores sees the customers whose home store is theirs.
    """
    return tier_answers.distribution(
        kind, await tier_reports.get_distribution(session, settings, actor, kind, as_of)
    )
