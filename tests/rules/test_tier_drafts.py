"""Drafts of tier policies: what is wrong is said where it is, and what passes can be used."""

import copy
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.tier_calibrations import Calibration
from app.rules.tier_drafts import Checked, check_draft, fingerprint
from app.rules.tier_policies import Policy
from app.rules.tier_presets import preset
from app.vocabulary import CustomerKind, PolicyMethod, PolicyPreset, TierLevel

INDIVIDUAL, ORGANIZATION = CustomerKind.INDIVIDUAL, CustomerKind.ORGANIZATION
THRESHOLD, SHARE, COMPOSITE = PolicyMethod.THRESHOLD, PolicyMethod.SHARE, PolicyMethod.COMPOSITE
PRESETS = [preset(code, scope) for code in PolicyPreset for scope in CustomerKind]
OF_METHOD = {
    THRESHOLD: preset(PolicyPreset.BOOKSHOP, INDIVIDUAL).body,
    SHARE: preset(PolicyPreset.TOP_FIFTH_OF_CUSTOMERS, INDIVIDUAL).body,
    COMPOSITE: preset(PolicyPreset.COMPOSITE, INDIVIDUAL).body,
}
CALIBRATION = Calibration(date(2026, 11, 28), 100, cuts=dict.fromkeys(TierLevel, Decimal(0)))


class Absence(Enum):
    """In place of a value: the member is taken out. It has a name that every process gives it."""

    GONE = "gone"


GONE = Absence.GONE


def changed(body: Mapping[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """Return a copy of a body in which the part at a pointer is another, or gone."""
    whole: Any = copy.deepcopy(dict(body))
    *way, last = [int(part) if part.isdecimal() else part for part in pointer[1:].split("/")]
    inner = whole
    for part in way:
        inner = inner[part]
    if value is GONE:
        del inner[last]
    elif isinstance(inner, list) and last == len(inner):
        inner.append(value)
    else:
        inner[last] = value
    return dict(whole)


def found(checked: Checked) -> list[tuple[str, str]]:
    """Return pointers and codes of what was found."""
    return [(finding.pointer, finding.code) for finding in checked.findings]


@pytest.mark.parametrize("one", PRESETS, ids=lambda one: str(one.code))
def test_presets_are_right(one: Any) -> None:
    assert found(check_draft(one.method, one.body)) == []


def test_presets_are_what_the_book_says() -> None:
    bookshop = preset(PolicyPreset.BOOKSHOP, INDIVIDUAL).body
    assert [(part["level"], part["at_least"]) for part in bookshop["levels"]] == [
        ("main", "1000.00"), ("ordinary", "300.00"), ("small", "0.00"),
    ]  # fmt: skip
    composite = preset(PolicyPreset.COMPOSITE, ORGANIZATION).body
    assert [(part["level"], part["top_percent"]) for part in composite["levels"]] == [
        ("key", "5"), ("important", "20"), ("general", "60"), ("maintenance", "100"),
    ]  # fmt: skip
    assert {part["indicator"]: part["weight"] for part in composite["indicators"]} == {
        "margin": "0.40", "frequency": "0.15", "recency": "0.15", "interaction": "0.10",
        "expected_margin": "0.20",
    }  # fmt: skip
    value = preset(PolicyPreset.TOP_80_OF_VALUE, INDIVIDUAL).body
    assert (value["share_of"], value["levels"][0]["top_percent"]) == ("value", "80")


CASES: list[tuple[str, PolicyMethod, str, Any, list[tuple[str, str]]]] = [
    ("no metric", THRESHOLD, "/metric", GONE, [("/metric", "missing")]),
    ("not to decide by", THRESHOLD, "/metric", "recency", [("/metric", "metric")]),
    ("no such metric", SHARE, "/metric", "charm", [("/metric", "metric")]),
    ("metric of a composite", COMPOSITE, "/metric", "margin", [("/metric", "not-of-method")]),
    ("null is something too", THRESHOLD, "/indicators", None, [("/indicators", "not-of-method")]),
    ("of nothing", SHARE, "/share_of", GONE, [("/share_of", "missing")]),
    ("of what", SHARE, "/share_of", "luck", [("/share_of", "enum")]),
    ("of a threshold", THRESHOLD, "/share_of", "value", [("/share_of", "not-of-method")]),
    ("no such member", THRESHOLD, "/colour", "red", [("/colour", "extra-forbidden")]),
    ("window", THRESHOLD, "/window_days", 29, [("/window_days", "range")]),
    ("window", THRESHOLD, "/window_days", 30, []),
    ("window", THRESHOLD, "/window_days", 1095, []),
    ("window", THRESHOLD, "/window_days", 1096, [("/window_days", "range")]),
    ("window", THRESHOLD, "/window_days", "365", [("/window_days", "int-type")]),
    ("window", THRESHOLD, "/window_days", True, [("/window_days", "int-type")]),
    ("keep", THRESHOLD, "/keep", GONE, [("/keep", "missing")]),
    ("keep", THRESHOLD, "/keep", [], [("/keep", "model-type")]),
    ("factor", THRESHOLD, "/keep/factor", "0", [("/keep/factor", "range")]),
    ("factor", THRESHOLD, "/keep/factor", "0.0001", []),
    ("factor", THRESHOLD, "/keep/factor", "1", []),
    ("factor", THRESHOLD, "/keep/factor", "1.0001", [("/keep/factor", "range")]),
    ("factor", THRESHOLD, "/keep/factor", 0.9, [("/keep/factor", "amount")]),
    ("hold", THRESHOLD, "/keep/hold_days", -1, [("/keep/hold_days", "range")]),
    ("hold", THRESHOLD, "/keep/hold_days", GONE, [("/keep/hold_days", "missing")]),
    ("grace may be left out", THRESHOLD, "/keep/grace_days", GONE, []),
    ("monthly is what there is", THRESHOLD, "/keep/evaluation", "monthly",
     [("/keep/evaluation", "extra-forbidden")]),
    ("levels", THRESHOLD, "/levels", GONE, [("/levels", "missing")]),
    ("levels", SHARE, "/levels", [{"level": "main", "top_percent": "100"}],
     [("/levels", "levels")]),
    ("levels", SHARE, "/levels", "main", [("/levels", "levels")]),
    ("a level", THRESHOLD, "/levels/1", "main",
     [("/levels/1", "model-type"), ("/levels/1/level", "missing"),
      ("/levels/1/at_least", "missing")]),
    ("no such level", THRESHOLD, "/levels/0/level", "gold", [("/levels/0/level", "enum")]),
    ("a level twice", THRESHOLD, "/levels/1/level", "main", [("/levels/1/level", "twice")]),
    ("of another scale", THRESHOLD, "/levels/1/level", "general", [("/levels/1/level", "scale")]),
    ("upside down", COMPOSITE, "/levels/2/level", "key", [("/levels/2/level", "twice")]),
    ("not falling", THRESHOLD, "/levels/1/at_least", "1000.00", [("/levels/1/at_least", "order")]),
    ("falling by a cent", THRESHOLD, "/levels/1/at_least", "999.99", []),
    ("a negative one", THRESHOLD, "/levels/2/at_least", "-1", [("/levels/2/at_least", "amount")]),
    ("not everybody", THRESHOLD, "/levels/2/at_least", "0.01",
     [("/levels/2/at_least", "everybody")]),
    ("parts of a cent", THRESHOLD, "/levels/0/at_least", "1000.001",
     [("/levels/0/at_least", "cents")]),
    ("share for a threshold", THRESHOLD, "/levels/0/top_percent", "5",
     [("/levels/0/top_percent", "not-of-method")]),
    ("threshold for a share", SHARE, "/levels/0/at_least", "5",
     [("/levels/0/at_least", "not-of-method")]),
    ("not rising", COMPOSITE, "/levels/2/top_percent", "20", [("/levels/2/top_percent", "order")]),
    ("rising", COMPOSITE, "/levels/2/top_percent", "20.0001", []),
    ("nobody", SHARE, "/levels/0/top_percent", "0", [("/levels/0/top_percent", "order")]),
    ("more than all", SHARE, "/levels/1/top_percent", "100.5",
     [("/levels/1/top_percent", "range")]),
    ("not all", SHARE, "/levels/1/top_percent", "99.9", [("/levels/1/top_percent", "everybody")]),
    ("no indicators", COMPOSITE, "/indicators", [], [("/indicators", "indicators")]),
    ("no such indicator", COMPOSITE, "/indicators/3/indicator", "charm",
     [("/indicators/3/indicator", "enum")]),
    ("an indicator twice", COMPOSITE, "/indicators/3/indicator", "margin",
     [("/indicators/3/indicator", "twice")]),
    ("no weight", COMPOSITE, "/indicators/3/weight", "0", [("/indicators/3/weight", "range")]),
    ("a weight too much", COMPOSITE, "/indicators/3/weight", "0.11", [("/indicators", "weights")]),
    ("only what is absent", COMPOSITE, "/indicators",
     [{"indicator": "complaints", "weight": "0.4"},
      {"indicator": "expected_margin", "weight": "0.6"}],
     [("/indicators", "no-source")]),
    ("benefits", THRESHOLD, "/levels/0/benefits", 5, [("/levels/0/benefits", "model-type")]),
    ("no such benefit", THRESHOLD, "/levels/0/benefits/cake", True,
     [("/levels/0/benefits/cake", "extra-forbidden")]),
    ("visits", THRESHOLD, "/levels/0/benefits/visit_every_days", 0,
     [("/levels/0/benefits/visit_every_days", "range")]),
    ("no visits", THRESHOLD, "/levels/0/benefits/visit_every_days", None, []),
    ("discount", THRESHOLD, "/levels/0/benefits/discount_percent", "100.01",
     [("/levels/0/benefits/discount_percent", "range")]),
    ("discount", THRESHOLD, "/levels/0/benefits/discount_percent", "5.001",
     [("/levels/0/benefits/discount_percent", "decimals")]),
    ("answer", THRESHOLD, "/levels/0/benefits/response_factor", "0",
     [("/levels/0/benefits/response_factor", "range")]),
    ("staff", THRESHOLD, "/levels/0/benefits/has_dedicated_staff", 1,
     [("/levels/0/benefits/has_dedicated_staff", "bool-type")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "pointer", "value", "expected"),
    [pytest.param(*case[1:], id=f"{case[0]} {case[3]}") for case in CASES],
)
def test_what_is_wrong_is_said_where_it_is(
    method: PolicyMethod, pointer: str, value: Any, expected: list[tuple[str, str]]
) -> None:
    checked = check_draft(method, changed(OF_METHOD[method], pointer, value))
    assert found(checked) == expected
    for finding in checked.findings:
        assert finding.detail != finding.detail_zh
        assert finding.detail.isascii()
        assert any(ord(character) > 0x3000 for character in finding.detail_zh)


def test_the_level_above_is_named_with_its_number() -> None:
    body = changed(OF_METHOD[COMPOSITE], "/levels/2/top_percent", "15")
    (finding,) = check_draft(COMPOSITE, body).findings
    assert finding.detail == (
        "Has to be more than 20, the level above: shares are cumulated from the top."
    )
    assert finding.detail_zh == "须大于上一层级的 20：占比自上而下累计。"


def test_levels_stand_from_the_highest_to_the_lowest() -> None:
    body = dict(OF_METHOD[THRESHOLD])
    main, ordinary, small = body["levels"]
    upside_down = {
        **body,
        "levels": [{**ordinary, "at_least": "1000.00"}, {**main, "at_least": "300.00"}, small],
    }
    assert found(check_draft(THRESHOLD, upside_down)) == [("/levels/1/level", "order")]


def test_days_with_a_purchase_are_whole_and_lie_in_the_window() -> None:
    body = {**OF_METHOD[THRESHOLD], "metric": "frequency", "window_days": 90}
    for line, code in (("91", "out-of-reach"), ("12.5", "whole"), ("90", None)):
        levels = [
            {"level": "main", "at_least": line},
            {"level": "small", "at_least": "0"},
        ]
        expected = [] if code is None else [("/levels/0/at_least", code)]
        assert found(check_draft(THRESHOLD, {**body, "levels": levels})) == expected


def test_an_indicator_without_a_source_is_a_hint_beside_others() -> None:
    checked = check_draft(COMPOSITE, OF_METHOD[COMPOSITE])
    assert [(hint.pointer, hint.code) for hint in checked.hints] == [
        ("/indicators/4/indicator", "absent")
    ]


def test_names_of_members_are_escaped_and_cut() -> None:
    body = changed(OF_METHOD[THRESHOLD], "/x", 1)
    body["a/b~c" + "d" * 200] = body.pop("x")
    ((pointer, code),) = found(check_draft(THRESHOLD, body))
    assert (pointer, code) == ("/a~1b~0c" + "d" * 95, "extra-forbidden")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1200) | st.floats(allow_nan=False)
    | st.sampled_from(["0", "0.5", "1", "20", "60", "100", "1e3", "NaN", "-1", "margin", "main",
                       "key", "value", "１"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["level", "at_least", "top_percent", "weight", "x"]), inner,
                      max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> tuple[PolicyMethod, dict[str, Any]]:
    """Return a preset in which up to three parts are anything."""
    method = draw(st.sampled_from(list(PolicyMethod)))
    body = dict(copy.deepcopy(dict(OF_METHOD[draw(st.sampled_from(list(PolicyMethod)))])))
    for _ in range(draw(st.integers(0, 3))):
        inner: Any = body
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and inner[key] and draw(st.booleans()):
                inner = inner[key]
                continue
            inner[key] = draw(json_values)
            break
    return method, body


@given(drafted=bodies())
def test_what_passes_can_be_used_and_what_cannot_be_used_does_not_pass(
    drafted: tuple[PolicyMethod, dict[str, Any]],
) -> None:
    method, body = drafted
    if check_draft(method, body).findings:
        return
    policy = Policy.of(UUID(int=1), 1, "A draft", method, body, CALIBRATION)
    assert [rule.level for rule in policy.levels] == [part["level"] for part in body["levels"]]


def test_a_fingerprint_names_a_body_whatever_the_order_of_its_members() -> None:
    body = dict(OF_METHOD[SHARE])
    turned = dict(reversed(body.items()))
    assert list(turned) != list(body)
    one = fingerprint(INDIVIDUAL, SHARE, body)
    assert fingerprint(INDIVIDUAL, SHARE, turned) == one
    others = {
        fingerprint(ORGANIZATION, SHARE, body),
        fingerprint(INDIVIDUAL, THRESHOLD, body),
        fingerprint(INDIVIDUAL, SHARE, changed(body, "/window_days", 364)),
        fingerprint(INDIVIDUAL, SHARE, changed(body, "/levels/0/benefits", {})),
    }
    assert len(others | {one}) == 5
    assert len(one) == 64
