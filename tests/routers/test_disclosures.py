"""Masked values in full: to who may, with a reason, on the record."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select
from sqlmodel import col

from app.core import clock
from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, CustomerContact, Disclosure, IdempotencyKey
from app.vocabulary import Action, ContactRole
from tests.support.cards import create_card, pointers_of
from tests.support.world import World

PHONE, EMAIL = "+8613800138000", "wang@example.com"
IDENTITIES = [
    {"kind": "phone", "value": PHONE, "label": "mobile"},
    {"kind": "email", "value": EMAIL},
]
REASON = "顾客来电要求回拨"


async def ask(
    client: httpx.AsyncClient, world: World, card: dict[str, Any], who: str = "manager", **body: Any
) -> httpx.Response:
    return await client.post(
        f"/v1/customers/{card['id']}/disclosures",
        headers=world.headers(who),
        json={"fields": ["identities"], "reason": REASON, **body},
    )


async def written(database: Database) -> tuple[int, int]:
    """Return how many disclosures are on record, and how many answers are kept."""
    async with database.transaction() as session:
        return (
            await session.scalar(select(func.count()).select_from(Disclosure)) or 0,
            await session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0,
        )


async def test_who_gives_a_reason_sees_the_values_and_is_on_record(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    answer = await ask(client, world, card, "service")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told = answer.json()
    assert [(one["kind"], one["value"], one["label"]) for one in told["identities"]] == [
        ("phone", PHONE, "mobile"), ("email", EMAIL, None),
    ]  # fmt: skip
    assert told["contacts"] is None
    listed = await client.get(
        f"/v1/customers/{card['id']}/disclosures", headers=world.headers("admin")
    )
    assert listed.json() == {
        "items": [
            {
                "id": told["id"],
                "fields": ["identities"],
                "reason": REASON,
                "disclosed_at": told["disclosed_at"],
                "actor_kind": "staff",
                "actor_id": str(world.staff["service"]),
            }
        ],
        "next_cursor": None,
    }
    async with database.transaction() as session:
        entry = (
            await session.scalars(
                select(AuditEntry).where(col(AuditEntry.action) == Action.DISCLOSED)
            )
        ).one()
        assert (str(entry.object_id), entry.fields) == (card["id"], ["identities"])
    # Nothing keeps the answer: asking again is a second disclosure.
    assert await written(database) == (1, 1)
    assert (await ask(client, world, card, "service")).json()["identities"] == told["identities"]
    assert await written(database) == (2, 1)


async def test_one_identity_can_be_asked_for(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    answer = await ask(client, world, card, identity_ids=[card["identities"][1]["id"]])
    assert [one["value"] for one in answer.json()["identities"]] == [EMAIL]


async def test_contact_persons_are_shown_when_they_are_asked_for(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, kind="organization", name="第三中学")
    contact_id = new_id()
    async with database.transaction() as session:
        await session.execute(
            insert(CustomerContact).values(
                customer_id=card["id"], id=contact_id, name="王主任", role=ContactRole.PURCHASING,
                decides=True, phone=PHONE, email=None, created_at=clock.now(),
                updated_at=clock.now(),
            )
        )  # fmt: skip
    answer = await ask(client, world, card, fields=["contacts", "contacts"])
    assert answer.json()["identities"] is None
    assert answer.json()["contacts"] == [
        {"id": str(contact_id), "name": "王主任", "phone": PHONE, "email": None}
    ]
    listed = await client.get(f"/v1/customers/{card['id']}/disclosures", headers=world.headers())
    assert listed.json()["items"][0]["fields"] == ["contacts"]


async def test_a_reason_can_be_as_short_as_chinese_is(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    assert (await ask(client, world, card, reason="回拨")).status_code == 200


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"reason": "    ?    "}, [("/reason", "string-too-short")]),
        ({"reason": "\u200b\u2060\u3164\u3164"}, [("/reason", "reason")]),
        ({"reason": "。？!- a"}, [("/reason", "reason")]),
        ({"reason": "x" * 501}, [("/reason", "string-too-long")]),
        ({"fields": []}, [("/fields", "too-short")]),
        ({"fields": ["name"]}, [("/fields/0", "literal-error")]),
        ({"identity_ids": [str(new_id())]}, [("/identity_ids/0", "unknown")]),
        ({"fields": ["contacts"], "identity_ids": [str(new_id())]}, [("", "identity-ids")]),
    ],
)
async def test_what_is_not_reasonable_is_refused_and_shows_nothing(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    body: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    answer = await ask(client, world, card, **body)
    assert answer.status_code == 422
    assert pointers_of(answer) == found
    assert "13800138000" not in answer.text
    assert await written(database) == (0, 1)


async def test_who_is_bound_to_a_store_sees_no_values_of_another_stores_card(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(
        client, world, identities=IDENTITIES, home_store_id=str(world.stores["S02"])
    )
    answer = await ask(client, world, card, "store_manager")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert "13800138000" not in answer.text
    assert await written(database) == (0, 1)
    assert (await ask(client, world, card, "manager")).status_code == 200


async def test_disclosures_are_paged_newest_first(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world, identities=IDENTITIES)
    made = [(await ask(client, world, card)).json()["id"] for _ in range(3)]
    address = f"/v1/customers/{card['id']}/disclosures"
    first = (await client.get(address, headers=world.headers(), params={"limit": 2})).json()
    rest = await client.get(
        address, headers=world.headers(), params={"limit": 2, "cursor": first["next_cursor"]}
    )
    assert [one["id"] for one in first["items"] + rest.json()["items"]] == made[::-1]
    assert rest.json()["next_cursor"] is None


async def test_of_no_card_there_is_nothing_to_disclose(
    client: httpx.AsyncClient, world: World
) -> None:
    nobody = {"id": str(new_id())}
    listed = await client.get(f"/v1/customers/{nobody['id']}/disclosures", headers=world.headers())
    assert ((await ask(client, world, nobody)).status_code, listed.status_code) == (404, 404)
