"""What finds a card: looked up, unique over the chain, added, removed."""

from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select
from sqlmodel import col

from app.core import clock
from app.core.database import Database
from app.core.ids import new_id
from app.models import Identity
from app.vocabulary import IdentityKind
from tests.support.cards import create_card, pointers_of, read_card, row_counts, seen
from tests.support.world import World

PHONE = {"kind": "phone", "value": "13800138000"}


async def holder_of(database: Database, kind: IdentityKind, value: str) -> list[str | None]:
    """Return who a value belongs to: nothing, None for awaited, or the card's id."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(col(Identity.customer_id)).where(
                col(Identity.kind) == kind, col(Identity.value) == value
            )
        )
        return [None if row is None else str(row) for row in rows]


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        (PHONE, {"kind": "phone", "value": "+86 138-0013-8000"}),
        (
            {"kind": "email", "value": "li@example.com"},
            {"kind": "email", "value": "li@EXAMPLE.COM"},
        ),
        (
            {"kind": "member_number", "value": "VIP1"},
            {"kind": "member_number", "value": " ＶＩＰ１"},
        ),
        (
            {"kind": "external", "system": "erp", "value": "7"},
            {"kind": "external", "system": "erp", "value": "7"},
        ),
    ],
)
async def test_a_card_is_found_by_any_way_of_writing_its_identity(
    client: httpx.AsyncClient, world: World, kept: dict[str, str], asked: dict[str, str]
) -> None:
    card = await create_card(client, world, identities=[kept])
    headers = world.headers("marketing")
    del headers["Idempotency-Key"]
    answer = await client.post("/v1/customers/lookup", headers=headers, json=asked)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v1"')
    assert answer.json() == card


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"kind": "phone", "value": "13900139000"}, id="nobody's phone"),
        pytest.param({"kind": "wechat", "value": "7"}, id="another kind"),
        pytest.param({"kind": "external", "system": "crm", "value": "7"}, id="another system"),
        pytest.param({"kind": "phone", "value": "13700137000"}, id="awaited, but of no card yet"),
    ],
)
async def test_what_no_card_has_finds_nothing(
    client: httpx.AsyncClient, world: World, database: Database, asked: dict[str, str]
) -> None:
    await create_card(
        client, world, identities=[PHONE, {"kind": "external", "system": "erp", "value": "7"}]
    )
    await await_phone(database, "+8613700137000")
    answer = await client.post("/v1/customers/lookup", headers=world.headers(), json=asked)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def await_phone(database: Database, value: str) -> None:
    """Let the chain await a card with this phone, as a sale does."""
    async with database.transaction() as session:
        await session.execute(
            insert(Identity).values(
                kind=IdentityKind.PHONE, system="", value=value, created_at=clock.now()
            )
        )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"kind": "phone", "value": "1"}, [("/value", "invalid-phone")]),
        ({"kind": "external", "value": "7"}, [("/system", "invalid-external")]),
        ({"kind": "wechat", "system": "erp", "value": "7"}, [("/system", "invalid-wechat")]),
        ({"kind": "phone"}, [("/value", "missing")]),
        ({"kind": "phone", "value": "13800138000", "label": "x"}, [("/label", "extra-forbidden")]),
    ],
)
async def test_a_lookup_by_what_cannot_be_is_refused(
    client: httpx.AsyncClient, world: World, asked: dict[str, str], found: list[tuple[str, str]]
) -> None:
    answer = await client.post("/v1/customers/lookup", headers=world.headers(), json=asked)
    assert answer.status_code == 422
    assert pointers_of(answer) == found
    assert "13800138000" not in answer.text


async def test_a_second_card_with_an_identity_is_refused_and_told_whose_it_is(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await create_card(client, world, identities=[PHONE, {"kind": "wechat", "value": "wx"}])
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(Accept_Language="zh-CN,en;q=0.5"),
        json={
            "kind": "individual",
            "name": "李明朗",
            "identities": [
                {"kind": "email", "value": "li@example.com"},
                {"kind": "wechat", "value": "wx"},
                {"kind": "phone", "value": "138 0013 8000"},
            ],
        },
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/identity-taken")
    assert answer.json()["detail"] == "该身份标识已属于另一张客户卡。"
    assert answer.json()["customer_id"] == first["id"]
    assert pointers_of(answer) == [
        ("/identities/1/value", "identity-taken"),
        ("/identities/2/value", "identity-taken"),
    ]
    assert {error["detail"] for error in answer.json()["errors"]} == {
        "该身份标识已属于另一张客户卡。"
    }
    assert await row_counts(database) == counts
    assert await holder_of(database, IdentityKind.EMAIL, "li@example.com") == []


async def test_the_same_value_of_another_system_is_another_identity(
    client: httpx.AsyncClient, world: World
) -> None:
    cards = [
        await create_card(
            client, world, identities=[{"kind": "external", "system": system, "value": "7"}]
        )
        for system in ("erp", "crm")
    ]
    assert cards[0]["id"] != cards[1]["id"]


async def test_a_card_claims_what_was_awaited(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await await_phone(database, "+8613800138000")
    card = await create_card(client, world, identities=[PHONE])
    assert await holder_of(database, IdentityKind.PHONE, "+8613800138000") == [card["id"]]


async def test_an_identity_is_added_in_a_new_version(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[{**PHONE, "is_primary": True}])
    headers = seen(world, card)
    body = {"kind": "phone", "value": "13900139000", "label": "work", "is_primary": True}
    address = f"/v1/customers/{card['id']}/identities"
    answer = await client.post(address, headers=headers, json=body)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"v2"')
    assert answer.headers["location"] == f"/v1/customers/{card['id']}"
    assert answer.json() == await read_card(client, world, card["id"])
    assert [
        (identity["value"], identity["label"], identity["is_primary"])
        for identity in answer.json()["identities"]
    ] == [("+86138****8000", None, False), ("+86139****9000", "work", True)]
    history = await client.get(f"/v1/customers/{card['id']}/changes", headers=world.headers())
    was: dict[str, Any] = {
        "kind": "phone", "system": None, "value": "+86138****8000", "label": None,
        "is_primary": True,
    }  # fmt: skip
    added = {**was, "value": "+86139****9000", "label": "work"}
    assert history.json()["items"][0]["changes"] == {
        "identities": [[was], [{**was, "is_primary": False}, added]]
    }
    counts = await row_counts(database)
    again = await client.post(address, headers=headers, json=body)
    assert (again.status_code, again.json()) == (201, answer.json())
    assert await row_counts(database) == counts


async def test_an_identity_of_another_card_cannot_be_added(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    holder = await create_card(client, world, identities=[PHONE])
    other = await create_card(client, world)
    counts = await row_counts(database)
    answer = await client.post(
        f"/v1/customers/{other['id']}/identities", headers=seen(world, other), json=PHONE
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/identity-taken")
    assert answer.json()["customer_id"] == holder["id"]
    assert pointers_of(answer) == [("/value", "identity-taken")]
    assert await row_counts(database) == counts
    assert await read_card(client, world, other["id"]) == other


async def test_a_card_has_fifty_identities_at_most(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(
        client, world, identities=[{"kind": "wechat", "value": f"wx-{n}"} for n in range(50)]
    )
    counts = await row_counts(database)
    answer = await client.post(
        f"/v1/customers/{card['id']}/identities", headers=seen(world, card), json=PHONE
    )
    assert answer.status_code == 422
    assert pointers_of(answer) == [("", "too-many")]
    assert await row_counts(database) == counts


async def test_a_removed_identity_finds_nothing_and_can_go_to_another_card(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[PHONE, {"kind": "wechat", "value": "wx"}])
    address = f"/v1/customers/{card['id']}/identities/{card['identities'][0]['id']}"
    answer = await client.delete(address, headers=seen(world, card))
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    assert answer.json()["identities"] == card["identities"][1:]
    assert await holder_of(database, IdentityKind.PHONE, "+8613800138000") == []
    found = await client.post("/v1/customers/lookup", headers=world.headers(), json=PHONE)
    assert found.status_code == 404
    gone = await client.delete(address, headers=seen(world, answer.json()))
    assert (gone.status_code, gone.json()["detail"]) == (404, "The card has no such identity.")
    other = await create_card(client, world, identities=[PHONE])
    assert await holder_of(database, IdentityKind.PHONE, "+8613800138000") == [other["id"]]


async def test_identities_change_only_with_the_version_that_was_seen(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    await client.patch(
        f"/v1/customers/{card['id']}", headers=seen(world, card), json={"note": "new"}
    )
    counts = await row_counts(database)
    address = f"/v1/customers/{card['id']}/identities"
    body = {"kind": "wechat", "value": "wx"}
    one = f"{address}/{card['identities'][0]['id']}"
    stale = [
        await client.post(address, headers=seen(world, card), json=body),
        await client.delete(one, headers=seen(world, card)),
    ]
    unseen = [
        await client.post(address, headers=world.headers(), json=body),
        await client.delete(one, headers=world.headers()),
    ]
    assert [(answer.status_code, answer.json()["changed_fields"]) for answer in stale] == [
        (412, ["note"])
    ] * 2
    assert [answer.status_code for answer in unseen] == [428] * 2
    assert await row_counts(database) == counts


async def test_a_clerk_changes_no_identities_of_another_stores_card(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(
        client, world, identities=[PHONE], home_store_id=str(world.stores["S02"])
    )
    counts = await row_counts(database)
    address = f"/v1/customers/{card['id']}/identities"
    answers = [
        await client.post(
            address, headers=seen(world, card, "clerk"), json={"kind": "wechat", "value": "wx"}
        ),
        await client.delete(
            f"{address}/{card['identities'][0]['id']}", headers=seen(world, card, "clerk")
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert await row_counts(database) == counts
    assert await read_card(client, world, card["id"]) == card


async def test_identities_of_no_card_cannot_be_changed(
    client: httpx.AsyncClient, world: World
) -> None:
    address = f"/v1/customers/{new_id()}/identities"
    headers = world.headers(If_Match='"v1"')
    added = await client.post(address, headers=headers, json=PHONE)
    removed = await client.delete(f"{address}/{new_id()}", headers=headers)
    assert (added.status_code, removed.status_code) == (404, 404)
