"""Hollow accounts: where each sign begins, what is not known, and what is said of it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.hollow_accounts import Limits, contribution_rate, evidence
from app.rules.tier_calibrations import References
from app.rules.tier_figures import Figures
from app.vocabulary import HollowSign

LOW, RETURNS, DEAR = (
    HollowSign.LOW_CONTRIBUTION,
    HollowSign.MANY_RETURNS,
    HollowSign.DEAR_TO_SERVE,
)
BIG, FEW = HollowSign.ONE_BIG_ORDER, HollowSign.FEW_DAYS
REFERENCES = References(
    value_contribution=Decimal("300.00"),
    top_gross=Decimal("1000.00"),
    contribution_rate_p25=Decimal("0.0800"),
    refund_rate_mean=Decimal("0.0900"),
    service_cost_median=Decimal("10.00"),
    service_cost_total=Decimal("5000.00"),
    contribution_total=Decimal("90000.00"),
)
SOUND = Figures(
    as_of=date(2026, 11, 28),
    net_spend=Decimal("1000.00"),
    purchases=5,
    gross_spend=Decimal("1000.00"),
    costed=Decimal("1000.00"),
    margin=Decimal("400.00"),
    purchase_days=5,
    largest=Decimal("300.00"),
)


def signs(figures: Figures, references: References = REFERENCES) -> tuple[HollowSign, ...] | None:
    """Return the signs of a hollow account, None where it is none."""
    found = evidence(figures, references)
    return None if found is None else found.signs


def yuan(text: str) -> Decimal:
    """Return an amount or a rate."""
    return Decimal(text)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="nothing is wrong with it"),
        # The limit of the contribution rate is the 25th percentile, 0.08, being above 5 %.
        pytest.param({"margin": yuan("80.04")}, (LOW,), id="contributes 8.00 %, rounded"),
        pytest.param({"margin": yuan("80.05")}, None, id="contributes 8.01 %, rounded"),
        pytest.param(
            {"margin": yuan("95.00"), "service_cost": yuan("15.00")},
            (LOW,),
            id="contributes little after what serving costs",
        ),
        pytest.param(
            {"costed": yuan("0.00"), "margin": yuan("0.00")}, None, id="no cost of goods is known"
        ),
        pytest.param(
            {"costed": yuan("100.00"), "margin": yuan("40.00")},
            None,
            id="a tenth is known, and earns 40 %",
        ),
        pytest.param(
            {"costed": yuan("100.00"), "margin": yuan("8.00")},
            (LOW,),
            id="a tenth is known, and earns 8 %",
        ),
        # (refunded + 15) / (gross + 300) of at least twice the mean, 0.18: 219.00 of 1300.00.
        pytest.param({"refunded": yuan("219.00")}, (RETURNS,), id="returned 18.00 %, shrunk"),
        pytest.param({"refunded": yuan("218.93")}, None, id="returned 17.99 %, shrunk"),
        pytest.param(
            {"service_cost": yuan("20.00")}, (DEAR,), id="costs twice the median to serve"
        ),
        pytest.param({"service_cost": yuan("19.99")}, None, id="costs a cent less to serve"),
        pytest.param({"largest": yuan("500.01")}, (BIG,), id="one order is more than half"),
        pytest.param({"largest": yuan("500.00")}, None, id="one order is just half"),
        pytest.param(
            {"gross_spend": yuan("1000.01"), "largest": yuan("500.01")},
            (BIG,),
            id="one order is half a cent more than half",
        ),
        pytest.param({"purchase_days": 2}, (FEW,), id="bought on two days"),
        pytest.param({"purchase_days": 3}, None, id="bought on three days"),
        pytest.param(
            {"purchases": 1, "purchase_days": 1, "largest": yuan("1000.00")},
            (BIG, FEW),
            id="one order is all there is",
        ),
        pytest.param(
            {"gross_spend": yuan("999.99"), "purchase_days": 1, "largest": yuan("999.99")},
            None,
            id="a cent below the top fifth nothing is a sign",
        ),
        pytest.param(
            {
                "margin": yuan("10.00"),
                "refunded": yuan("600.00"),
                "service_cost": yuan("50.00"),
                "largest": yuan("900.00"),
                "purchase_days": 1,
            },
            (LOW, RETURNS, DEAR, BIG, FEW),
            id="everything at once",
        ),
    ],
)
def test_a_sign_begins_at_its_limit(
    changes: dict[str, Decimal | int], expected: tuple[HollowSign, ...] | None
) -> None:
    assert signs(replace(SOUND, **changes)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("references", "changes", "expected"),
    [
        pytest.param(
            {"contribution_rate_p25": yuan("-0.2")},
            {"margin": yuan("50.00")},
            (LOW,),
            id="5 % is little even where a quarter contributes less",
        ),
        pytest.param(
            {"contribution_rate_p25": yuan("-0.2")}, {"margin": yuan("51.00")}, None, id="5.1 %"
        ),
        pytest.param(
            {"refund_rate_mean": yuan("0.05")},
            {"refunded": yuan("180.00")},
            (RETURNS,),
            id="15 % is much even where the mean is low",
        ),
        pytest.param(
            {"refund_rate_mean": yuan("0.05")}, {"refunded": yuan("179.93")}, None, id="14.99 %"
        ),
        pytest.param(
            {"service_cost_median": yuan("0.00")},
            {"service_cost": yuan("900.00"), "margin": yuan("1000.00")},
            None,
            id="nothing is dear where half of them cost nothing",
        ),
        pytest.param(
            {"top_gross": yuan("0.00")},
            {
                "purchases": 0,
                "purchase_days": 0,
                "gross_spend": yuan("0.00"),
                "largest": yuan("0.00"),
            },
            None,
            id="nobody without a purchase is hollow",
        ),
    ],
)
def test_the_limits_are_those_of_the_snapshot(
    references: dict[str, Decimal],
    changes: dict[str, Decimal | int],
    expected: tuple[HollowSign, ...] | None,
) -> None:
    figures = replace(SOUND, **changes)  # type: ignore[arg-type]
    assert signs(figures, replace(REFERENCES, **references)) == expected


def test_limits_are_what_a_statement_over_many_cards_takes() -> None:
    assert Limits.of(replace(REFERENCES, refund_rate_mean=yuan("0.09126"))) == Limits(
        gross=yuan("1000.00"),
        contribution_rate=yuan("0.0800"),
        refund_rate=yuan("0.1825"),
        service_cost=yuan("20.00"),
    )


def test_the_contribution_is_not_known_where_nothing_was_kept() -> None:
    assert contribution_rate(SOUND) == yuan("0.4000")
    assert contribution_rate(replace(SOUND, service_cost=yuan("500.00"))) == yuan("-0.1000")
    assert contribution_rate(replace(SOUND, net_spend=yuan("0.00"))) is None
    assert contribution_rate(replace(SOUND, costed=yuan("0.00"))) is None


def test_evidence_shows_every_condition_with_its_numbers_in_both_languages() -> None:
    found = evidence(
        replace(
            SOUND, costed=yuan("0.00"), margin=yuan("0.00"), largest=yuan("800.00"), purchase_days=2
        ),
        replace(REFERENCES, service_cost_median=yuan("0.00")),
    )

    assert found is not None
    assert found.is_severe
    assert found.as_json() == {
        "as_of": "2026-11-28",
        "gross": "1000.00",
        "top_gross": "1000.00",
        "is_severe": True,
        "signs": ["one_big_order", "few_days"],
        "conditions": [
            {
                "sign": "low_contribution",
                "number": None,
                "limit": "0.0800",
                "is_met": False,
                "sentences": {
                    "en": "How much it contributes is not known: no cost of goods, or nothing"
                    " that was kept.",
                    "zh": "贡献率未知：没有商品成本，或没有留存的消费。",
                },
            },
            {
                "sign": "many_returns",
                "number": "0.0115",
                "limit": "0.1800",
                "is_met": False,
                "sentences": {
                    "en": "Returned 0.00 of 1000.00, counted as 1.15 %; 18.00 % or more is much.",
                    "zh": "消费 1000.00 中退货 0.00，计为 1.15 %；18.00 % 及以上为多。",
                },
            },
            {
                "sign": "dear_to_serve",
                "number": "0.00",
                "limit": None,
                "is_met": False,
                "sentences": {
                    "en": "Serving cost 0.00; it is not known what is usual.",
                    "zh": "服务成本 0.00；尚不知通常水平。",
                },
            },
            {
                "sign": "one_big_order",
                "number": "800.00",
                "limit": "500.00",
                "is_met": True,
                "sentences": {
                    "en": "The largest order is 800.00; more than 500.00 is most of the gross.",
                    "zh": "最大一笔为 800.00；超过 500.00 即占消费总额的大部分。",
                },
            },
            {
                "sign": "few_days",
                "number": "2",
                "limit": "2",
                "is_met": True,
                "sentences": {
                    "en": "Bought on 2 days; 2 or fewer are few.",
                    "zh": "有 2 天购买；2 天及以下为少。",
                },
            },
        ],
        "sentences": {
            "en": "A gross of 1000.00 in the window that ends with 2026-11-28 is in the top fifth,"
            " which begins at 1000.00, but looks hollow: one order makes most of the year,"
            " bought on few days.",
            "zh": "截至 2026-11-28 的统计期内消费总额 1000.00，位于前五分之一（1000.00 起），"
            "但存在虚高迹象：单笔订单占比过大、购买天数少。",
        },
    }


money = st.integers(0, 500_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def figures_of_a_card(draw: st.DrawFn) -> Figures:
    """Return figures such as receipts can give."""
    amounts = draw(st.lists(money, max_size=8))
    gross = sum(amounts, Decimal("0.00"))
    refunded = min(draw(money), gross)
    net = gross - refunded
    costed = net * draw(st.integers(0, 4)) / 4
    return Figures(
        as_of=date(2026, 11, 28),
        net_spend=net,
        purchases=len(amounts),
        refunded=refunded,
        gross_spend=gross,
        costed=costed,
        margin=costed * draw(st.integers(-100, 100)) / 100,
        purchase_days=draw(st.integers(min(len(amounts), 1), len(amounts))),
        largest=max(amounts, default=Decimal("0.00")),
        service_cost=draw(money),
    )


@given(figures_of_a_card())
def test_hollow_means_in_the_top_fifth_with_a_sign_whose_number_passes_its_limit(
    figures: Figures,
) -> None:
    found = evidence(figures, REFERENCES)

    if found is None:
        # Nothing was overlooked: the gross is too small, or no sign is there.
        limits = Limits.of(REFERENCES)
        rate = contribution_rate(figures)
        assert figures.gross_spend < limits.gross or (
            (rate is None or rate > limits.contribution_rate)
            and figures.refund_rate < limits.refund_rate
            and figures.service_cost < 20
            and figures.largest * 2 <= figures.gross_spend
            and figures.purchase_days > 2
        )
        return
    assert figures.gross_spend >= REFERENCES.top_gross
    assert [condition.sign for condition in found.conditions] == list(HollowSign)
    assert found.signs
    assert found.is_severe == (len(found.signs) >= 2)
    for condition in found.conditions:
        if condition.number is None or condition.limit is None:
            assert not condition.is_met
        elif condition.sign in (LOW, FEW):
            assert condition.is_met == (condition.number <= condition.limit)
        elif condition.sign is BIG:
            assert condition.is_met == (condition.number > condition.limit)
            assert condition.is_met == (figures.largest * 2 > figures.gross_spend)
        else:
            assert condition.is_met == (condition.number >= condition.limit)


@given(figures_of_a_card(), money)
def test_dearer_service_never_takes_a_sign_away(figures: Figures, more: Decimal) -> None:
    before = evidence(figures, REFERENCES)
    after = evidence(replace(figures, service_cost=figures.service_cost + more), REFERENCES)

    assert set(before.signs if before else ()) <= set(after.signs if after else ())


@given(figures_of_a_card())
def test_a_better_margin_never_makes_a_card_hollow(figures: Figures) -> None:
    before = evidence(figures, REFERENCES)
    after = evidence(replace(figures, margin=figures.margin + figures.costed), REFERENCES)

    assert set(after.signs if after else ()) <= set(before.signs if before else ())
