"""Tell how much of the net spend few customers hold."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import tier_reports as queries
from app.queries import tiers
from app.rules.concentration import MOST_PERCENT, Concentration, concentration_of
from app.rules.tier_figures import WINDOW_DAYS
from app.schemas.common import BilingualText
from app.schemas.tier_reports import (
    ConcentrationMost,
    ConcentrationRead,
    CurvePointRead,
    TopShareRead,
)
from app.services.reports import Progress
from app.services.tier_reports import day_asked_for, stores_of
from app.vocabulary import CustomerKind


def concentration_question(
    settings: Settings, kind: CustomerKind, as_of: date | None, window_days: int
) -> dict[str, Any]:
    """Return the parameters of the concentration of a window that ends with a day, or today.

    Raises:
        InvalidInputError: a day after today.
    """
    day = day_asked_for(settings, "as_of", as_of)
    return {"kind": str(kind), "as_of": day.isoformat(), "window_days": window_days}


async def make_concentration(
    session: AsyncSession, settings: Settings, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Return how the net spend of who bought in the window is spread over them."""
    kind, day = CustomerKind(parameters["kind"]), date.fromisoformat(parameters["as_of"])
    window_days = parameters["window_days"]
    connection = await raw_connection(session)
    from_statistics = (
        day == clock.today(settings.zone)
        and window_days == WINDOW_DAYS
        and await tiers.statistics_are_of(connection, day)
    )
    await progress(10)
    tallied = await queries.tally(
        connection, str(kind), stores_of(parameters), day, window_days,
        from_statistics=from_statistics,
    )  # fmt: skip
    found = concentration_of(tallied)
    return ConcentrationRead(
        as_of=day,
        window_from=day - timedelta(days=window_days - 1),
        window_days=window_days,
        kind=kind,
        customers=tallied.customers,
        amount=tallied.total,
        negative_customers=tallied.negative_customers,
        negative_amount=tallied.negative_amount,
        top=[
            TopShareRead(percent=one.percent, customers=one.customers, share=one.share)
            for one in found.top
        ],
        most=ConcentrationMost(
            percent_of_amount=MOST_PERCENT,
            customers=found.making_most,
            percent_of_customers=found.making_most_percent,
        ),
        curve=[CurvePointRead(percent=one.percent, share=one.share) for one in found.curve],
        gini=found.gini,
        hhi=found.hhi,
        sentences=_sentences(found),
    ).model_dump(mode="json")


def _sentences(found: Concentration) -> BilingualText:
    top = next(one for one in found.top if one.percent == 20)
    if top.share is None:
        return BilingualText(en="Nobody spent anything.", zh="没有净消费。")
    return BilingualText(
        en=f"The top 20 % of customers hold {top.share} % of net spend; {MOST_PERCENT} % of it is "
        f"held by {found.making_most_percent} % of customers.",
        zh=f"前 20% 的客户占净消费的 {top.share}%；净消费的 {MOST_PERCENT}% 由 "
        f"{found.making_most_percent}% 的客户贡献。",
    )
