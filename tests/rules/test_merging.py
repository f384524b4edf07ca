"""Which value a merged card says, and why."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules import merging, tiering
from app.rules.merging import FieldDecision, MergingCard, MergingIdentity
from app.rules.tier_policies import KeepRule, LevelRule, Policy
from app.rules.tiering import Assigned, Held, Step
from app.schemas.card_parts import MAXIMUM_FAMILY, MAXIMUM_TAGS
from app.vocabulary import CustomerKind, CustomerStatus, MergeRule, TierCause, TierLevel

A, B, C = (UUID(int=number) for number in (1, 2, 3))
DAY = date(2026, 3, 1)
POLICY = Policy(
    UUID(int=9), 1, "three", 365,
    (
        LevelRule(TierLevel.MAIN, Decimal(1000)),
        LevelRule(TierLevel.ORDINARY, Decimal(300)),
        LevelRule(TierLevel.SMALL, Decimal(0)),
    ),
    KeepRule(Decimal("0.8"), 90, 30),
)  # fmt: skip


def card(
    customer_id: UUID,
    values: dict[str, Any],
    verified_on: date | None = None,
    changed: int = 1,
    **more: Any,
) -> MergingCard:
    """Return a card that says these values, changed on a day of March."""
    return MergingCard(
        id=customer_id,
        kind=more.get("kind", CustomerKind.INDIVIDUAL),
        status=more.get("status", CustomerStatus.ACTIVE),
        values=values,
        verified_on=verified_on,
        updated_at=datetime(2026, 3, changed, tzinfo=UTC),
    )


def only(cards: list[MergingCard], **choices: UUID) -> FieldDecision:
    """Return the one field that is decided."""
    (decision,) = merging.decide_fields(cards, choices)
    return decision


@pytest.mark.parametrize(
    ("case", "values", "verified", "expected", "by", "rule", "is_conflict"),
    [
        ("same", ("x", "x", "x"), (None,) * 3, "x", A, MergeRule.AGREED, False),
        ("survivor's", ("x", "y", None), (None,) * 3, "x", A, MergeRule.SURVIVOR, True),
        ("survivor alone", ("x", None, ""), (None,) * 3, "x", A, MergeRule.SURVIVOR, False),
        ("one loser", (None, "y", None), (None,) * 3, "y", B, MergeRule.ONLY_VALUE, False),
        ("losers agree", (None, "y", "y"), (None,) * 3, "y", C, MergeRule.AGREED, False),
        ("changed last", (None, "y", "z"), (None,) * 3, "z", C, MergeRule.LATEST_CHANGED, True),
        (
            "verified last", (None, "y", "z"), (None, DAY, None), "y", B,
            MergeRule.LATEST_VERIFIED, True,
        ),
        (
            "verified together", (None, "y", "z"), (None, DAY, DAY), "z", C,
            MergeRule.LATEST_CHANGED, True,
        ),
    ],
)  # fmt: skip
def test_a_value_of_the_surviving_card_stands_unless_it_is_empty(
    case: str,
    values: tuple[Any, ...],
    verified: tuple[date | None, ...],
    expected: str,
    by: UUID,
    rule: MergeRule,
    is_conflict: bool,
) -> None:
    cards = [
        card(one, {"address": value}, day, changed)
        for one, value, day, changed in zip((A, B, C), values, verified, (1, 2, 3), strict=True)
    ]
    decision = only(cards)
    assert (decision.value, decision.customer_id, decision.rule, decision.is_conflict) == (
        expected, by, rule, is_conflict,
    ), case  # fmt: skip


def test_what_somebody_chose_stands() -> None:
    decision = only([card(A, {"name": "x"}), card(B, {"name": "y"})], name=B)
    assert (decision.value, decision.customer_id, decision.rule) == ("y", B, MergeRule.CHOSEN)


@pytest.mark.parametrize(
    ("field", "most"),
    [("tags", MAXIMUM_TAGS), ("interests", MAXIMUM_TAGS), ("family", MAXIMUM_FAMILY)],
)
def test_a_merged_card_holds_no_more_than_a_card_may(field: str, most: int) -> None:
    own, others = ([{"n": f"{who}{n}"} for n in range(most - 1)] for who in "ab")
    decision = only([card(A, {field: own}), card(B, {field: others})])
    assert (decision.value, decision.rule) == ([*own, others[0]], MergeRule.UNITED)


def test_lists_are_united_in_order_and_custom_fields_decided_one_by_one() -> None:
    first = {"tags": ["b", "a"], "custom.size": "M"}
    second = {"tags": ["a", "c"], "custom.size": "L", "custom.pets": ["cat"]}
    decided = {
        one.field: (one.value, one.rule, one.is_conflict)
        for one in merging.decide_fields([card(A, first), card(B, second)], {})
    }
    assert decided == {
        "tags": (["b", "a", "c"], MergeRule.UNITED, False),
        "custom.size": ("M", MergeRule.SURVIVOR, True),
        "custom.pets": (["cat"], MergeRule.ONLY_VALUE, False),
    }


def test_somebody_is_a_customer_since_the_earliest_day() -> None:
    cards = [card(A, {"registered_on": "2026-03-01"}), card(B, {"registered_on": "2025-06-01"})]
    decision = only(cards)
    assert (decision.value, decision.customer_id, decision.rule, decision.is_conflict) == (
        "2025-06-01", B, MergeRule.EARLIEST, False,
    )  # fmt: skip


values_of_cards = st.lists(
    st.fixed_dictionaries(
        {
            "address": st.sampled_from([None, "x", "y"]),
            "tags": st.lists(st.sampled_from("abc"), unique=True),
        }
    ),
    min_size=2,
    max_size=5,
)


@given(values_of_cards)
def test_nothing_that_a_card_says_is_lost_without_being_told(said: list[dict[str, Any]]) -> None:
    cards = [card(UUID(int=n + 1), values) for n, values in enumerate(said)]
    decided = {one.field: one for one in merging.decide_fields(cards, {})}
    spoken = {values["address"] for values in said} - {None}
    assert ("address" in decided) == bool(spoken)
    if spoken:
        assert decided["address"].value in spoken
        assert decided["address"].is_conflict == (len(spoken) > 1)
        assert said[0]["address"] in {None, decided["address"].value}
    tags = {tag for values in said for tag in values["tags"]}
    assert set(decided["tags"].value if "tags" in decided else ()) == tags


def test_of_each_kind_the_first_cards_primary_identity_stays_primary() -> None:
    identities = [
        MergingIdentity(UUID(int=10), B, "phone", True),
        MergingIdentity(UUID(int=11), A, "phone", False),
        MergingIdentity(UUID(int=12), C, "phone", True),
        MergingIdentity(UUID(int=13), A, "email", True),
        MergingIdentity(UUID(int=14), B, "email", True),
    ]
    primaries = merging.primaries_after([A, B, C], identities)
    assert {one.int for one, is_primary in primaries.items() if is_primary} == {10, 13}


def test_an_undone_merge_puts_back_what_nobody_changed_since() -> None:
    before = {"a": None, "b": 1, "c": 1, "d": None}
    after = {"a": "x", "b": 1, "c": 2, "d": "y"}
    now = {"a": "x", "b": 5, "c": 3, "d": "y"}
    assert merging.restored(before, after, now) == {"a": None, "d": None}


def _held(level: TierLevel, purchase: int | None = None) -> Held:
    return Held(level, DAY, None if purchase is None else UUID(int=purchase))


@pytest.mark.parametrize(
    ("held", "net", "expected"),
    [
        ([_held(TierLevel.SMALL), _held(TierLevel.SMALL)], "299.99", (TierLevel.SMALL, None)),
        ([_held(TierLevel.SMALL), _held(TierLevel.SMALL)], "300.00", (TierLevel.ORDINARY, None)),
        (
            [_held(TierLevel.SMALL), _held(TierLevel.MAIN, 7)], "500.00",
            (TierLevel.MAIN, UUID(int=7)),
        ),
        (
            [_held(TierLevel.MAIN, 5), _held(TierLevel.MAIN, 7)], "5000.00",
            (TierLevel.MAIN, UUID(int=5)),
        ),
        ([_held(TierLevel.ORDINARY, 5), _held(TierLevel.SMALL)], "1000", (TierLevel.MAIN, None)),
    ],
)  # fmt: skip
def test_nobody_falls_by_a_merge(
    held: list[Held], net: str, expected: tuple[TierLevel, UUID | None]
) -> None:
    assert tiering.joined(POLICY, held, Decimal(net)) == expected


def test_a_tier_that_cards_earn_together_ends_with_any_of_their_purchases() -> None:
    history = [
        Assigned(TierLevel.SMALL, DAY, TierCause.INITIAL),
        Assigned(TierLevel.MAIN, DAY, TierCause.MERGED),
    ]
    held = tiering.held_of(POLICY, history)
    assert held is not None
    (outcome,) = tiering.follow(
        POLICY, Decimal(1200), held, [Step(UUID(int=7), Decimal(-600), UUID(int=7))]
    )
    assert (outcome.after, outcome.cause) == (TierLevel.ORDINARY, TierCause.REVERSAL)


def test_a_card_that_was_taken_apart_never_goes_back_to_what_it_held_as_merged() -> None:
    history = [
        Assigned(TierLevel.SMALL, DAY, TierCause.INITIAL),
        Assigned(TierLevel.MAIN, DAY, TierCause.UPGRADE, UUID(int=7)),
        Assigned(TierLevel.ORDINARY, DAY, TierCause.MERGED, UUID(int=8)),
    ]
    held = tiering.held_of(POLICY, history)
    assert held == Held(TierLevel.ORDINARY, DAY, UUID(int=8))
    (outcome,) = tiering.follow(
        POLICY, Decimal(400), held, [Step(UUID(int=8), Decimal(-400), UUID(int=8))]
    )
    assert (outcome.after, outcome.cause) == (TierLevel.SMALL, TierCause.REVERSAL)
