"""Values of custom fields: what a definition allows, and that its JSON Schema says the same."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.custom_fields import (
    MAXIMUM_NUMBER,
    Choice,
    Definition,
    NotAllowedError,
    canonical,
    check_definition,
    check_values,
    from_text,
    json_schema,
    removed_choices,
)
from app.vocabulary import FieldType

COLOURS = (Choice("red", "Red", "红"), Choice("green", "Green", "绿"), Choice("blue", "Blue", "蓝"))


def field(kind: FieldType, code: str = "field", **more: Any) -> Definition:
    """Return a definition of a type, with choices where it needs them."""
    choices = COLOURS if kind in {FieldType.CHOICE, FieldType.MULTI_CHOICE} else ()
    return Definition(
        code=code, type=kind, label_en="Field", label_zh="字段", choices=choices, **more
    )


TEXT, NUMBER, DATE = field(FieldType.TEXT), field(FieldType.NUMBER), field(FieldType.DATE)
CHOICE, MULTI = field(FieldType.CHOICE), field(FieldType.MULTI_CHOICE)
YES_NO = field(FieldType.YES_NO)
SHORT = field(FieldType.TEXT, minimum="2", maximum="4")
PERCENT = field(FieldType.NUMBER, minimum="0", maximum="99.5")
YEAR = field(FieldType.DATE, minimum="2026-01-01", maximum="2026-12-31")


def validator(*definitions: Definition) -> Any:
    """Return a validator of the schema that front ends get."""
    schema = json_schema(definitions, chinese=False)
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@pytest.mark.parametrize(
    ("definition", "value", "kept"),
    [
        pytest.param(TEXT, " 两行\n\t ", " 两行\n\t ", id="text as it is"),
        pytest.param(TEXT, "x" * 500, "x" * 500, id="the longest without a bound"),
        pytest.param(SHORT, "二字", "二字", id="as short as may be"),
        pytest.param(SHORT, "𠮷𠮷𠮷𠮷", "𠮷𠮷𠮷𠮷", id="characters, not code units"),
        pytest.param(NUMBER, 5, 5, id="whole number"),
        pytest.param(NUMBER, 5.0, 5, id="whole number with a point"),
        pytest.param(NUMBER, -0.0, 0, id="minus nought"),
        pytest.param(NUMBER, 0.1, 0.1, id="fraction"),
        pytest.param(NUMBER, MAXIMUM_NUMBER, MAXIMUM_NUMBER, id="the largest"),
        pytest.param(PERCENT, 99.5, 99.5, id="at the bound"),
        pytest.param(DATE, "2024-02-29", "2024-02-29", id="day"),
        pytest.param(YEAR, "2026-12-31", "2026-12-31", id="the last day"),
        pytest.param(CHOICE, "green", "green", id="choice"),
        pytest.param(MULTI, ["blue", "red"], ["red", "blue"], id="in the definition's order"),
        pytest.param(YES_NO, False, False, id="no"),
    ],
)
def test_what_is_allowed_has_one_form_and_the_schema_allows_it(
    definition: Definition, value: Any, kept: Any
) -> None:
    found = canonical(definition, value)
    assert (found, type(found)) == (kept, type(kept))
    assert canonical(definition, kept) == kept
    assert validator(definition).is_valid({"field": value})


@pytest.mark.parametrize(
    ("definition", "value", "code"),
    [
        pytest.param(TEXT, "", "length", id="empty text"),
        pytest.param(TEXT, "x" * 501, "length", id="too long without a bound"),
        pytest.param(TEXT, 5, "string-type", id="number for text"),
        pytest.param(TEXT, "a\x07", "text", id="control character"),
        pytest.param(TEXT, "a\x7f", "text", id="delete"),
        pytest.param(SHORT, "一", "length", id="too short"),
        pytest.param(SHORT, "一二三四五", "length", id="too long"),
        pytest.param(NUMBER, "5", "float-type", id="text for number"),
        pytest.param(NUMBER, True, "float-type", id="true is no number"),
        pytest.param(NUMBER, 1e300, "range", id="too large"),
        pytest.param(NUMBER, MAXIMUM_NUMBER + 1, "range", id="one too large"),
        pytest.param(PERCENT, 99.500001, "range", id="above the bound"),
        pytest.param(PERCENT, -1, "range", id="below the bound"),
        pytest.param(DATE, "2023-02-29", "day", id="no such day"),
        pytest.param(DATE, "20240229", "day", id="without dashes"),
        pytest.param(DATE, "2024-W09-4", "day", id="a week"),
        pytest.param(DATE, "1799-12-31", "day", id="too long ago"),
        pytest.param(DATE, "9991-01-01", "day", id="too far away"),
        pytest.param(DATE, 20240229, "day", id="number for day"),
        pytest.param(CHOICE, "pink", "enum", id="no choice"),
        pytest.param(CHOICE, ["red"], "enum", id="a list for one"),
        pytest.param(MULTI, "red", "list-type", id="one for a list"),
        pytest.param(MULTI, [], "list-type", id="none"),
        pytest.param(MULTI, ["red", "red"], "duplicate", id="twice"),
        pytest.param(MULTI, ["red", "pink"], "enum", id="one that is none"),
        pytest.param(MULTI, [["red"]], "enum", id="a list in the list"),
        pytest.param(YES_NO, "true", "bool-type", id="text for yes"),
        pytest.param(YES_NO, 1, "bool-type", id="1 for yes"),
        pytest.param(TEXT, None, "string-type", id="nothing"),
    ],
)
def test_what_is_refused_is_refused_by_the_schema_too(
    definition: Definition, value: Any, code: str
) -> None:
    with pytest.raises(NotAllowedError) as refused:
        canonical(definition, value)
    assert refused.value.code == code
    assert not validator(definition).is_valid({"field": value})


@pytest.mark.parametrize("value", ["2025-12-31", "2027-01-01"])
def test_bounds_of_days_are_ours_alone_and_stand_in_the_schema_for_form_builders(
    value: str,
) -> None:
    with pytest.raises(NotAllowedError, match=r"2026-01-01 to 2026-12-31\."):
        canonical(YEAR, value)
    schema = json_schema([YEAR], chinese=False)["properties"]["field"]
    assert (schema["formatMinimum"], schema["formatMaximum"]) == ("2026-01-01", "2026-12-31")


FORM = (
    field(FieldType.TEXT, "note", is_required=True, maximum="5"),
    field(FieldType.NUMBER, "height", minimum="-2.5", maximum="3"),
    field(FieldType.DATE, "since"),
    field(FieldType.CHOICE, "colour"),
    field(FieldType.MULTI_CHOICE, "colours", is_required=True),
    field(FieldType.YES_NO, "pets"),
)
FORM_VALIDATOR = validator(*FORM)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=7)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(-(10**20), 10**20),
    st.floats(-4, 4),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    st.sampled_from(["red", "green", "pink", "true", "2026-02-28", "2026-02-29", "2026-2-8"]),
    st.dates().map(str),
)
anything = st.one_of(plain, st.lists(st.sampled_from(["red", "green", "blue"]), max_size=3),
                     st.lists(plain, max_size=3))  # fmt: skip


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a form could send: mostly right, so that what is right is met as well."""
    right = {
        "note": st.text(
            st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=5
        ),
        "height": st.one_of(st.integers(-2, 3), st.floats(-2.5, 3)),
        "since": st.dates().map(str),
        "colour": st.sampled_from(["red", "green", "blue"]),
        "colours": st.lists(st.sampled_from(["red", "green", "blue"]), min_size=1, unique=True),
        "pets": st.booleans(),
    }
    made = {
        code: draw(values) for code, values in right.items()
        if draw(st.integers(0, 9)) or code in {"note", "colours"}
    }  # fmt: skip
    for code in draw(st.lists(st.sampled_from([*right, "other"]), max_size=2)):
        made[code] = draw(anything)
    for code in draw(st.lists(st.sampled_from(["note", "colours"]), max_size=1)):
        if draw(st.integers(0, 3)) == 0:
            made.pop(code, None)
    return made


@given(forms())
def test_validator_and_schema_agree(given_values: dict[str, Any]) -> None:
    ours = check_values(FORM, given_values)
    assert (not ours.refusals) == FORM_VALIDATOR.is_valid(given_values)


@given(forms())
def test_what_is_kept_stays_as_it_is_when_checked_again(given_values: dict[str, Any]) -> None:
    ours = check_values(FORM, given_values)
    if not ours.refusals:
        again = check_values(FORM, ours.values)
        assert (again.values, again.refusals) == (ours.values, ())
        assert FORM_VALIDATOR.is_valid(dict(ours.values))


def places(values: dict[str, Any], **how: Any) -> list[tuple[tuple[str, ...], str]]:
    """Return where and why values are refused."""
    return [(found.place, found.code) for found in check_values(FORM, values, **how).refusals]


def test_a_new_card_needs_what_is_required_unless_it_comes_from_elsewhere() -> None:
    assert places({"pets": True}) == [(("note",), "missing"), (("colours",), "missing")]
    assert places({"pets": True}, has_to_be_whole=False) == []


def test_a_change_lays_what_is_given_over_what_stands() -> None:
    stands = {"note": "old", "height": 1, "gone": "kept"}
    changed = check_values(FORM, {"height": None, "pets": True}, stands=stands)
    assert changed.values == {"note": "old", "gone": "kept", "pets": True}
    assert changed.refusals == ()


@pytest.mark.parametrize(
    ("given_values", "found"),
    [
        pytest.param({"note": None}, [(("note",), "missing")], id="required is not emptied"),
        pytest.param({"colours": None}, [(("colours",), "missing")], id="nor where it is missing"),
        pytest.param({"height": None}, [], id="nothing is taken away"),
        pytest.param({"gone": None}, [], id="out of use is taken away"),
        pytest.param({"gone": "x"}, [(("gone",), "unknown")], id="out of use is not given"),
        pytest.param({"never": None}, [(("never",), "unknown")], id="what never was"),
        pytest.param({"height": 9}, [(("height",), "range")], id="what the definition refuses"),
    ],
)
def test_changes_are_checked_by_the_fields_in_use(
    given_values: dict[str, Any], found: list[Any]
) -> None:
    assert places(given_values, stands={"note": "old", "gone": "kept"}) == found


@pytest.mark.parametrize(
    ("definition", "written", "value"),
    [
        (TEXT, "5", "5"), (NUMBER, "5.0", 5), (NUMBER, "-0.25", -0.25), (DATE, "2026-01-01",
        "2026-01-01"), (CHOICE, "red", "red"), (MULTI, "red", ["red"]), (YES_NO, "false", False),
        # What cards had before bounds were drawn can be looked for.
        (SHORT, "x" * 600, "x" * 600), (PERCENT, "-100", -100), (YEAR, "1999-12-31", "1999-12-31"),
    ],
)  # fmt: skip
def test_a_filters_text_means_a_value(definition: Definition, written: str, value: Any) -> None:
    assert from_text(definition, written) == value


@pytest.mark.parametrize(
    ("definition", "written"),
    [
        (TEXT, ""), (NUMBER, "1e3"), (NUMBER, "５"), (NUMBER, ""), (DATE, "today"),
        (CHOICE, "pink"), (MULTI, "red,blue"), (YES_NO, "yes"),
    ],
)  # fmt: skip
def test_a_filters_text_that_means_nothing_is_refused(definition: Definition, written: str) -> None:
    with pytest.raises(NotAllowedError):
        from_text(definition, written)


@pytest.mark.parametrize(
    ("kind", "choices", "minimum", "maximum", "found"),
    [
        pytest.param(FieldType.TEXT, None, None, None, [], id="plain text"),
        pytest.param(FieldType.TEXT, None, "1", "2000", [], id="lengths"),
        pytest.param(FieldType.TEXT, None, "0", "2001", ["minimum", "maximum"], id="no lengths"),
        pytest.param(FieldType.NUMBER, None, "-1.5", "1e9", ["maximum"], id="an exponent"),
        pytest.param(FieldType.NUMBER, None, "9", "10", [], id="in the order of numbers"),
        pytest.param(FieldType.NUMBER, None, "10", "9", ["maximum"], id="upside down"),
        pytest.param(FieldType.DATE, None, "2026-01-01", "2026-01-01", [], id="a single day"),
        pytest.param(FieldType.DATE, None, "2026-01-02", "2026-01-01", ["maximum"], id="days down"),
        pytest.param(FieldType.DATE, None, "1", None, ["minimum"], id="no day"),
        pytest.param(FieldType.YES_NO, None, "1", None, ["minimum"], id="yes has no bounds"),
        pytest.param(FieldType.CHOICE, COLOURS, None, "1", ["maximum"], id="choices neither"),
        pytest.param(FieldType.CHOICE, COLOURS, None, None, [], id="choices"),
        pytest.param(FieldType.CHOICE, None, None, None, ["choices"], id="without choices"),
        pytest.param(FieldType.MULTI_CHOICE, [], None, None, ["choices"], id="no choices"),
        pytest.param(FieldType.TEXT, COLOURS, None, None, ["choices"], id="text with choices"),
        pytest.param(
            FieldType.CHOICE, (*COLOURS, COLOURS[0]), None, None, ["choices"], id="code twice"
        ),
    ],
)
def test_a_definition_does_not_contradict_itself(
    kind: FieldType, choices: Any, minimum: str | None, maximum: str | None, found: list[str]
) -> None:
    refusals = check_definition(kind, choices, minimum, maximum)
    assert [refusal.place[0] for refusal in refusals] == found


def test_choices_that_go_are_named() -> None:
    assert removed_choices(COLOURS, (Choice("green", "Verdant", "翠"),)) == ["red", "blue"]
    assert removed_choices(COLOURS, (*COLOURS, Choice("pink", "Pink", "粉"))) == []


def test_a_schema_speaks_one_language_and_labels_both() -> None:
    colour = Definition(
        "colour", FieldType.CHOICE, "Colour", "颜色", choices=COLOURS[:1], section="personality",
        help_en="The favourite one.",
    )  # fmt: skip
    english = json_schema([colour], chinese=False)["properties"]["colour"]
    chinese = json_schema([colour], chinese=True)["properties"]["colour"]
    assert english == {
        "title": "Colour",
        "x-labels": {"en": "Colour", "zh": "颜色"},
        "description": "The favourite one.",
        "x-section": "personality",
        "x-order": 0,
        "type": "string",
        "oneOf": [{"const": "red", "title": "Red", "x-labels": {"en": "Red", "zh": "红"}}],
    }
    assert (chinese["title"], chinese["oneOf"][0]["title"]) == ("颜色", "红")
    assert chinese["description"] == "The favourite one."
