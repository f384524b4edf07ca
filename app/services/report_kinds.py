"""Every kind of report that may be left to a worker, with its maker."""

from collections.abc import Mapping
from typing import Final

from app.rules.access import Actor
from app.services import concentrations, tier_flows, tier_reports
from app.services.reports import ReportType
from app.services.tier_simulations import TIER_SIMULATION
from app.vocabulary import Permission, ReportKind

TIER_DISTRIBUTION: Final = ReportType(
    ReportKind.TIER_DISTRIBUTION, Permission.REPORTS_READ, tier_reports.make_distribution
)
TIER_FLOWS: Final = ReportType(
    ReportKind.TIER_FLOWS, Permission.REPORTS_READ, tier_flows.make_flows
)
CONCENTRATION: Final = ReportType(
    ReportKind.CONCENTRATION, Permission.REPORTS_READ, concentrations.make_concentration
)

REPORTS: Final[Mapping[ReportKind, ReportType]] = {
    one.kind: one for one in (TIER_DISTRIBUTION, TIER_FLOWS, CONCENTRATION, TIER_SIMULATION)
}


def kinds_seen_by(actor: Actor) -> list[ReportKind]:
    """Return the kinds of reports that an actor may see."""
    return [one.kind for one in REPORTS.values() if actor.may(one.permission)]
