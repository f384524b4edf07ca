"""Cursors: sealed, unreadable, and good for one list only."""

import base64

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.core.config import Settings
from app.core.errors import InvalidInputError
from app.web.pagination import decode_cursor, encode_cursor
from tests.support.cards import create_card
from tests.support.world import World
from tests.web.probes import assert_problem

SETTINGS = Settings(_env_file=None)
LISTING = {"list": "customers", "sort": "name", "tier": None}
POSITION = ["wang xiaoming", "0192f0c1-2b1f-7a53-9d0b-4c6f0c3c7a10"]


def refused(cursor: str, listing: dict[str, object] | None = None) -> bool:
    try:
        decode_cursor(SETTINGS, listing or LISTING, cursor)
    except InvalidInputError as error:
        return error.code == "invalid-cursor"
    return False


def test_a_cursor_gives_its_position_back() -> None:
    assert decode_cursor(SETTINGS, LISTING, encode_cursor(SETTINGS, LISTING, POSITION)) == POSITION


def test_a_cursor_shows_nothing_of_what_it_holds() -> None:
    cursor = encode_cursor(SETTINGS, LISTING, POSITION)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert b"wang" not in raw
    assert b"0192f0c1" not in raw
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?#")


def test_a_cursor_of_another_list_or_sorting_or_service_is_refused() -> None:
    cursor = encode_cursor(SETTINGS, LISTING, POSITION)
    assert refused(cursor, {**LISTING, "list": "staff"})
    assert refused(cursor, {**LISTING, "sort": "-name"})
    assert refused(cursor, {**LISTING, "tier": "main"})
    elsewhere = Settings(_env_file=None, secret_key=SecretStr("another secret of 32 characters.."))
    assert refused(encode_cursor(elsewhere, LISTING, POSITION))


def test_a_cursor_with_any_letter_changed_or_missing_is_refused() -> None:
    cursor = encode_cursor(SETTINGS, LISTING, POSITION)
    for place in range(len(cursor) - 1):
        other = "A" if cursor[place] != "A" else "B"
        assert refused(cursor[:place] + other + cursor[place + 1 :]), place
        assert refused(cursor[:place])


@given(st.text(max_size=200))
def test_no_made_up_cursor_is_accepted(cursor: str) -> None:
    assert refused(cursor)


@pytest.mark.parametrize("cursor", ["x", "====", "é", "W10", "../../etc"])
async def test_a_forged_cursor_is_refused_by_a_list(
    client: httpx.AsyncClient, world: World, cursor: str
) -> None:
    answer = await client.get("/v1/customers", params={"cursor": cursor}, headers=world.headers())
    document = assert_problem(answer, 422, "invalid-cursor")
    assert cursor not in document["detail"]


async def test_the_cursor_of_one_list_does_not_open_another(
    client: httpx.AsyncClient, world: World
) -> None:
    for _ in range(2):
        await create_card(client, world)
    page = await client.get("/v1/customers", params={"limit": 1}, headers=world.headers())
    cursor = page.json()["next_cursor"]
    same = {"limit": 1, "cursor": cursor}
    assert (
        await client.get("/v1/customers", params=same, headers=world.headers())
    ).status_code == 200
    for params in ({**same, "sort": "name"}, {**same, "kind": "organization"}):
        answer = await client.get("/v1/customers", params=params, headers=world.headers())
        assert_problem(answer, 422, "invalid-cursor")
    elsewhere = await client.get("/v1/staff", params=same, headers=world.headers("admin"))
    assert_problem(elsewhere, 422, "invalid-cursor")
