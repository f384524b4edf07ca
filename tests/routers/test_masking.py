"""Whoever asks: what reaches a customer is shown with its middle hidden, in every answer."""

from typing import Any

import httpx
import pytest

from app.vocabulary import Role
from tests.support.cards import create_card, pointers_of, seen
from tests.support.events import sale
from tests.support.world import World, send_event

IDENTITIES = [
    {"kind": "phone", "value": "13912345678"},
    {"kind": "email", "value": "canary.bird@example.com"},
    {"kind": "wechat", "value": "wx-canary-77"},
    {"kind": "member_number", "value": "HK000001"},
]
WHOLE = ("13912345678", "canary.bird", "wx-canary")
SHOWN = ["+86139****5678", "c****@example.com", "w****7", "HK000001"]


def assert_masked(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert [value for value in WHOLE if value in answer.text] == []


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_sees_identities_masked_on_cards_in_lists_and_in_the_history(
    client: httpx.AsyncClient, world: World, role: Role
) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    shown: list[Any] = [
        (identity["value"], identity["is_masked"]) for identity in card["identities"]
    ]
    assert shown == list(zip(SHOWN, [True, True, True, False], strict=True))
    headers = world.headers(str(role))
    read = await client.get(f"/v1/customers/{card['id']}", headers=headers)
    assert read.json() == card
    listed = await client.get("/v1/customers", headers=headers)
    assert listed.json()["items"] == [card]
    found = await client.post("/v1/customers/lookup", headers=headers, json=IDENTITIES[0])
    assert found.json() == card
    history = await client.get(f"/v1/customers/{card['id']}/changes", headers=headers)
    assert [one["value"] for one in history.json()["items"][0]["changes"]["identities"][1]] == SHOWN
    for answer in (read, listed, found, history):
        assert_masked(answer)


async def test_an_event_is_shown_with_its_customers_phone_masked(
    client: httpx.AsyncClient, world: World
) -> None:
    event = sale("58.00", customer={"kind": "phone", "value": "139 1234 5678"}, store="S02")
    assert (await send_event(client, world, event)).json()["status"] == "held"
    listed = await client.get("/v1/pos/events", headers=world.headers("service"))
    assert listed.json()["items"][0]["body"] == {
        **event, "customer": {"kind": "phone", "value": "139****5678"}
    }  # fmt: skip


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_what_was_shown_masked_cannot_be_sent_back(
    client: httpx.AsyncClient, world: World, number: int
) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    answer = await client.post(
        f"/v1/customers/{card['id']}/identities",
        headers=seen(world, card),
        json={"kind": IDENTITIES[number]["kind"], "value": SHOWN[number]},
    )
    assert answer.status_code == 422
    assert pointers_of(answer) == [("/value", f"invalid-{IDENTITIES[number]['kind']}")]
