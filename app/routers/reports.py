"""Figures over the chain, and how far those are that take long."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.rules.tier_figures import WINDOW_DAYS
from app.rules.tier_policies import LONGEST_WINDOW_DAYS, SHORTEST_WINDOW_DAYS
from app.schemas.common import Day
from app.schemas.reports import FollowedReportJob, ReportJob
from app.schemas.tier_reports import ConcentrationRead, TierFlows
from app.schemas.tiers import TierDistribution
from app.services import concentrations, reports, tier_flows, tier_reports
from app.services.report_kinds import CONCENTRATION, TIER_DISTRIBUTION, TIER_FLOWS, kinds_seen_by
from app.vocabulary import CustomerKind, Permission
from app.web.answers import ON_LISTING, ON_READING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import ReportId
from app.web.report_answers import ON_ASKING_FOR_REPORT, InBackground, report_answer
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.REPORTS_READ))]
OfKind = Annotated[CustomerKind, Query(description="Individuals or organizations.")]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **ON_ASKING_FOR_REPORT,
    **problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
}


@router.get(
    "/tier-distribution",
    summary="Customers and amounts by tier",
    response_model=TierDistribution,
    responses=_RESPONSES,
)
async def get_tier_distribution(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    in_background: InBackground,
    as_of: Annotated[
        Day | None, Query(description="The day; today if left out. Not after today.")
    ] = None,
    kind: OfKind = CustomerKind.INDIVIDUAL,
) -> Any:
    """Return the distribution table: level, customers, their share, net amount, its share.

    Counted are customers of the kind who bought inside the window that ends with the day, by the
    policy that was in force at its end; a role bound to stores sees the customers whose home store
    is theirs.
    """
    question = tier_reports.distribution_question(settings, kind, as_of)
    asked = await reports.ask(
        session, settings, actor, TIER_DISTRIBUTION, question, in_background=in_background
    )
    return report_answer(asked, TierDistribution, in_background=in_background)


@router.get(
    "/tier-flows",
    summary="Flows between levels",
    response_model=TierFlows,
    responses=_RESPONSES,
)
async def get_tier_flows(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    in_background: InBackground,
    from_day: Annotated[Day, Query(alias="from", description="The first day of the period.")],
    to_day: Annotated[
        Day | None, Query(alias="to", description="Its last day; today if left out.")
    ] = None,
    kind: OfKind = CustomerKind.INDIVIDUAL,
) -> Any:
    """Return what came to and went from each level, and who went from where to where.

    Both days are included, from midnight to midnight on the chain's clock. All cards count that
    have a level; a role bound to stores sees the customers whose home store is theirs today.
    """
    question = tier_flows.flows_question(settings, kind, from_day, to_day)
    asked = await reports.ask(
        session, settings, actor, TIER_FLOWS, question, in_background=in_background
    )
    return report_answer(asked, TierFlows, in_background=in_background)


@router.get(
    "/concentration",
    summary="How concentrated net spend is",
    response_model=ConcentrationRead,
    responses=_RESPONSES,
)
async def get_concentration(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    in_background: InBackground,
    as_of: Annotated[
        Day | None, Query(description="The window's last day; today if left out.")
    ] = None,
    window_days: Annotated[
        int,
        Query(
            ge=SHORTEST_WINDOW_DAYS,
            le=LONGEST_WINDOW_DAYS,
            description="How many days the window has.",
        ),
    ] = WINDOW_DAYS,
    kind: OfKind = CustomerKind.INDIVIDUAL,
) -> Any:
    """Return top shares, curve, Gini and HHI of the net spend of who bought in the window.

    Nothing is assumed of how many hold how much. A role bound to stores sees the customers whose
    home store is theirs.
    """
    question = concentrations.concentration_question(settings, kind, as_of, window_days)
    asked = await reports.ask(
        session, settings, actor, CONCENTRATION, question, in_background=in_background
    )
    return report_answer(asked, ConcentrationRead, in_background=in_background)


@router.get("/jobs", summary="List reports that take long", responses=problems(*ON_LISTING))
async def list_report_jobs(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReportJob]:
    """List reports that a worker made or will make, and simulations, newest first.

    Seen are those of the kinds that the caller has the permission for; a role bound to stores sees
    what is about its stores.
    """
    listing = {"list": "reports"}
    page, position = await reports.list_reports(
        session,
        actor,
        kinds_seen_by(actor),
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(
        items=[ReportJob.model_validate(report) for report in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get("/jobs/{report_id}", summary="Follow a report", responses=problems(*ON_READING))
async def get_report_job(
    report_id: ReportId, actor: Reader, session: SessionDep
) -> FollowedReportJob:
    """Return how far a report is, and its result once it is `done`, or why it `failed`."""
    report = await reports.get_report(session, actor, kinds_seen_by(actor), report_id)
    return FollowedReportJob.model_validate(report)
