"""What a till is told: who it has before it, what the receipt did, a line to greet them with."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from app.locale.birthdays import next_birthday
from app.rules import tier_explanations, tier_sentences, tiering
from app.rules.purchases import Fault
from app.rules.tiering import StepOutcome
from app.schemas.common import BilingualText
from app.schemas.pos_events import (
    EventProblem,
    EventResult,
    SaleEvent,
    TillCustomer,
    TillHeldUpgrade,
    TillNext,
    TillTier,
)
from app.services.posting_run import Posted, Run
from app.services.tier_settlement import Settled
from app.vocabulary import (
    BirthdayCalendar,
    CustomerStatus,
    EventStatus,
    Gender,
    TierCause,
    TierLevel,
    Unit,
)

PARKED_TITLE = BilingualText(en="It waits for the receipt it refers to", zh="等待其所引用的原小票")


_CORRECT = ("Send it again with a new event_id.", "请更正后以新的 event_id 重新发送。")
ADVICE: Final[Mapping[Fault, tuple[str, str]]] = {
    Fault.WRONG_STORE: (
        "An administrator can move the source to this store, and replay the event.",
        "管理员可更改该来源的门店后重放。",
    ),
    Fault.WRONG_CURRENCY: (
        "The chain books in one currency. " + _CORRECT[0],
        "全店只用一种币种。" + _CORRECT[1],
    ),
    Fault.SUMS_MISMATCH: (
        "Each amount has to be quantity × unit_price − discount, to the cent, and total their sum. "
        + _CORRECT[0],
        "每行 amount 须等于 quantity × unit_price − discount（精确到分），total 须为各行之和。"
        + _CORRECT[1],
    ),
    Fault.OCCURRED_IN_FUTURE: (
        "Set the till's clock. The event can be replayed once its time has come.",
        "请校准收银机时钟；到时后可重放。",
    ),
    Fault.LINE_REPEATED: (
        "Number the lines anew. " + _CORRECT[0],
        "请重新编排行号。" + _CORRECT[1],
    ),
    Fault.RECEIPT_NUMBER_USED: (
        "See the other receipt, and the source's receipt_rule. " + _CORRECT[0],
        "请核对另一张小票与该来源的 receipt_rule。" + _CORRECT[1],
    ),
    Fault.CUSTOMER_UNREADABLE: (
        "Correct the identity. " + _CORRECT[0],
        "请更正客户身份。" + _CORRECT[1],
    ),
    Fault.CARD_UNKNOWN: (
        "Correct the card's id. " + _CORRECT[0],
        "请更正客户卡编号。" + _CORRECT[1],
    ),
    Fault.SOURCE_UNKNOWN: (
        "Correct original.source, or let it be created and replay the event.",
        "请更正 original.source，或建立该来源后重放。",
    ),
    Fault.NOT_A_SALE: (
        "Name the sale in original. " + _CORRECT[0],
        "original 须指向销售小票。" + _CORRECT[1],
    ),
    Fault.ALREADY_VOIDED: (
        "There is nothing left to take back.",
        "已无可退内容。",
    ),
    Fault.HAS_REFUNDS: (
        "Void its refunds first, and replay the event.",
        "请先作废其退货，再重放。",
    ),
    Fault.REFUND_EXCEEDS_SALE: (
        "Take back no more of a line than is left of it. " + _CORRECT[0],
        "退货不得超过该行剩余的数量与金额。" + _CORRECT[1],
    ),
    Fault.LINE_UNKNOWN: (
        "refunds_line names a line_number of the sale. " + _CORRECT[0],
        "refunds_line 须为原销售的行号。" + _CORRECT[1],
    ),
}
"""What a till's developer can do about each fault."""


def answer_for(run: Run, posted: Posted) -> EventResult:
    """Return the result of an event as the till gets it."""
    card = run.cards.get(posted.customer_id) if posted.customer_id else None
    if card is not None and card["status"] == CustomerStatus.ERASED:
        # A refund of somebody who was erased counts with their figures, and tells of nobody.
        card = None
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


def answer_again(stored: Mapping[str, Any]) -> EventResult:
    """Return the stored result of an event, whenever it was stored.

    Results stored before other methods came know of thresholds of net spend only.
    """
    tier = stored.get("tier")
    if tier is not None and "score" not in tier:
        above = tier.get("next")
        tier = {
            **tier,
            "score": tier["net_spend"],
            "unit": str(Unit.MONEY),
            "is_locked": False,
            "next": above and {**above, "spend": above["missing"]},
        }
    if tier is not None and "held_upgrade" not in tier:
        tier = {**tier, "held_upgrade": None}
    return EventResult.model_validate({**stored, "tier": tier})


def problem_of(status: EventStatus, fault: Fault | None) -> EventProblem | None:
    """Return why an event was not applied, None when it was."""
    if fault is not None:
        return EventProblem(
            type=f"/problems/{fault}",
            title=BilingualText(en=fault.label.en, zh=fault.label.zh),
            detail=BilingualText(
                en=f"{ADVICE[fault][0]} The event is kept as {EventStatus.HELD}.",
                zh=f"{ADVICE[fault][1]}事件已搁置（{EventStatus.HELD}）。",
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
    figures = tiering.figures_with(policy, posted.settled.standing, outcome)
    above = tier_explanations.next_level(policy, figures, outcome.after)
    return TillTier(
        before=outcome.before,
        after=outcome.after,
        changed=outcome.before != outcome.after,
        net_spend=figures.net_spend,
        score=tier_sentences.score_text(policy.unit, outcome.score),
        unit=policy.unit,
        is_locked=outcome.held.is_locked,
        next=None
        if above is None
        else TillNext(level=above["level"], missing=above["missing"], spend=above["spend"]),
        held_upgrade=_held_upgrade(posted.settled, outcome),
        explanation=BilingualText(
            **tier_sentences.sentences(
                policy,
                figures,
                outcome.after,
                cause=TierCause.OVERRIDE if outcome.held.is_locked else None,
                spend=tier_explanations.spend_of(above),
            )
        ),
    )


def _held_upgrade(settled: Settled, outcome: StepOutcome) -> TillHeldUpgrade | None:
    """Return what the card had earned with this receipt, where it may not rise to it."""
    held = settled.held_upgrade
    if held is None:
        return None
    rank = settled.policy.rank
    level = min(held.level, settled.policy.earned(outcome.score).level, key=rank)
    if rank(level) <= rank(outcome.after):
        return None
    name = level.label
    texts = {
        "en": f"The upgrade to {name.en} waits for a review.",
        "zh": f"升级为{name.zh}须经复核，暂未生效。",
    }
    if held.is_refused:
        texts = {
            "en": f"The upgrade to {name.en} was refused in a review.",
            "zh": f"升级为{name.zh}经复核未通过。",
        }
    return TillHeldUpgrade(
        level=level, is_refused=held.is_refused, explanation=BilingualText(**texts)
    )


def _greeting(run: Run, posted: Posted, card: Mapping[str, Any]) -> BilingualText | None:
    if not isinstance(posted.pending.event, SaleEvent):
        return None
    honorific = {str(Gender.FEMALE): "女士", str(Gender.MALE): "先生"}.get(card["gender"] or "", "")
    zh, en = f"{card['name']}{honorific}，您好！", f"Welcome, {card['name']}!"
    outcome = posted.outcome
    if outcome is not None and outcome.cause is TierCause.UPGRADE:
        level: TierLevel = outcome.after
        zh += f"恭喜您升级为{level.label.zh}！"
        en += f" Congratulations on reaching the tier {level.label.en}."
    today = run.day_of(run.now)
    if _has_birthday(card, today):
        zh += "祝您生日快乐！"
        en += " Happy birthday!"
    return BilingualText(en=en, zh=zh)


def _has_birthday(card: Mapping[str, Any], today: date) -> bool:
    if card["birthday_calendar"] is None:
        return False
    return today == next_birthday(
        card["birth_month"],
        card["birth_day"],
        is_lunar=card["birthday_calendar"] == BirthdayCalendar.LUNAR,
        is_leap_month=card["birth_month_is_leap"],
        on_or_after=today,
    )
