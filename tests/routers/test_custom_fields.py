"""Custom fields: defined as data, their values checked, kept, filtered; their schema served."""

from typing import Any

import httpx
import jsonschema_rs
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, CustomField
from app.services import custom_fields
from app.vocabulary import Action
from tests.support.cards import create_card, pointers_of, read_card, row_counts, seen
from tests.support.world import World

PATH = "/v1/custom-fields"
READS_IN: dict[str, Any] = {
    "kind": "individual", "code": "reads_in", "label_en": "Reads in", "label_zh": "阅读语言",
    "type": "multi_choice", "section": "education",
    "choices": [
        {"code": "zh", "en": "Chinese", "zh": "中文"},
        {"code": "en", "en": "English", "zh": "英文"},
    ],
}  # fmt: skip
SCHOOL: dict[str, Any] = {
    "kind": "individual", "code": "school", "label_en": "School", "label_zh": "学校",
    "type": "text", "maximum": "20",
}  # fmt: skip
SHELVES: dict[str, Any] = {
    "kind": "organization", "code": "shelves", "label_en": "Shelves", "label_zh": "书架数",
    "type": "number", "minimum": "0",
}  # fmt: skip


async def define(client: httpx.AsyncClient, world: World, **body: Any) -> dict[str, Any]:
    """Define a field; return it."""
    answer = await client.post(PATH, headers=world.headers(), json=body)
    assert answer.status_code == 201, answer.text
    field: dict[str, Any] = answer.json()
    return field


async def change(
    client: httpx.AsyncClient, world: World, field: dict[str, Any], **body: Any
) -> httpx.Response:
    """Send a change of the field as it was last seen."""
    return await client.patch(f"{PATH}/{field['id']}", headers=seen(world, field), json=body)


async def move(
    client: httpx.AsyncClient, world: World, field: dict[str, Any], where: str
) -> httpx.Response:
    """Put a field out of use, or into use again."""
    return await client.post(f"{PATH}/{field['id']}/{where}", headers=seen(world, field))


async def read(client: httpx.AsyncClient, world: World, field: dict[str, Any]) -> dict[str, Any]:
    """Return a field as it is now."""
    answer = await client.get(f"{PATH}/{field['id']}", headers=world.headers("clerk"))
    found: dict[str, Any] = answer.json()
    return found


async def names(client: httpx.AsyncClient, world: World, **parameters: Any) -> list[str]:
    """Return the names in the list of cards so narrowed."""
    answer = await client.get(
        "/v1/customers", headers=world.headers(), params={"sort": "name", **parameters}
    )
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


# --- Definitions ------------------------------------------------------------------------------


async def test_a_field_is_defined_and_read(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.post(PATH, headers=world.headers(), json=READS_IN)
    field = answer.json()
    assert answer.status_code == 201
    assert (answer.headers["etag"], answer.headers["location"]) == ('"v1"', f"{PATH}/{field['id']}")
    assert field == {
        **READS_IN,
        "id": field["id"],
        "is_required": False,
        "minimum": None,
        "maximum": None,
        "help_en": None,
        "help_zh": None,
        "position": 0,
        "archived_at": None,
        "version": 1,
        "created_at": field["created_at"],
        "updated_at": field["created_at"],
    }
    assert await read(client, world, field) == field


async def test_a_code_is_one_fields_of_a_kind(client: httpx.AsyncClient, world: World) -> None:
    await define(client, world, **SCHOOL)
    again = await client.post(PATH, headers=world.headers(), json={**SCHOOL, "type": "number"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")
    other = await define(client, world, **{**SCHOOL, "kind": "organization", "type": "date",
                                           "maximum": None})  # fmt: skip
    assert other["code"] == "school"


async def test_there_are_so_many_fields_of_a_kind_and_no_more(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_fields, "MAXIMUM_FIELDS", 1)
    await define(client, world, **SCHOOL)
    refused = await client.post(PATH, headers=world.headers(), json=READS_IN)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert (await define(client, world, **SHELVES))["kind"] == "organization"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"code": "School"}, [("/code", "string-pattern-mismatch")], id="code"),
        pytest.param({"choices": []}, [("/choices", "too-short")], id="no choices"),
        pytest.param({"choices": None}, [("/choices", "missing")], id="choices left out"),
        pytest.param(
            {"choices": [READS_IN["choices"][0]] * 2}, [("/choices/1/code", "duplicate")],
            id="a choice twice",
        ),
        pytest.param(
            {"type": "text"}, [("/choices", "not-for-this-type")], id="a text with choices"
        ),
        pytest.param({"minimum": "1"}, [("/minimum", "bound")], id="choices have no bounds"),
        pytest.param(
            {"type": "number", "choices": None, "minimum": "2", "maximum": "1"},
            [("/maximum", "range")], id="upside down",
        ),
        pytest.param({"type": "money"}, [("/type", "enum")], id="no such type"),
        pytest.param({"version": 2}, [("/version", "extra-forbidden")], id="protected"),
    ],
)  # fmt: skip
async def test_definitions_that_contradict_themselves_are_refused(
    client: httpx.AsyncClient, world: World, database: Database, fields: Any, found: Any
) -> None:
    answer = await client.post(PATH, headers=world.headers(), json={**READS_IN, **fields})
    assert (answer.status_code, pointers_of(answer)) == (422, found)
    async with database.transaction() as session:
        assert (await session.scalars(select(CustomField))).all() == []


async def test_a_field_changes_with_the_version_that_was_seen(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    field = await define(client, world, **SCHOOL)
    changed = await change(client, world, field, label_zh="毕业学校", maximum=None, position=3)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')
    assert changed.json() == {
        **field, "label_zh": "毕业学校", "maximum": None, "position": 3, "version": 2,
        "updated_at": changed.json()["updated_at"],
    }  # fmt: skip
    same = await change(client, world, changed.json(), label_zh="毕业学校")
    assert same.json() == changed.json()
    stale = await change(client, world, field, label_zh="母校")
    assert (stale.status_code, stale.json()["changed_fields"]) == (
        412, ["label_zh", "maximum", "position"],
    )  # fmt: skip
    async with database.transaction() as session:
        trail = await session.scalars(
            select(AuditEntry).where(col(AuditEntry.object_type) == "custom_field")
        )
        entries = [(entry.action, entry.fields) for entry in trail]
    assert (Action.CHANGED, ["label_zh", "maximum", "position"]) in entries
    assert await read(client, world, field) == changed.json()


@pytest.mark.parametrize("protected", ["type", "code", "kind"])
async def test_kind_code_and_type_stay_for_ever(
    client: httpx.AsyncClient, world: World, protected: str
) -> None:
    field = await define(client, world, **SCHOOL)
    answer = await change(client, world, field, **{protected: field[protected]})
    assert pointers_of(answer) == [(f"/{protected}", "extra-forbidden")]
    assert await read(client, world, field) == field


async def test_a_change_must_not_contradict_what_stands(
    client: httpx.AsyncClient, world: World
) -> None:
    field = await define(client, world, **SCHOOL)
    answer = await change(client, world, field, minimum="21")
    assert pointers_of(answer) == [("/maximum", "range")]
    assert await read(client, world, field) == field


async def test_a_choice_that_a_card_has_is_relabelled_and_not_left_out(
    client: httpx.AsyncClient, world: World
) -> None:
    field = await define(client, world, **READS_IN)
    one = await define(client, world, **{**READS_IN, "code": "first", "type": "choice"})
    card = await create_card(client, world, custom={"reads_in": ["zh"], "first": "en"})
    chinese, english = READS_IN["choices"]
    for refused_field, left_out, kept in ((field, "zh", english), (one, "en", chinese)):
        refused = await change(client, world, refused_field, choices=[kept])
        assert (refused.status_code, refused.json()["choices"]) == (409, [left_out])
        assert await read(client, world, refused_field) == refused_field
    renamed = {**chinese, "zh": "汉语"}
    changed = await change(client, world, field, choices=[renamed])
    assert (changed.status_code, changed.json()["choices"]) == (200, [renamed])
    assert (await read_card(client, world, card["id"]))["custom"] == {
        "reads_in": ["zh"], "first": "en",
    }  # fmt: skip
    refused = await client.patch(
        f"/v1/customers/{card['id']}",
        headers=seen(world, card),
        json={"custom": {"reads_in": ["en"]}},
    )
    assert pointers_of(refused) == [("/custom/reads_in", "enum")]


async def test_fields_are_listed_in_the_order_of_the_form_page_by_page(
    client: httpx.AsyncClient, world: World
) -> None:
    wanted = [("a", 2), ("b", 1), ("c", 1), ("d", 0)]
    for code, position in wanted:
        await define(client, world, **{**SCHOOL, "code": code, "position": position})
    await define(client, world, **SHELVES)
    found: list[str] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            PATH,
            headers=world.headers("marketing"),
            params={"limit": 2, "is_archived": False, **({"cursor": cursor} if cursor else {})},
        )
        found += [item["code"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert found == ["d", "b", "c", "a", "shelves"]
    of_kind = await client.get(PATH, headers=world.headers(), params={"kind": "organization"})
    assert [item["code"] for item in of_kind.json()["items"]] == ["shelves"]


async def test_nobody_has_a_field_of_no_id(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"{PATH}/{new_id()}", headers=world.headers())
    assert answer.status_code == 404


# --- Values -----------------------------------------------------------------------------------


async def test_values_are_kept_in_one_form_with_history(
    client: httpx.AsyncClient, world: World
) -> None:
    await define(client, world, **READS_IN)
    await define(client, world, **SCHOOL)
    await define(client, world, **{**SHELVES, "kind": "individual"})
    card = await create_card(
        client, world, custom={"reads_in": ["en", "zh"], "school": "一中", "shelves": 2.0}
    )
    assert card["custom"] == {"reads_in": ["zh", "en"], "school": "一中", "shelves": 2}
    changed = await client.patch(
        f"/v1/customers/{card['id']}",
        headers=seen(world, card),
        json={"custom": {"school": None, "shelves": 2.5}},
    )
    assert changed.json()["custom"] == {"reads_in": ["zh", "en"], "shelves": 2.5}
    same = await client.patch(
        f"/v1/customers/{card['id']}",
        headers=seen(world, changed.json()),
        json={"custom": {"reads_in": ["en", "zh"]}},
    )
    assert same.json()["version"] == 2
    history = await client.get(f"/v1/customers/{card['id']}/changes", headers=world.headers())
    assert history.json()["items"][0]["changes"] == {
        "custom": [card["custom"], changed.json()["custom"]]
    }


@pytest.mark.parametrize(
    ("custom", "found"),
    [
        pytest.param({"school": 5}, [("/custom/school", "string-type")], id="type"),
        pytest.param({"shelves": 5}, [("/custom/shelves", "unknown")], id="of another kind"),
        pytest.param(
            {"reads_in": ["fr"], "school": "x" * 21},
            [("/custom/reads_in", "enum"), ("/custom/school", "length")], id="several",
        ),
        pytest.param({"school": None}, [("/custom/school", "string-type")], id="null is no value"),
        pytest.param({"a b": 1}, [("/custom/a b/[key]", "string-pattern-mismatch")], id="no code"),
    ],
)  # fmt: skip
async def test_values_that_no_definition_allows_are_refused_and_leave_nothing(
    client: httpx.AsyncClient, world: World, database: Database, custom: Any, found: Any
) -> None:
    for body in (READS_IN, SCHOOL, SHELVES):
        await define(client, world, **body)
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "individual", "name": "王小明", "custom": custom},
    )
    assert (answer.status_code, pointers_of(answer)) == (422, found)
    assert await row_counts(database) == counts


async def test_a_required_field_is_needed_by_new_cards_and_old_ones_are_left_as_they_are(
    client: httpx.AsyncClient, world: World
) -> None:
    old = await create_card(client, world, name="old")
    await define(client, world, **{**SCHOOL, "is_required": True})
    refused = await client.post(
        "/v1/customers", headers=world.headers(), json={"kind": "individual", "name": "new"}
    )
    assert pointers_of(refused) == [("/custom/school", "missing")]
    noted = await client.patch(
        f"/v1/customers/{old['id']}", headers=seen(world, old), json={"note": "x", "custom": {}}
    )
    assert (noted.status_code, noted.json()["custom"]) == (200, {})
    new = await create_card(client, world, name="new", custom={"school": "一中"})
    emptied = await client.patch(
        f"/v1/customers/{new['id']}", headers=seen(world, new), json={"custom": {"school": None}}
    )
    assert pointers_of(emptied) == [("/custom/school", "missing")]
    assert await read_card(client, world, new["id"]) == new
    assert (await create_card(client, world, kind="organization"))["custom"] == {}


async def test_values_of_a_field_out_of_use_are_read_and_found_and_taken_away_and_not_given(
    client: httpx.AsyncClient, world: World
) -> None:
    field = await define(client, world, **SCHOOL)
    card = await create_card(client, world, name="a", custom={"school": "一中"})
    gone = await move(client, world, field, "archive")
    assert (gone.status_code, gone.headers["etag"]) == (200, '"v2"')
    assert gone.json()["archived_at"] is not None
    twice = await move(client, world, gone.json(), "archive")
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/invalid-transition")
    assert await read_card(client, world, card["id"]) == card
    assert await names(client, world, custom="school:一中") == ["a"]
    path = f"/v1/customers/{card['id']}"
    given = await client.patch(path, headers=seen(world, card), json={"custom": {"school": "二中"}})
    assert pointers_of(given) == [("/custom/school", "unknown")]
    assert await read_card(client, world, card["id"]) == card
    taken = await client.patch(path, headers=seen(world, card), json={"custom": {"school": None}})
    assert taken.json()["custom"] == {}
    back = await move(client, world, gone.json(), "restore")
    assert (back.json()["archived_at"], back.json()["version"]) == (None, 3)
    assert (await move(client, world, back.json(), "restore")).status_code == 409
    given = await client.patch(
        path, headers=seen(world, taken.json()), json={"custom": {"school": "二中"}}
    )
    assert given.json()["custom"] == {"school": "二中"}


# --- Filters ----------------------------------------------------------------------------------


async def test_lists_are_narrowed_by_values_of_any_type(
    client: httpx.AsyncClient, world: World
) -> None:
    await define(client, world, **READS_IN)
    await define(client, world, **SHELVES)
    await define(client, world, **{**SHELVES, "kind": "individual", "type": "text",
                                   "minimum": None})  # fmt: skip
    await define(client, world, **{**SCHOOL, "code": "since", "type": "date", "maximum": None})
    await define(client, world, **{**SCHOOL, "code": "pets", "type": "yes_no", "maximum": None})
    await create_card(client, world, name="a", custom={"reads_in": ["zh", "en"], "shelves": "5"})
    await create_card(
        client, world, name="b",
        custom={"reads_in": ["zh"], "since": "2020-02-29", "pets": False, "shelves": "a:b"},
    )  # fmt: skip
    await create_card(client, world, name="c", kind="organization", custom={"shelves": 5})
    for wanted, found in (
        ("reads_in:zh", ["a", "b"]),
        (["reads_in:zh", "reads_in:en"], ["a"]),
        ("shelves:5", ["a", "c"]),
        ("shelves:5.00", ["c"]),
        ("shelves:a:b", ["b"]),
        (["shelves:5", "reads_in:en"], ["a"]),
        ("since:2020-02-29", ["b"]),
        ("pets:false", ["b"]),
        ("pets:true", []),
    ):
        assert await names(client, world, custom=wanted) == found
    assert await names(client, world, custom="shelves:5", kind="organization") == ["c"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("shoe:1", "unknown"), ("shoe", "unknown"), ("reads_in:fr", "enum"),
        ("shelves:many", "float-type"), ("reads_in", "enum"),
    ],
)  # fmt: skip
async def test_filters_that_mean_nothing_are_refused(
    client: httpx.AsyncClient, world: World, wanted: str, code: str
) -> None:
    await define(client, world, **READS_IN)
    await define(client, world, **SHELVES)
    answer = await client.get("/v1/customers", headers=world.headers(), params={"custom": wanted})
    assert (answer.status_code, pointers_of(answer)) == (422, [("/query/custom", code)])


async def test_a_cursor_is_good_for_the_same_words_only(
    client: httpx.AsyncClient, world: World
) -> None:
    for name in "ab":
        await create_card(client, world, name=name, tags=["x", "y"])
    headers = world.headers()
    first = await client.get("/v1/customers", headers=headers, params={"tag": "x", "limit": 1})
    cursor = first.json()["next_cursor"]
    rest = await client.get(
        "/v1/customers", headers=headers, params={"tag": "x", "limit": 1, "cursor": cursor}
    )
    assert [item["name"] for item in rest.json()["items"]] == ["a"]
    other = await client.get(
        "/v1/customers", headers=headers, params={"tag": "y", "limit": 1, "cursor": cursor}
    )
    assert other.json()["type"] == "/problems/invalid-cursor"


# --- Schema -----------------------------------------------------------------------------------


async def test_the_schema_of_a_kind_is_served_in_the_readers_language(
    client: httpx.AsyncClient, world: World
) -> None:
    await define(client, world, **{**READS_IN, "position": 2})
    await define(client, world, **{**SCHOOL, "is_required": True, "help_en": "The last one."})
    gone = await define(client, world, **{**SCHOOL, "code": "gone"})
    await move(client, world, gone, "archive")
    await define(client, world, **SHELVES)
    answer = await client.get(
        f"{PATH}/schema",
        headers=world.headers("clerk", Accept_Language="zh-CN,en;q=0.5"),
        params={"kind": "individual"},
    )
    schema = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert (answer.headers["content-language"], answer.headers["vary"]) == (
        "zh", "Accept-Language",
    )  # fmt: skip
    jsonschema_rs.meta.validate(schema)
    assert list(schema["properties"]) == ["school", "reads_in"]
    assert schema["properties"]["school"]["title"] == "学校"
    assert schema["properties"]["school"]["x-labels"] == {"en": "School", "zh": "学校"}
    assert schema["required"] == ["school"]
    oracle = jsonschema_rs.Draft202012Validator(schema)
    for custom in ({"school": "一中", "reads_in": ["en"]}, {"school": ""}, {"reads_in": ["zh"]}):
        sent = await client.post(
            "/v1/customers",
            headers=world.headers(),
            json={"kind": "individual", "name": "王小明", "custom": custom},
        )
        assert (sent.status_code == 201) == oracle.is_valid(custom)


async def test_the_schema_needs_a_kind(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"{PATH}/schema", headers=world.headers())
    assert pointers_of(answer) == [("/query/kind", "missing")]
