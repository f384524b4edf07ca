"""What a till is told: who it has before it, what the receipt did, a line to greet them with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.rules import tiering
from app.rules.purchases import Fault
from app.schemas.common import BilingualText
from app.schemas.pos_events import (
    EventProblem,
    EventResult,
    TillCustomer,
    TillNext,
    TillTier,
    VoidEvent,
)
from app.services.posting_run import Posted, Run
from app.vocabulary import BirthdayCalendar, EventStatus, Gender, TierCause, TierLevel

PARKED_TITLE = BilingualText(en="It waits for the receipt it refers to", zh="等待其所引用的原小票")


def answer_for(run: Run, posted: Posted) -> EventResult:
    """Return the result of an event as the till gets it."""
    card = run.cards.get(posted.customer_id) if posted.customer_id else None
    return EventResult(
        event_id=posted.pending.event_id,
        status=posted.status,
        purchase_id=posted.purchase_id,
        customer=None
        if card is None
        else TillCustomer(id=card["id"], kind=card["kind"], name=card["name"]),
        tier=_tier(posted),
        greeting=None if card is None else _greeting(run, posted, card),
        problem=problem_of(posted.status, posted.fault),
    )


def problem_of(status: EventStatus, fault: Fault | None) -> EventProblem | None:
    """Return why an event was not applied, None when it was."""
    if fault is not None:
        return EventProblem(
            type=f"/problems/{fault}",
            title=BilingualText(en=fault.label.en, zh=fault.label.zh),
            detail=BilingualText(
                en=f"The event is kept; list it with status={EventStatus.HELD}.",
                zh=f"事件已保存，可用 status={EventStatus.HELD} 查询。",
            ),
            errors=None,
        )
    if status is EventStatus.PARKED:
        return EventProblem(
            type="/problems/original-awaited",
            title=PARKED_TITLE,
            detail=BilingualText(
                en="It is applied when that receipt comes.", zh="该小票到达后自动入账。"
            ),
            errors=None,
        )
    return None


def _tier(posted: Posted) -> TillTier | None:
    if posted.settled is None or posted.outcome is None:
        return None
    policy, outcome = posted.settled.policy, posted.outcome
    at_that_point = replace(posted.settled.standing, net_spend=outcome.net_spend)
    above = policy.next_above(outcome.after)
    missing = tiering.missing_to_next(policy, outcome.after, outcome.net_spend)
    return TillTier(
        before=outcome.before,
        after=outcome.after,
        changed=outcome.cause is not None,
        net_spend=outcome.net_spend,
        next=None if above is None or missing is None else TillNext(
            level=above.level, missing=missing
        ),
        explanation=BilingualText(**tiering.sentences(policy, at_that_point, outcome.after)),
    )  # fmt: skip


def _greeting(run: Run, posted: Posted, card: Mapping[str, Any]) -> BilingualText | None:
    if isinstance(posted.pending.event, VoidEvent):
        return None
    honorific = {str(Gender.FEMALE): "女士", str(Gender.MALE): "先生"}.get(card["gender"] or "", "")
    zh, en = f"{card['name']}{honorific}，您好！", f"Welcome, {card['name']}!"
    outcome = posted.outcome
    if outcome is not None and outcome.cause is TierCause.UPGRADE:
        level: TierLevel = outcome.after
        zh += f"恭喜您升级为{level.label.zh}！"
        en += f" Congratulations on reaching the tier {level.label.en}."
    today = run.day_of(run.now)
    if card["birthday_calendar"] == BirthdayCalendar.SOLAR and (
        card["birth_month"],
        card["birth_day"],
    ) == (today.month, today.day):
        zh += "祝您生日快乐！"
        en += " Happy birthday!"
    return BilingualText(en=en, zh=zh)
