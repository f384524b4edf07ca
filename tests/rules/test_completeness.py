"""How complete a card is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import Settings
from app.rules.completeness import Part, assess
from app.vocabulary import CompletenessPart, CustomerKind

WEIGHTS = {"phone": 50, "email": 30, "address": 20}
weights = st.dictionaries(
    st.sampled_from([str(part) for part in CompletenessPart]), st.integers(0, 50), min_size=1
).filter(lambda drawn: sum(drawn.values()) > 0)


@pytest.mark.parametrize(
    ("present", "score"),
    [
        ([], 0), (["address"], 20), (["phone", "address"], 70), (["birthday"], 0),
        (["phone", "email", "address"], 100),
    ],
)  # fmt: skip
def test_the_score_is_the_weight_of_what_is_there(present: list[str], score: int) -> None:
    assert assess(WEIGHTS, present).score == score


@pytest.mark.parametrize(
    ("there", "total", "score"), [(1, 200, 1), (1, 201, 0), (199, 200, 100), (2, 3, 67)]
)
def test_percent_are_rounded_half_up(there: int, total: int, score: int) -> None:
    assert assess({"phone": there, "email": total - there}, ["phone"]).score == score


def test_heavier_parts_come_first_and_what_weighs_nothing_is_no_part() -> None:
    found = assess({"email": 1, "phone": 3, "region": 0}, ["email", "region"])
    assert found.parts == (Part("phone", 3, is_present=False), Part("email", 1, is_present=True))


@given(weights, st.sets(st.sampled_from([str(part) for part in CompletenessPart])))
def test_saying_more_never_lowers_the_score_and_all_is_a_hundred(
    drawn: dict[str, int], present: set[str]
) -> None:
    found = assess(drawn, present).score
    assert 0 <= found <= 100
    for part in drawn:
        assert assess(drawn, present | {part}).score >= found
    assert assess(drawn, drawn.keys()).score == 100


def test_the_settings_weigh_parts_that_there_are_for_each_kind() -> None:
    both = Settings(_env_file=None).completeness_weights
    assert set(both) == {str(kind) for kind in CustomerKind}
    assert {part for found in both.values() for part in found} == set(CompletenessPart)
    assert [sum(found.values()) for found in both.values()] == [100, 100]
