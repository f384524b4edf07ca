"""Bodies as clients should not send them: each is refused by name, and nothing of it is echoed."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.core.config import Settings
from app.core.database import Database
from app.core.errors import InvalidInputError, MalformedError
from app.core.ids import new_id
from app.models import PosEvent
from app.web.route import MAXIMUM_DEPTH, is_json, parse_json
from tests.support.cards import create_card, row_counts
from tests.support.events import sale
from tests.support.world import World, send_batch, send_event, signed
from tests.web.probes import assert_problem, pointers

LOOKUP = "/v1/customers/lookup"
# Nothing may repeat this: it stands for what a customer told us.
CANARY = "canary-13800138000"


async def look_up(
    client: httpx.AsyncClient,
    world: World,
    body: bytes,
    content_type: str | None = "application/json",
) -> httpx.Response:
    headers = world.headers()
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await client.post(LOOKUP, content=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"kind": "phone",}',
        b"{'kind': 'phone'}",
        b'{"kind": "phone"} {}',
        b"\xef\xbb\xbf{}",
        b'{"kind": "ph\x00ne"}',
        b"nul",
        '{"kind"'.encode("utf-16-le"),
    ],
    ids=[
        "unfinished", "trailing comma", "single quotes", "two values", "byte order mark",
        "raw NUL", "no word of JSON", "UTF-16 without a mark",
    ],
)  # fmt: skip
async def test_what_is_not_json_is_malformed(
    client: httpx.AsyncClient, world: World, body: bytes
) -> None:
    assert_problem(await look_up(client, world, body), 400, "malformed-json")


async def test_a_repeated_key_is_malformed_however_deep_it_lies(
    client: httpx.AsyncClient, world: World
) -> None:
    body = b'{"kind": "phone", "value": {"a": 1, "b": [{"c": 1, "c": 2}]}}'
    document = assert_problem(await look_up(client, world, body), 400, "malformed-json")
    assert document["detail"] == "An object repeats a key."


async def test_a_signed_event_with_a_repeated_key_is_malformed_and_not_stored(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    event = json.dumps(sale(event_id="twice"))
    body = (event[:-1] + ', "total": "1.00"}').encode()
    headers = signed(world.secrets["till-1"], "twice", body)
    answer = await client.post("/v1/pos/till-1/events", content=body, headers=headers)
    assert_problem(answer, 400, "malformed-json")
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(PosEvent)) == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
async def test_numbers_that_json_does_not_have_are_invalid(
    client: httpx.AsyncClient, world: World, number: str
) -> None:
    body = f'{{"kind": "phone", "value": {number}}}'.encode()
    document = assert_problem(await look_up(client, world, body), 422, "validation")
    assert [code for _, code in pointers(document)] == ["finite-number"]


async def test_an_integer_of_thousands_of_digits_is_invalid(
    client: httpx.AsyncClient, world: World
) -> None:
    body = b'{"kind": "phone", "value": ' + b"9" * 5000 + b"}"
    document = assert_problem(await look_up(client, world, body), 422, "validation")
    assert pointers(document) == [("", "number")]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"kind": "phone", "value": "a\u0000b"}', "/value"),
        (rb'{"kind": "phone", "value": "a\ud800b"}', "/value"),
        (rb'{"kind": "phone", "value": "a\uDC00"}', "/value"),
        (rb'{"kind": "phone", "value": {"a/b": [0, "\ud83d"]}}', "/value/a~1b/1"),
        (rb'{"kind": "phone", "\ud800": 1}', ""),
    ],
    ids=["NUL", "high surrogate", "low surrogate", "deep", "in a key"],
)
async def test_text_that_is_none_is_invalid_where_it_stands(
    client: httpx.AsyncClient, world: World, body: bytes, pointer: str
) -> None:
    document = assert_problem(await look_up(client, world, body), 422, "validation")
    assert pointers(document) == [(pointer, "text")]


def test_a_pair_of_surrogates_is_a_letter() -> None:
    assert parse_json(rb'"\ud83d\ude00 \\u0000"') == "\N{GRINNING FACE} \\u0000"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"0" + b"]" * depth


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH + 1, 10_000, 19_000])
async def test_deep_nesting_is_malformed_and_costs_no_stack(
    client: httpx.AsyncClient, world: World, depth: int
) -> None:
    body = b'{"value": ' + nested(depth - 1) + b"}"
    assert_problem(await look_up(client, world, body), 400, "malformed-json")


def test_sixty_four_levels_are_read_and_sixty_five_are_not() -> None:
    parse_json(nested(MAXIMUM_DEPTH))
    with pytest.raises(MalformedError):
        parse_json(nested(MAXIMUM_DEPTH + 1))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"kind": "phone", "value": "1"}', "text/plain"),
        (b'{"kind": "phone", "value": "1"}', "text/json+json"),
        (b'{"kind": "phone", "value": "1"}', "application/json; charset=latin-1"),
        (b'{"kind": "phone", "value": "1"}', "application/json;charset=UTF-16"),
        (b'{"kind": "phone", "value": "1"}', "json"),
        (b'{"kind": "phone", "value": "1"}', ""),
        (b'{"kind": "phone", "value": "1"}', None),
        (b"<kind>phone</kind>", "application/xml"),
        (b"kind=phone&value=1", "application/x-www-form-urlencoded"),
        ('{"kind": "phone", "value": "王"}'.encode("gb18030"), "application/json"),
        ('{"kind": "phone", "value": "1"}'.encode("utf-16"), "application/json"),
        (b'{"kind": "phone", "value": "\xed\xa0\x80"}', "application/json"),
    ],
    ids=[
        "text", "a JSON that is none", "latin-1", "UTF-16 named", "no type", "empty", "left out",
        "XML", "a form", "GB 18030", "UTF-16", "a raw lone surrogate",
    ],
)  # fmt: skip
async def test_other_types_and_encodings_are_refused(
    client: httpx.AsyncClient, world: World, body: bytes, content_type: str | None
) -> None:
    answer = await look_up(client, world, body, content_type)
    assert_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        'application/json;charset="utf-8"; profile=x',
        "application/merge-patch+json",
    ],
)
def test_spellings_of_json_are_accepted(content_type: str) -> None:
    assert is_json(content_type)


async def test_a_form_where_a_form_is_wanted_is_urlencoded(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/auth/token", json={"username": "li", "password": "x"})
    document = assert_problem(answer, 415, "unsupported-media-type")
    assert document["detail"] == "Send application/x-www-form-urlencoded in UTF-8."


async def test_a_form_that_is_a_flood_of_fields_is_invalid(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/v1/auth/token",
        content=b"&".join(b"a=1" for _ in range(2000)),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert pointers(assert_problem(answer, 422, "validation")) == [("", "form")]


async def test_no_body_at_all_is_a_missing_one(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.post(LOOKUP, headers=world.headers())
    assert pointers(assert_problem(answer, 422, "validation")) == [("", "missing")]


@pytest.mark.parametrize(
    ("field", "value", "pointer", "code"),
    [
        ("total", "1.001", "/total", "decimal-max-places"),
        ("total", "99999999999999.00", "/total", "amount"),
        ("total", "1" * 400, "/total", "amount"),
        ("total", "NaN", "/total", "amount"),
        ("total", "Infinity", "/total", "amount"),
        ("total", "-0.01", "/total", "greater-than-equal"),
        ("total", CANARY, "/total", "amount"),
        ("occurred_at", "2026-11-21T18:30:00", "/occurred_at", "timezone-aware"),
        ("occurred_at", "2026-02-30T00:00:00Z", "/occurred_at", "datetime-from-date-parsing"),
        ("occurred_at", CANARY, "/occurred_at", "datetime-from-date-parsing"),
        (CANARY, 1, f"/{CANARY}", "extra-forbidden"),
        ("version", 7, "/version", "extra-forbidden"),
    ],
    ids=[
        "three decimals", "money overflow", "400 digits", "NaN", "Infinity", "negative",
        "no amount", "naive instant", "30 February", "no instant", "unknown field",
        "protected field",
    ],
)  # fmt: skip
async def test_values_of_an_event_are_refused_where_they_stand(
    client: httpx.AsyncClient, world: World, field: str, value: Any, pointer: str, code: str
) -> None:
    answer = await send_event(client, world, sale(**{field: value}))
    document = assert_problem(answer, 422, "validation")
    assert pointers(document) == [(pointer, code)]
    assert CANARY not in answer.text.replace(f'"pointer":"/{CANARY}"', "")


@pytest.mark.parametrize(
    "instant",
    ["0001-01-01T00:00:00+08:00", "1899-12-31T23:59:59Z", "9999-12-31T23:59:59-08:00"],
    ids=["year 1", "1899", "year 9999"],
)
async def test_absurd_instants_are_refused(
    client: httpx.AsyncClient, world: World, instant: str
) -> None:
    answer = await send_event(client, world, sale(at=instant))
    document = assert_problem(answer, 422, "validation")
    assert pointers(document) == [("/occurred_at", "instant-range")]


@pytest.mark.parametrize(
    ("birthday", "code"),
    [
        ({"calendar": "solar", "year": 10**30, "month": 1, "day": 1}, "less-than-equal"),
        ({"calendar": "solar", "year": 1, "month": 1, "day": 1}, "greater-than-equal"),
        ({"calendar": "solar", "year": 2025, "month": 2, "day": 29}, "no-such-day"),
    ],
    ids=["integer overflow", "year 1", "29 February of no leap year"],
)
async def test_absurd_days_and_integers_are_refused_and_nothing_is_written(
    client: httpx.AsyncClient, world: World, database: Database, birthday: Any, code: str
) -> None:
    before = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "individual", "name": "王小明", "birthday": birthday},
    )
    found = pointers(assert_problem(answer, 422, "validation"))
    assert any(where.startswith("/birthday") and what == code for where, what in found), found
    assert await row_counts(database) == before


@pytest.mark.parametrize("field", ["id", "version", "created_at", "tier", "status"])
async def test_protected_fields_are_unknown_to_a_change(
    client: httpx.AsyncClient, world: World, field: str
) -> None:
    created = await client.post(
        "/v1/customers", headers=world.headers(), json={"kind": "individual", "name": "王小明"}
    )
    assert created.status_code == 201, created.text
    answer = await client.patch(
        created.headers["location"],
        headers=world.headers(If_Match=created.headers["etag"]),
        json={field: "1"},
    )
    assert (f"/{field}", "extra-forbidden") in pointers(assert_problem(answer, 422, "validation"))
    read = await client.get(created.headers["location"], headers=world.headers())
    assert read.headers["etag"] == created.headers["etag"]


async def test_a_batch_of_too_many_events_is_too_large(
    database: Database, world: World, client: httpx.AsyncClient
) -> None:
    answer = await send_batch(client, world, [{}] * 5001)
    document = assert_problem(answer, 413, "too-large")
    assert document["detail"] == "A batch has 5000 events at most."


def test_a_too_long_integer_is_no_syntax_error() -> None:
    with pytest.raises(InvalidInputError):
        parse_json(b"-" + b"1" * 4301)


async def test_a_body_that_is_wrong_everywhere_is_told_a_hundred_times_at_most(
    client: httpx.AsyncClient, world: World, settings: Settings
) -> None:
    body = json.dumps({"kind": "phone", "value": "1", **{f"f{n}": n for n in range(5000)}})
    document = assert_problem(await look_up(client, world, body.encode()), 422, "validation")
    assert len(document["errors"]) == 100


async def test_the_name_of_an_unknown_field_is_cut(client: httpx.AsyncClient, world: World) -> None:
    body = json.dumps({"kind": "phone", "value": "1", "x" * 10_000: 1}).encode()
    document = assert_problem(await look_up(client, world, body), 422, "validation")
    assert pointers(document) == [("/" + "x" * 100, "extra-forbidden")]


async def test_no_operation_ignores_a_body_that_it_does_not_take(
    client: httpx.AsyncClient, world: World
) -> None:
    document = (await client.get("/openapi.json")).json()
    asked = [
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "get" and "requestBody" not in operation
    ]
    assert ("post", "/v1/customers/{customer_id}/erasures") in asked
    for method, path in asked:
        answer = await client.request(
            method.upper(),
            re.sub(r"\{\w+\}", str(new_id()), path),
            headers=world.headers(),
            json={"dry_run": True},
        )
        refused = assert_problem(answer, 422, "validation")
        assert pointers(refused) == [("", "extra-forbidden")], path
        declared = document["paths"][path][method]["responses"]
        assert "validation" in declared["422"]["$ref"], path


@pytest.mark.parametrize("body", [b"null", b"[]", b"dry_run=true", b" " * 65, b"x" * 2_000_000])
async def test_nothing_is_done_where_a_body_is_not_taken(
    client: httpx.AsyncClient, world: World, body: bytes
) -> None:
    card = await create_card(client, world)

    async def sent() -> AsyncIterator[bytes]:
        yield body

    address = f"/v1/customers/{card['id']}"
    answer = await client.post(f"{address}/erasures", headers=world.headers(), content=sent())
    assert answer.status_code in {413, 422}
    assert (await client.get(address, headers=world.headers())).json() == card


@pytest.mark.parametrize("body", [None, b"", b"{}", b" {} \n"])
async def test_an_empty_object_is_no_body(
    client: httpx.AsyncClient, world: World, body: bytes | None
) -> None:
    card = await create_card(client, world)
    headers = world.headers(If_Match='"v1"')
    answer = await client.post(f"/v1/customers/{card['id']}/archive", headers=headers, content=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "archived")
