"""Try a draft of a tier policy on today's customers: it shows everything and changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import Report, TierPolicy
from app.queries import tier_simulations as queries
from app.rules import tier_what_if
from app.rules.access import Actor
from app.rules.tier_calibrations import Calibration
from app.rules.tier_drafts import check_draft, fingerprint
from app.rules.tier_policies import Policy, window_from
from app.rules.tier_what_if import AT_ONCE, HELD, IN_THE_END, Cell, LevelCost, Row, Transition
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.tier_simulations import (
    BenefitCosts,
    LevelBenefitCost,
    Mover,
    Movers,
    SimulatedLevel,
    SimulatedTransition,
    SimulatedTransitions,
    SimulationHint,
    SimulationJob,
    TierSimulation,
)
from app.schemas.tiers import TierPolicyRef
from app.services import channels, tier_calibrations
from app.services.changes import page_of
from app.services.reports import Asked, Progress, ReportType, ask
from app.services.tier_calibrations import draft_was_changed
from app.services.tier_policies import OBJECT_TYPE, get_policy, not_a_draft
from app.services.tier_policies_in_force import active_policies
from app.services.trail import record_action
from app.vocabulary import (
    Action,
    Channel,
    Permission,
    PolicyStatus,
    ReportKind,
    TierLevel,
)

FEW_BUYERS: Final = 100


async def make(
    session: AsyncSession, settings: Settings, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Simulate the draft that ``parameters`` name, and keep the calibration that it would have.

    Raises:
        ConflictError: the draft is another one by now, or there are no top shares to draw.
    """
    policy = await session.get(TierPolicy, UUID(parameters["policy_id"]), populate_existing=True)
    as_of, named = date.fromisoformat(parameters["as_of"]), parameters["fingerprint"]
    if policy is None or fingerprint(policy.scope, policy.method, policy.body) != named:
        raise draft_was_changed()
    told = 0

    async def step() -> None:
        nonlocal told
        told += 15
        await progress(told)

    snapshot = await tier_calibrations.snapshot_of(
        session, settings, policy.scope, policy.body["window_days"], as_of
    )
    calibration = await tier_calibrations.calibrate(
        session, snapshot, policy.method, policy.body, step
    )
    draft = Policy.of(
        policy.id, policy.version, policy.name, policy.method, policy.body, calibration
    )
    active = (await active_policies(session))[policy.scope]
    await progress(75)
    found = await queries.try_out(
        await raw_connection(session),
        snapshot,
        draft,
        active,
        clock.now() - timedelta(days=draft.keep.hold_days),
    )
    await progress(95)
    visits = (await channels.prices(session))[Channel.VISIT].per_contact
    await tier_calibrations.keep_of_draft(session, policy.id, named, calibration)
    cells = tier_what_if.cells_of(found["cells"])
    result = TierSimulation(
        policy=_ref(draft),
        scope=policy.scope,
        fingerprint=named,
        in_force=_ref(active),
        as_of=as_of,
        window_from=window_from(draft, as_of),
        customers=sum(cell.customers for cell in cells),
        buyers=sum(cell.buyers for cell in cells),
        amount=sum((cell.amount for cell in cells), Decimal("0.00")),
        **_before_and_after(cells, active, draft),
        movers=Movers(
            up=[_mover(draft, row) for row in found["up"]],
            down=[_mover(draft, row) for row in found["down"]],
        ),
        benefit_costs=_benefit_costs(tier_what_if.costs(cells, active, draft, visits), visits),
        hints=_hints(policy, cells, draft, calibration),
    )
    return result.model_dump(mode="json")


TIER_SIMULATION: Final = ReportType(
    ReportKind.TIER_SIMULATION, Permission.TIER_POLICIES_WRITE, make, is_kept=True
)


async def simulate(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    policy_id: UUID,
    *,
    in_background: bool,
) -> Asked:
    """Simulate a draft at once, or leave it to a worker where that takes long.

    Raises:
        NotFoundError: there is no such policy.
        ConflictError: it is no draft, or there are no top shares to draw.
    """
    policy, _ = await get_policy(session, policy_id)
    if policy.status is not PolicyStatus.DRAFT:
        raise not_a_draft(policy.status)
    named = fingerprint(policy.scope, policy.method, policy.body)
    asked = await ask(
        session,
        settings,
        actor,
        TIER_SIMULATION,
        {
            "policy_id": str(policy_id),
            "fingerprint": named,
            "as_of": clock.today(settings.zone).isoformat(),
        },
        in_background=in_background,
        policy_id=policy_id,
        fingerprint=named,
    )
    await record_action(session, actor, Action.SIMULATED, OBJECT_TYPE, policy_id)
    return asked


async def list_simulations(
    session: AsyncSession, policy_id: UUID, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[SimulationJob], list[Any] | None]:
    """Return a page of a policy's simulations, newest first, and where the next one starts.

    Raises:
        NotFoundError: there is no such policy.
    """
    policy, _ = await get_policy(session, policy_id)
    named = fingerprint(policy.scope, policy.method, policy.body)
    position = (col(Report.created_at), col(Report.id))
    query = (
        select(Report)
        .where(
            col(Report.policy_id) == policy_id,
            col(Report.kind) == ReportKind.TIER_SIMULATION,
        )
        .options(defer(Report.result, raiseload=True))
    )
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = (
        await session.scalars(query.order_by(*(part.desc() for part in position)).limit(limit + 1))
    ).all()
    page, place = page_of(found, limit, lambda one: [one.created_at, one.id])
    return [_job(report, named) for report in page], place


def _job(report: Report, named: str) -> SimulationJob:
    assert report.fingerprint is not None
    return SimulationJob(
        id=report.id,
        status=report.status,
        progress=report.progress,
        fingerprint=report.fingerprint,
        is_current=report.fingerprint == named,
        created_at=report.created_at,
        finished_at=report.finished_at,
        requested_by_id=report.requested_by_id,
    )


def _ref(policy: Policy) -> TierPolicyRef:
    return TierPolicyRef(id=policy.id, version=policy.version, name=policy.name)


def _before_and_after(cells: Sequence[Cell], active: Policy, draft: Policy) -> dict[str, Any]:
    old = [rule.level for rule in active.levels]
    new = [rule.level for rule in draft.levels]
    return {
        "before": _levels(tier_what_if.distribution(cells, HELD, old)),
        "at_once": _levels(tier_what_if.distribution(cells, AT_ONCE, new)),
        "in_the_end": _levels(tier_what_if.distribution(cells, IN_THE_END, new)),
        "transitions": SimulatedTransitions(
            at_once=_transitions(tier_what_if.transitions(cells, AT_ONCE, old, new)),
            in_the_end=_transitions(tier_what_if.transitions(cells, IN_THE_END, old, new)),
        ),
    }


def _levels(rows: Sequence[Row]) -> list[SimulatedLevel]:
    return [
        SimulatedLevel(
            level=LabelledCode.of(row.level),
            customers=row.customers,
            customers_share=row.customers_share,
            buyers=row.buyers,
            amount=row.amount,
            amount_share=row.amount_share,
        )
        for row in rows
    ]


def _transitions(rows: Sequence[Transition]) -> list[SimulatedTransition]:
    return [
        SimulatedTransition(
            before=row.held,
            after=row.would_hold,
            customers=row.customers,
            buyers=row.buyers,
            hollow=row.hollow,
            amount=row.amount,
        )
        for row in rows
    ]


def _mover(draft: Policy, row: Mapping[str, Any]) -> Mover:
    held, earned = TierLevel(row["held"]), TierLevel(row["in_the_end"])
    return Mover(
        customer_id=UUID(row["customer_id"]),
        before=held,
        at_once=TierLevel(row["at_once"]),
        in_the_end=earned,
        net_spend=Decimal(row["net_spend"]),
        purchases=row["purchases"],
        score=row["score"],
        is_hollow=row["is_hollow"],
        is_set_by_hand=row["is_set"],
        sentences=BilingualText(**tier_what_if.why(draft, held, earned, Decimal(row["score"]))),
    )


def _benefit_costs(rows: Sequence[LevelCost], visit_cost: Decimal) -> BenefitCosts:
    before, at_once, in_the_end = (
        sum((getattr(row, name) for row in rows), Decimal("0.00"))
        for name in ("before", "at_once", "in_the_end")
    )
    return BenefitCosts(
        visit_cost=visit_cost,
        levels=[
            LevelBenefitCost(
                level=row.level,
                before=row.before,
                at_once=row.at_once,
                in_the_end=row.in_the_end,
            )
            for row in rows
        ],
        before=before,
        at_once=at_once,
        in_the_end=in_the_end,
        difference_at_once=at_once - before,
        difference_in_the_end=in_the_end - before,
    )


def _hints(
    policy: TierPolicy, cells: Sequence[Cell], draft: Policy, calibration: Calibration
) -> list[SimulationHint]:
    hints = [
        _hint(hint.code, hint.detail, hint.detail_zh)
        for hint in check_draft(policy.method, policy.body).hints
    ]
    hints += [
        _hint(
            "ties",
            f"{one.level.label.en} and above reach {one.reached} % of those who bought instead of"
            f" {one.asked} %: equal scores are all inside.",
            f"{one.level.label.zh}及以上占购买客户的 {one.reached}%，而非 {one.asked}%："
            "得分相同者全部计入。",
        )
        for one in tier_what_if.too_many(cells, draft)
    ]
    if calibration.customers < FEW_BUYERS:
        hints.append(
            _hint(
                "few-buyers",
                f"Only {calibration.customers} customers bought within the window: top shares and "
                "percentiles of so few say little.",
                f"统计期内仅有 {calibration.customers} 位客户购买："
                "人数过少，占比与百分位参考意义有限。",
            )
        )
    return hints


def _hint(code: str, en: str, zh: str) -> SimulationHint:
    return SimulationHint(code=code, sentences=BilingualText(en=en, zh=zh))
