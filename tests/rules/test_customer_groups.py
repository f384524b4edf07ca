"""Groups, the next level and reasons to prune: where each condition begins, and what is said."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.rules.customer_groups import Standing, group_of, next_level, pruning_of
from app.rules.tier_calibrations import Calibration, References
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerGroup, PolicyMethod, PruningReason, TierLevel, Unit

AS_OF = date(2026, 11, 28)
REFERENCES = References(
    value_contribution=Decimal("300.00"),
    top_gross=Decimal("1000.00"),
    contribution_rate_p25=Decimal("0.0800"),
    refund_rate_mean=Decimal("0.0900"),
    service_cost_median=Decimal("10.00"),
    service_cost_total=Decimal("5000.00"),
    contribution_total=Decimal("100000.00"),
)
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
LEVELS = [
    {"level": "main", "at_least": "1000.00"},
    {"level": "ordinary", "at_least": "300.00"},
    {"level": "small", "at_least": "0.00"},
]
# Bought for years, contributes 100.00 which is not among the top fifth, costs little, stands still.
STEADY = Figures(
    AS_OF,
    net_spend=Decimal("200.00"),
    purchases=5,
    gross_spend=Decimal("200.00"),
    costed=Decimal("200.00"),
    margin=Decimal("105.00"),
    purchase_days=5,
    last_purchase_on=AS_OF - timedelta(20),
    net_180=Decimal("100.00"),
    net_prior_180=Decimal("100.00"),
    service_cost=Decimal("5.00"),
)


def policy_of(window_days: int = 365, metric: str = "net_spend") -> Policy:
    """Return the usual policy of three levels."""
    body = {"metric": metric, "window_days": window_days, "levels": LEVELS, "keep": KEEP}
    return Policy.of(UUID(int=1), 1, "Three", PolicyMethod.THRESHOLD, body)


def standing(**changes: Any) -> Standing:
    """Return how a card stands by the usual policy."""
    own = {name: changes.pop(name) for name in ("repeat_purchase_days", "is_in_review")
           if name in changes}  # fmt: skip
    figures = replace(STEADY, **changes)
    return Standing(figures, **{"repeat_purchase_days": 30, **own}, score=figures.net_spend)


def yuan(text: str) -> Decimal:
    """Return an amount."""
    return Decimal(text)


OVER, PROSPECTIVE, VALUE, POTENTIAL, OTHER = (
    CustomerGroup.OVER_SERVED, CustomerGroup.PROSPECTIVE, CustomerGroup.VALUE,
    CustomerGroup.POTENTIAL, CustomerGroup.OTHER,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, OTHER, id="steady"),
        # Twice its share of the contribution: 2 x 100 / 100000 of 5000 is 10.00.
        pytest.param({"margin": yuan("112.00"), "service_cost": yuan("12.00")}, OVER,
                     id="twice its share and above the median"),
        pytest.param({"margin": yuan("132.01"), "service_cost": yuan("12.01")}, OVER,
                     id="a cent above twice its share"),
        pytest.param({"margin": yuan("132.00"), "service_cost": yuan("12.00")}, OVER,
                     id="just twice its share"),
        pytest.param({"margin": yuan("132.01"), "service_cost": yuan("12.00")}, OTHER,
                     id="a trifle below twice its share"),
        pytest.param({"margin": yuan("15.00"), "service_cost": yuan("10.00")}, OTHER,
                     id="much for what it gives, but just the median"),
        pytest.param({"margin": yuan("15.00"), "service_cost": yuan("10.01")}, OVER,
                     id="a cent above the median"),
        pytest.param({"margin": yuan("450.00"), "service_cost": yuan("150.00")}, VALUE,
                     id="dear, but among the top fifth"),
        pytest.param({"margin": yuan("449.99"), "service_cost": yuan("150.00")}, OVER,
                     id="dear, and a cent short of the top fifth"),
        pytest.param({"margin": yuan("305.00")}, VALUE, id="just the top fifth"),
        pytest.param({"margin": yuan("304.99")}, OTHER, id="a cent short of the top fifth"),
        pytest.param({"costed": yuan("0.00"), "margin": yuan("0.00"),
                      "service_cost": yuan("500.00")}, OTHER,
                     id="dear, and nothing is known of what it contributes"),
        pytest.param({"last_purchase_on": None, "purchases": 0, "service_cost": yuan("500.00")},
                     PROSPECTIVE, id="never bought, dear to serve"),
        pytest.param({"repeat_purchase_days": 0, "last_purchase_on": AS_OF - timedelta(89)},
                     PROSPECTIVE, id="one day, 89 days ago"),
        pytest.param({"repeat_purchase_days": 0, "last_purchase_on": AS_OF - timedelta(90)},
                     OTHER, id="one day, 90 days ago"),
        pytest.param({"repeat_purchase_days": 1, "last_purchase_on": AS_OF}, OTHER,
                     id="two days"),
        pytest.param({"repeat_purchase_days": 0, "margin": yuan("900.00")}, PROSPECTIVE,
                     id="one day comes before value"),
        pytest.param({"repeat_purchase_days": 0, "margin": yuan("15.00"),
                      "service_cost": yuan("11.00")}, OVER, id="over-served comes before all"),
        # ln(170 / 139.18) is 0.2000, ln(171 / 139.95) 0.2004.
        pytest.param({"net_180": yuan("120.00"), "net_prior_180": yuan("89.18")}, OTHER,
                     id="grows by 0.200"),
        pytest.param({"net_180": yuan("120.00"), "net_prior_180": yuan("89.05")}, POTENTIAL,
                     id="grows by 0.201"),
        pytest.param({"net_180": yuan("147.95"), "net_prior_180": yuan("147.95")}, POTENTIAL,
                     id="a pace of 300.01"),
        pytest.param({"net_180": yuan("147.94"), "net_prior_180": yuan("147.94")}, OTHER,
                     id="a pace of 299.99"),
        pytest.param({"margin": yuan("305.00"), "net_180": yuan("900.00")}, VALUE,
                     id="value comes before potential"),
    ],
)  # fmt: skip
def test_the_group_of_a_card(changes: dict[str, Any], expected: CustomerGroup) -> None:
    assert group_of(standing(**changes), policy_of(), REFERENCES).group is expected


def test_shares_of_nothing_make_nobody_over_served() -> None:
    dear = standing(margin=yuan("15.00"), service_cost=yuan("11.00"))
    for whole in ({"contribution_total": yuan("0.00")}, {"service_cost_total": yuan("0.00")},
                  {"contribution_total": yuan("-9.00")}):  # fmt: skip
        found = group_of(dear, policy_of(), replace(REFERENCES, **whole))
        assert found.group is OTHER
        assert found.reasons[0].limit is None


def test_each_condition_is_shown_with_its_number_in_both_languages() -> None:
    found = group_of(
        standing(margin=yuan("112.00"), service_cost=yuan("12.00")), policy_of(), REFERENCES
    )
    assert [(str(r.group), str(r.number), str(r.limit), r.is_met) for r in found.reasons] == [
        ("over_served", "12.00", "10.00", True),
        ("over_served", "12.00", "10.00", True),
        ("over_served", "100.00", "300.00", True),
        ("prospective", "20", "90", False),
        ("value", "100.00", "300.00", False),
        ("potential", "0.000", "0.2", False),
        ("potential", "202.78", "300.00", False),
    ]
    assert found.reasons[0].sentences == {
        "en": "Serving cost 12.00; with 100.00 of the contribution, twice its share of what"
        " serving all cost is 10.00.",
        "zh": "服务成本 12.00；其贡献为 100.00，按贡献占比两倍计的服务成本为 10.00。",
    }
    assert found.reasons[6].sentences == {
        "en": "The pace is 202.78 in 365 days; Ordinary begins at 300.00.",
        "zh": "按目前速度 365 天消费 202.78；普通客户从 300.00 起。",
    }


def test_what_is_not_known_is_said_and_not_met() -> None:
    unknown = standing(costed=yuan("0.00"), margin=yuan("0.00"))
    found = group_of(unknown, policy_of(), REFERENCES)
    assert unknown.contribution is None
    assert [r.number for r in found.reasons] == [
        yuan("5.00"), yuan("5.00"), None, 20, None, Decimal("0.000"), yuan("202.78"),
    ]  # fmt: skip
    assert found.reasons[4].sentences["zh"] == "贡献未知：没有商品成本或没有购买。"
    never = standing(last_purchase_on=None, purchases=0)
    assert (never.contribution, never.growth) == (None, None)


def test_who_has_stopped_buying_costs_what_serving_costs() -> None:
    gone = standing(purchases=0, costed=yuan("0.00"), margin=yuan("0.00"))
    assert gone.contribution == yuan("-5.00")


@pytest.mark.parametrize(
    ("net", "net_180", "prior", "expected"),
    [
        pytest.param("240.00", "100.00", "99.00", (True, False, True), id="20 % short, growing"),
        pytest.param("239.99", "100.00", "99.00", (False, False, False), id="a cent more is short"),
        pytest.param("240.00", "100.00", "100.00", (True, False, False), id="near, standing still"),
        pytest.param("240.00", "99.00", "100.00", (True, False, False), id="near, shrinking"),
        pytest.param("150.00", "147.95", "500.00", (False, True, True), id="on pace, shrinking"),
        pytest.param("299.99", "147.94", "100.00", (True, False, True), id="a cent is missing"),
    ],
)
def test_upgrade_potential(
    net: str, net_180: str, prior: str, expected: tuple[bool, bool, bool]
) -> None:
    found = next_level(
        standing(net_spend=yuan(net), net_180=yuan(net_180), net_prior_180=yuan(prior)),
        policy_of(),
    )
    assert found is not None
    assert (found.is_near, found.is_on_pace, found.has_potential) == expected
    assert (found.level, found.missing) == (TierLevel.ORDINARY, yuan("300.00") - yuan(net))


def test_the_next_level_lies_above_what_is_earned() -> None:
    def above(net: str) -> TierLevel | None:
        found = next_level(standing(net_spend=yuan(net)), policy_of())
        return None if found is None else found.level

    assert above("-20.00") is TierLevel.ORDINARY
    assert above("299.99") is TierLevel.ORDINARY
    assert above("300.00") is TierLevel.MAIN
    assert above("1000.00") is None


def test_pace_is_held_against_a_level_over_the_policys_own_window() -> None:
    card = standing(net_180=yuan("147.95"))
    assert (card.pace, card.pace_of(180)) == (yuan("300.01"), yuan("147.95"))
    for window_days, is_on_pace in ((365, True), (180, False), (364, False)):
        found = next_level(card, policy_of(window_days))
        assert found is not None
        assert found.is_on_pace is is_on_pace


def test_a_policy_that_does_not_score_net_spend_knows_no_pace() -> None:
    card = standing(net_180=yuan("9000.00"), net_prior_180=yuan("9000.00"))
    found = next_level(card, policy_of(metric="gross_spend"))
    assert found is not None
    assert (found.is_on_pace, found.unit) == (False, Unit.MONEY)
    assert "pace" not in found.sentences["en"]
    assert group_of(card, policy_of(metric="gross_spend"), REFERENCES).group is OTHER


def test_points_are_missing_with_two_decimals() -> None:
    body = {
        "indicators": [{"indicator": "net_spend", "weight": "1"}], "window_days": 365,
        "levels": [{"level": "key", "top_percent": "20"},
                   {"level": "general", "top_percent": "100"}],
        "keep": KEEP,
    }  # fmt: skip
    calibration = Calibration(
        AS_OF, 100, {TierLevel.KEY: Decimal("61.5555"), TierLevel.GENERAL: Decimal(0)}
    )
    policy = Policy.of(UUID(int=1), 1, "C", PolicyMethod.COMPOSITE, body, calibration)
    card = Standing(STEADY, 30, Decimal("50.0000"))
    found = next_level(card, policy)
    assert found is not None
    assert (found.missing, found.unit, found.is_near) == (yuan("11.56"), Unit.POINTS, True)


@pytest.mark.parametrize(
    ("changes", "group", "expected"),
    [
        pytest.param({}, OTHER, [], id="steady"),
        pytest.param({"margin": yuan("4.99")}, OVER, [("over_served_at_a_loss", "-0.01")],
                     id="over-served at a loss"),
        pytest.param({"margin": yuan("5.00")}, OVER, [], id="over-served without a loss"),
        pytest.param({"margin": yuan("4.99")}, OTHER, [], id="a loss without being over-served"),
        pytest.param({"margin": yuan("4.99"), "is_in_review": True}, OVER, [],
                     id="somebody is looking at it"),
        pytest.param({"last_purchase_on": AS_OF - timedelta(730)}, OTHER,
                     [("silent_yet_served", "730")], id="silent for two years"),
        pytest.param({"last_purchase_on": AS_OF - timedelta(729)}, OTHER, [], id="a day less"),
        pytest.param({"last_purchase_on": AS_OF - timedelta(800), "service_cost": yuan("0.00")},
                     OTHER, [], id="silent and not served"),
        pytest.param({"last_purchase_on": None}, PROSPECTIVE, [], id="a prospect"),
        pytest.param({"last_purchase_on": AS_OF - timedelta(800), "margin": yuan("0.00")}, OVER,
                     [("over_served_at_a_loss", "-5.00"), ("silent_yet_served", "800")],
                     id="both"),
    ],
)  # fmt: skip
def test_reasons_to_prune(
    changes: dict[str, Any], group: CustomerGroup, expected: list[tuple[str, str]]
) -> None:
    found = pruning_of(standing(**changes), group)
    assert [(str(pruning.reason), str(pruning.number)) for pruning in found] == expected


def test_a_reason_to_prune_is_said_with_its_numbers() -> None:
    (found,) = pruning_of(standing(last_purchase_on=AS_OF - timedelta(731)), OTHER)
    assert found.reason is PruningReason.SILENT_YET_SERVED
    assert found.sentences == {
        "en": "Bought nothing for 731 days (730 or more), and serving it cost 5.00 within 365"
        " days.",
        "zh": "已 731 天没有购买（达到 730 天），近 365 天服务成本 5.00。",
    }
