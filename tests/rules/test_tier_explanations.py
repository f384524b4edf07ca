"""Why a card is in a level: what is stored with it, and the sentences that are read aloud."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.rules.tier_calibrations import Calibration
from app.rules.tier_explanations import completed, explain
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.rules.tier_sentences import forecast_sentences, sentences
from app.schemas.tiers import TierExplanation
from app.vocabulary import Indicator, PolicyMethod, TierCause, TierLevel

MAIN, ORDINARY, SMALL, KEY = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL, TierLevel.KEY
INITIAL, UPGRADE = TierCause.INITIAL, TierCause.UPGRADE
POLICY_ID = UUID("01937e00-0000-7000-8000-000000000001")
TODAY = date(2026, 11, 21)
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
THREE = [
    {"level": "main", "at_least": "1000.00"},
    {"level": "ordinary", "at_least": "300.00"},
    {"level": "small", "at_least": "0.00"},
]
POLICY = Policy.of(
    POLICY_ID,
    3,
    "Twelve months",
    PolicyMethod.THRESHOLD,
    {"metric": "net_spend", "window_days": 365, "levels": THREE, "keep": KEEP},
)
SHARES = Policy.of(
    POLICY_ID,
    2,
    "20/80",
    PolicyMethod.SHARE,
    {
        "metric": "margin",
        "share_of": "customers",
        "window_days": 365,
        "levels": [
            {"level": "main", "top_percent": "20"},
            {"level": "small", "top_percent": "100"},
        ],
        "keep": KEEP,
    },
    Calibration(date(2026, 11, 1), 500, {MAIN: Decimal("250.00"), SMALL: Decimal(0)}),
)
VISITS = Policy.of(
    POLICY_ID,
    4,
    "Visits",
    PolicyMethod.THRESHOLD,
    {
        "metric": "frequency",
        "window_days": 90,
        "levels": [{"level": "main", "at_least": "6"}, {"level": "small", "at_least": "0"}],
        "keep": KEEP,
    },
)
COMPOSITE = Policy.of(
    POLICY_ID,
    5,
    "Four tiers",
    PolicyMethod.COMPOSITE,
    {
        "indicators": [
            {"indicator": "margin", "weight": "0.40"},
            {"indicator": "frequency", "weight": "0.40"},
            {"indicator": "expected_margin", "weight": "0.20"},
        ],
        "window_days": 365,
        "levels": [
            {"level": "key", "top_percent": "5"},
            {"level": "general", "top_percent": "100"},
        ],
        "keep": KEEP,
    },
    Calibration(
        date(2026, 11, 1),
        500,
        {KEY: Decimal("62.5000"), TierLevel.GENERAL: Decimal(0)},
        {
            Indicator.MARGIN: tuple(Decimal(n) for n in range(1, 101)),
            Indicator.FREQUENCY: tuple(Decimal(n) for n in range(1, 101)),
        },
    ),
)


def yuan(text: str) -> Decimal:
    """Return an amount."""
    return Decimal(text)


# --- A threshold of net spend -------------------------------------------------------------------


def test_an_explanation_holds_inputs_rule_policy_next_and_what_keeps() -> None:
    standing = Figures(TODAY, yuan("420.5"), 7, yuan("35"))
    reason = explain(POLICY, standing, ORDINARY, UPGRADE, date(2026, 11, 20))
    sentences = reason.pop("sentences")
    assert reason == {
        "inputs": {
            "as_of": "2026-11-21",
            "window_from": "2025-11-22",
            "window_to": "2026-11-21",
            "window_days": 365,
            "net_spend": "420.50",
            "refunded": "35.00",
            "purchases": 7,
            "last_purchase_on": None,
            "indicators": [
                {
                    "indicator": "net_spend",
                    "value": "420.50",
                    "percentile": None,
                    "weight": "1.0000",
                    "points": None,
                    "absence": None,
                }
            ],
        },
        "rule": {
            "method": "threshold",
            "metric": "net_spend",
            "level": "ordinary",
            "at_least": "300.00",
            "top_percent": None,
            "share_of": None,
            "calibrated_on": None,
            "levels": [{**level, "top_percent": None} for level in THREE],
        },
        "policy": {
            "id": str(POLICY_ID),
            "version": 3,
            "name": "Twelve months",
        },
        "score": "420.50",
        "unit": "money",
        "cause": "upgrade",
        "next": {"level": "main", "at_least": "1000.00", "missing": "579.50", "spend": "579.50"},
        "keep": {
            "at_least": "270.00",
            "factor": "0.90",
            "not_before": "2027-06-01",
            "window_from": "2026-06-02",
            "notice_days": 30,
            "sentences": {
                "en": "To stay Ordinary, the evaluation of 2027-06-01 asks for net spend of 270.00"
                " since 2026-06-02.",
                "zh": "要保持普通客户，2027-06-01 评定时自 2026-06-02 起须达到净消费 270.00。",
            },
        },
    }
    assert sorted(sentences) == ["en", "zh"]


@pytest.mark.parametrize(
    ("level", "net", "en", "zh"),
    [
        pytest.param(
            MAIN,
            "1026.00",
            "Main: net spend from 2025-11-22 to 2026-11-21 is 1026.00; that reaches the 1000.00"
            " that Main asks for (policy version 3).",
            "主要客户：2025-11-22 至 2026-11-21 净消费 1026.00，达到主要客户的门槛 1000.00"
            "（政策第 3 版）。",
            id="the top",
        ),
        pytest.param(
            ORDINARY,
            "968.00",
            "Ordinary: net spend from 2025-11-22 to 2026-11-21 is 968.00; that reaches the 300.00"
            " that Ordinary asks for (policy version 3). 32.00 more makes Main.",
            "普通客户：2025-11-22 至 2026-11-21 净消费 968.00，达到普通客户的门槛 300.00"
            "（政策第 3 版）。再消费 32.00 即可升为主要客户。",
            id="in the middle",
        ),
        pytest.param(
            SMALL,
            "0.00",
            "Small: net spend from 2025-11-22 to 2026-11-21 is 0.00; that is Small, the lowest"
            " level (policy version 3). 300.00 more makes Ordinary.",
            "小客户：2025-11-22 至 2026-11-21 净消费 0.00，属于最低层级小客户（政策第 3 版）。"
            "再消费 300.00 即可升为普通客户。",
            id="the lowest",
        ),
        pytest.param(
            MAIN,
            "700.00",
            "Main: net spend from 2025-11-22 to 2026-11-21 is 700.00; held from before; the"
            " figures alone would give Ordinary (policy version 3).",
            "主要客户：2025-11-22 至 2026-11-21 净消费 700.00，沿用此前的层级；"
            "仅按当前金额应为普通客户（政策第 3 版）。",
            id="held from before at the top",
        ),
        pytest.param(
            ORDINARY,
            "20.00",
            "Ordinary: net spend from 2025-11-22 to 2026-11-21 is 20.00; held from before; the"
            " figures alone would give Small (policy version 3). 980.00 more makes Main.",
            "普通客户：2025-11-22 至 2026-11-21 净消费 20.00，沿用此前的层级；"
            "仅按当前金额应为小客户（政策第 3 版）。再消费 980.00 即可升为主要客户。",
            id="held from before in the middle",
        ),
    ],
)
def test_the_reason_reads_as_a_sentence_in_both_languages(
    level: TierLevel, net: str, en: str, zh: str
) -> None:
    standing = Figures(TODAY, yuan(net), 1, yuan("0"))
    reason = explain(POLICY, standing, level, UPGRADE, TODAY)
    assert reason["sentences"] == {"en": en, "zh": zh}


def test_nothing_keeps_the_lowest_level_and_nothing_is_above_the_top() -> None:
    standing = Figures(TODAY, yuan("0"), 0, yuan("0"))
    assert explain(POLICY, standing, SMALL, INITIAL, TODAY)["keep"] is None
    assert explain(POLICY, standing, MAIN, INITIAL, TODAY)["next"] is None


@pytest.mark.parametrize(
    ("level", "net", "said", "en", "zh"),
    [
        pytest.param(
            SMALL, "1200.00", {"cause": TierCause.OVERRIDE, "ends_on": date(2027, 1, 31)},
            "set by hand until 2027-01-31; the figures alone would give Main",
            "人工指定至 2027-01-31；仅按当前金额应为主要客户",
            id="set by hand",
        ),
        pytest.param(
            ORDINARY, "700.00", {"cause": TierCause.EVALUATION},
            "at an evaluation that was less than the 900.00 that keeps Main, so it fell by one",
            "评定时低于保持主要客户所需的 900.00，故下调一级",
            id="fallen",
        ),
        pytest.param(
            SMALL, "1200.00", {},
            "that reaches the 1000.00 that Main asks for, not held yet",
            "达到主要客户的门槛 1000.00，尚未升级",
            id="held back",
        ),
        pytest.param(
            KEY, "1200.00", {},
            "a level that this policy no longer has; it would give Main",
            "本政策已无此层级；仅按当前金额应为主要客户",
            id="a level of another policy",
        ),
    ],
)  # fmt: skip
def test_what_the_figures_do_not_say_is_said(
    level: TierLevel, net: str, said: dict[str, Any], en: str, zh: str
) -> None:
    found = sentences(POLICY, Figures(TODAY, yuan(net), 1), level, **said)
    assert en in found["en"]
    assert zh in found["zh"]


# --- Other methods ------------------------------------------------------------------------------


def test_a_share_policy_tells_the_cut_its_day_and_the_purchase_that_gets_there() -> None:
    figures = Figures(
        TODAY, yuan("400.00"), 4, gross_spend=yuan("400.00"), costed=yuan("400.00"),
        margin=yuan("100.00"), last_purchase_on=date(2026, 11, 3),
    )  # fmt: skip
    reason = explain(SHARES, figures, SMALL, INITIAL, TODAY)
    assert (reason["score"], reason["unit"]) == ("100.00", "money")
    assert reason["rule"] == {
        "method": "share",
        "metric": "margin",
        "level": "small",
        "at_least": "0.00",
        "top_percent": "100",
        "share_of": "customers",
        "calibrated_on": "2026-11-01",
        "levels": [
            {"level": "main", "at_least": "250.00", "top_percent": "20"},
            {"level": "small", "at_least": "0.00", "top_percent": "100"},
        ],
    }
    assert reason["inputs"]["last_purchase_on"] == "2026-11-03"
    # A quarter of what is bought is margin: 150.00 of it are in 600.00.
    assert reason["next"] == {
        "level": "main", "at_least": "250.00", "missing": "150.00", "spend": "600.00",
    }  # fmt: skip
    assert reason["keep"] is None
    assert reason["sentences"] == {
        "en": "Small: margin from 2025-11-22 to 2026-11-21 is 100.00; that is Small, the lowest"
        " level (policy version 2). 150.00 of margin more makes Main: a purchase of 600.00 would"
        " do.",
        "zh": "小客户：2025-11-22 至 2026-11-21 毛利 100.00，属于最低层级小客户（政策第 2 版）。"
        "再增加毛利 150.00 即可升为主要客户，如再消费 600.00。",
    }
    there = figures.with_purchase(yuan("600.00"))
    assert explain(SHARES, there, MAIN, UPGRADE, TODAY)["sentences"] == {
        "en": "Main: margin from 2025-11-22 to 2026-11-21 is 250.00; that reaches 250.00, with"
        " which the top 20 % of 2026-11-01 begins (policy version 2).",
        "zh": "主要客户：2025-11-22 至 2026-11-21 毛利 250.00，达到 2026-11-01 前 20% 的起点"
        " 250.00（政策第 2 版）。",
    }


def test_days_are_counted_and_no_amount_makes_up_for_them() -> None:
    figures = Figures(TODAY, yuan("90.00"), 5, purchase_days=4)
    reason = explain(VISITS, figures, SMALL, INITIAL, TODAY)
    assert (reason["score"], reason["unit"]) == ("4", "days")
    assert reason["inputs"]["window_from"] == "2026-08-24"
    assert reason["next"] == {"level": "main", "at_least": "6", "missing": "2", "spend": None}
    assert reason["sentences"] == {
        "en": "Small: the number of days with a purchase from 2026-08-24 to 2026-11-21 is 4; that"
        " is Small, the lowest level (policy version 4). 2 days with a purchase more makes Main.",
        "zh": "小客户：2026-08-24 至 2026-11-21 购买天数 4，属于最低层级小客户（政策第 4 版）。"
        "再增加 2 个购买日即可升为主要客户。",
    }


def test_a_composite_score_is_told_indicator_by_indicator() -> None:
    figures = Figures(
        TODAY, yuan("400.00"), 4, costed=yuan("400.00"), margin=yuan("80.00"), purchase_days=40,
        gross_spend=yuan("400.00"), last_purchase_on=TODAY,
    )  # fmt: skip
    reason = explain(COMPOSITE, figures, TierLevel.GENERAL, INITIAL, TODAY)
    assert reason["inputs"]["indicators"] == [
        {
            "indicator": "margin", "value": "80.00", "percentile": 80, "weight": "0.5000",
            "points": "40.0000", "absence": None,
        },
        {
            "indicator": "frequency", "value": "40", "percentile": 40, "weight": "0.5000",
            "points": "20.0000", "absence": None,
        },
        {
            "indicator": "expected_margin", "value": None, "percentile": None, "weight": "0.0000",
            "points": "0.0000", "absence": "no_source",
        },
    ]  # fmt: skip
    assert (reason["score"], reason["unit"]) == ("60.0000", "points")
    # A fifth of what is bought is margin: five points more of it are five percentiles.
    assert reason["next"] == {
        "level": "key", "at_least": "62.5000", "missing": "2.5000", "spend": "25.00",
    }  # fmt: skip
    assert reason["sentences"] == {
        "en": "General: the score from 2025-11-22 to 2026-11-21 is 60 of 100 points; that is"
        " General, the lowest level (policy version 5). Most of it: Margin 40, Days with a purchase"
        " 20. Left out for want of data: Expected margin of the next year. 2.5 points more makes"
        " Key: a purchase of 25.00 would do.",
        "zh": "一般客户：2025-11-22 至 2026-11-21 综合得分 60（满分 100），属于最低层级一般客户"
        "（政策第 5 版）。其中毛利 40 分、购买天数 20 分。因无数据未计入：未来一年预期毛利。"
        "再增加 2.5 分即可升为关键客户，如再消费 25.00。",
    }


def test_an_indicator_without_data_says_so_and_gives_its_weight_to_the_others() -> None:
    figures = Figures(TODAY, yuan("400.00"), 4, purchase_days=40, last_purchase_on=TODAY)
    reason = explain(COMPOSITE, figures, TierLevel.GENERAL, INITIAL, TODAY)
    margin, frequency, _ = reason["inputs"]["indicators"]
    assert (margin["value"], margin["weight"], margin["absence"]) == (None, "0.0000", "no_data")
    assert (frequency["weight"], frequency["points"]) == ("1.0000", "40.0000")
    # Nothing is known of the margin of what is bought: no amount is sure to get there.
    assert reason["next"]["spend"] is None
    assert "Left out for want of data: Margin, Expected margin" in reason["sentences"]["en"]


@pytest.mark.parametrize(
    ("policy", "level", "asked", "by_then", "spend", "en", "zh"),
    [
        pytest.param(
            POLICY, MAIN, "900.00", "617.60", "282.40",
            "To stay Main, spend 282.40 more before 2027-06-01: that evaluation asks for 900.00,"
            " and 617.60 of today's spend will still count.",
            "要保持主要客户，须在 2027-06-01 前再消费 282.40：届时要求 900.00，"
            "目前消费中仍计入 617.60。",
            id="spend is missing",
        ),
        pytest.param(
            POLICY, MAIN, "900.00", "900.00", "0.00",
            "Main is safe at the evaluation of 2027-06-01: that evaluation asks for 900.00,"
            " and 900.00 of today's spend will still count.",
            "2027-06-01 评定时可保持主要客户：届时要求 900.00，目前消费中仍计入 900.00。",
            id="safe",
        ),
        pytest.param(
            VISITS, MAIN, "6", "2", None,
            "To stay Main, 4 days with a purchase more are needed before 2027-06-01: that"
            " evaluation asks for 6, and without a purchase it will be 2.",
            "要保持主要客户，须在 2027-06-01 前再增加 4 个购买日：届时要求 6，"
            "若不再消费将为 2。",
            id="days are missing",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_level_is_said(
    policy: Policy, level: TierLevel, asked: str, by_then: str, spend: str | None, en: str, zh: str
) -> None:
    paid = None if spend is None else yuan(spend)
    day = date(2027, 6, 1)
    found = forecast_sentences(policy, level, day, yuan(asked), yuan(by_then), paid)
    assert found == {"en": en, "zh": zh}


# --- Reasons stored before ----------------------------------------------------------------------

STORED_BEFORE: dict[str, Any] = {
    "inputs": {
        "as_of": "2026-11-21",
        "window_from": "2025-11-22",
        "window_to": "2026-11-21",
        "window_days": 365,
        "net_spend": "420.50",
        "refunded": "35.00",
        "purchases": 7,
    },
    "rule": {
        "method": "threshold",
        "metric": "net_spend",
        "level": "ordinary",
        "at_least": "300.00",
    },
    "policy": {"id": str(POLICY_ID), "version": 3, "name": "Twelve months"},
    "cause": "upgrade",
    "next": {"level": "main", "at_least": "1000.00", "missing": "579.50"},
    "keep": {
        "at_least": "270.00",
        "factor": "0.90",
        "not_before": "2027-06-01",
        "notice_days": 30,
    },
    "sentences": {"en": "Ordinary: net spend is 420.50.", "zh": "普通客户：净消费 420.50。"},
}


def test_a_reason_stored_before_other_methods_came_reads_as_one_of_today() -> None:
    figures = Figures(TODAY, yuan("420.5"), 7, yuan("35"))
    today = explain(POLICY, figures, ORDINARY, UPGRADE, date(2026, 11, 20))
    found = completed(STORED_BEFORE)
    # What every level asked for was not kept; its own sentences stand.
    assert found["rule"].pop("levels") == []
    assert found["sentences"] == STORED_BEFORE["sentences"]
    del today["rule"]["levels"]
    assert {**found, "sentences": today["sentences"]} == today
    assert "score" not in STORED_BEFORE


@pytest.mark.parametrize(
    "stored",
    [
        STORED_BEFORE,
        {**STORED_BEFORE, "next": None, "keep": None},
        explain(SHARES, Figures(TODAY), SMALL, INITIAL, TODAY),
        explain(VISITS, Figures(TODAY), MAIN, TierCause.OVERRIDE, TODAY, ends_on=TODAY),
        explain(COMPOSITE, Figures(TODAY), KEY, TierCause.RECONCILED, TODAY),
    ],
)
def test_every_reason_is_an_answer(stored: dict[str, Any]) -> None:
    answer = TierExplanation.model_validate(completed(stored))
    assert answer.model_dump(mode="json") == completed(stored)
