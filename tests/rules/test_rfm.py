"""RFM: every cell has one name, the published one; where each score begins."""

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.rfm import BOUNDARIES, CELLS, Scores, boundary_of, scores_of
from app.rules.tier_calibrations import RfmCuts
from app.rules.tier_figures import Figures
from app.vocabulary import RfmSegment

AS_OF = date(2026, 11, 28)
CUTS = RfmCuts(
    days_since_last_purchase=(30, 60, 120, 240),
    purchase_days=(2, 4, 8, 16),
    net_spend=(Decimal("100.00"), Decimal("300.00"), Decimal("600.00"), Decimal("1000.00")),
)
NAMES = {
    "C": RfmSegment.CHAMPIONS, "L": RfmSegment.LOYAL, "N": RfmSegment.NEW,
    "O": RfmSegment.PROMISING, "A": RfmSegment.ACTIVE, "T": RfmSegment.NEEDS_ATTENTION,
    "V": RfmSegment.PREVIOUSLY_LOYAL, "S": RfmSegment.AT_RISK, "K": RfmSegment.ALMOST_LOST,
    "D": RfmSegment.DORMANT,
}  # fmt: skip
# R 1 to 5, in each F 1 to 5, in each a letter for M 1 to 5; written by hand from the boundaries.
TABLE = """
    DDDDS DDDSS DDSSS DSSSV SSSVV
    KKKKS KKKSS KKSSS KSSSV SSSVV
    KKKTT KKTTT KTTTT TTTTT TTTTT
    OOOOO OOOOO AAAAL AAALL AALLL
    NNNNN AAAAA AAAAL AAALC AALCC
"""
WORDS = {
    RfmSegment.PROSPECTS: "no purchase",
    RfmSegment.CHAMPIONS: "R 5, (F + M) / 2 at least 4.5",
    RfmSegment.LOYAL: "R 4–5, (F + M) / 2 at least 4",
    RfmSegment.NEW: "R 5, F 1",
    RfmSegment.PROMISING: "R 4, F 1–2",
    RfmSegment.ACTIVE: "R 4–5",
    RfmSegment.NEEDS_ATTENTION: "R 3, (F + M) / 2 at least 2.5",
    RfmSegment.PREVIOUSLY_LOYAL: "R 1–2, (F + M) / 2 at least 4.5",
    RfmSegment.AT_RISK: "R 1–2, (F + M) / 2 at least 3",
    RfmSegment.ALMOST_LOST: "R 2–3",
    RfmSegment.DORMANT: "R 1",
}


def test_each_of_the_125_cells_has_the_one_name_of_the_table() -> None:
    cells = list(product(range(1, 6), repeat=3))
    expected = [NAMES[letter] for letter in "".join(TABLE.split())]
    assert len(cells) == len(expected) == 125
    assert [boundary_of(Scores(*cell)).segment for cell in cells] == expected
    assert list(CELLS) == expected


def test_who_never_bought_is_a_prospect_and_nobody_else_is() -> None:
    assert boundary_of(None).segment is RfmSegment.PROSPECTS
    assert RfmSegment.PROSPECTS not in CELLS


def test_every_segment_has_one_boundary_which_somebody_meets() -> None:
    assert [boundary.segment for boundary in BOUNDARIES] == list(RfmSegment)
    assert set(CELLS) | {RfmSegment.PROSPECTS} == set(RfmSegment)


def test_the_condition_is_published_in_words() -> None:
    assert {boundary.segment: boundary.condition.en for boundary in BOUNDARIES} == WORDS
    assert boundary_of(Scores(3, 2, 3)).condition.zh == "R 3，(F + M) / 2 不低于 2.5"


def test_the_guide_says_the_same_boundaries() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/front-ends.md").read_text(encoding="utf-8")
    rows = [f"| `{segment}` | {condition} |" for segment, condition in WORDS.items()]
    assert "| segment | boundary |\n|---|---|\n" + "\n".join(rows) in guide


@pytest.mark.parametrize(
    ("days", "score"),
    [(0, 5), (30, 5), (31, 4), (60, 4), (61, 3), (120, 3), (121, 2), (240, 2), (241, 1), (-1, 5)],
)
def test_recency_loses_a_score_beyond_each_cut(days: int, score: int) -> None:
    figures = Figures(AS_OF, last_purchase_on=AS_OF - timedelta(days))
    assert scores_of(figures, CUTS) == Scores(score, 1, 1)


@pytest.mark.parametrize(
    ("days", "score"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (8, 4), (15, 4), (16, 5), (300, 5)]
)
def test_frequency_gains_a_score_at_each_cut(days: int, score: int) -> None:
    figures = Figures(AS_OF, last_purchase_on=AS_OF, purchase_days=days)
    assert scores_of(figures, CUTS) == Scores(5, score, 1)


@pytest.mark.parametrize(
    ("net", "score"),
    [("-5.00", 1), ("99.99", 1), ("100.00", 2), ("299.99", 2), ("300.00", 3), ("600.00", 4),
     ("999.99", 4), ("1000.00", 5)],
)  # fmt: skip
def test_money_gains_a_score_at_each_cut(net: str, score: int) -> None:
    figures = Figures(AS_OF, last_purchase_on=AS_OF, net_spend=Decimal(net))
    assert scores_of(figures, CUTS) == Scores(5, 1, score)


def test_equal_cuts_leave_out_the_score_between_them() -> None:
    cuts = RfmCuts((10, 10, 20, 20), (1, 1, 1, 2), (Decimal(0),) * 4)
    assert scores_of(Figures(AS_OF, last_purchase_on=AS_OF, purchase_days=1), cuts) == Scores(
        5, 4, 5
    )
    late = Figures(AS_OF, last_purchase_on=AS_OF - timedelta(11), purchase_days=2)
    assert scores_of(late, cuts) == Scores(3, 5, 5)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_a_score_depends_on_the_card_alone(days: list[int], chance: random.Random) -> None:
    def scored(order: list[int]) -> dict[int, Scores | None]:
        return {
            day: scores_of(Figures(AS_OF, last_purchase_on=AS_OF - timedelta(day)), CUTS)
            for day in order
        }

    shuffled = list(days)
    chance.shuffle(shuffled)
    assert scored(days) == scored(shuffled)
