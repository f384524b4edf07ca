"""Everything about a person, copied out for that person."""

import json
import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.locale.column_names import COLUMN_NAMES, TABLE_NAMES
from app.models import AuditEntry, Customer
from app.queries.customer_tables import CUSTOMER_TABLES
from app.queries.person_copies import COPIED_TABLES
from app.services import copies
from app.vocabulary import Action, CustomerStatus
from tests.support.cards import create_card, pointers_of, row_counts
from tests.support.events import sale
from tests.support.merging import merge, undo
from tests.support.world import World, send_event

REASON = "本人书面申请"
PHONE = {"kind": "phone", "value": "13912345678"}
MEMBER = {"kind": "member_number", "value": "HK000001"}


async def copy(
    client: httpx.AsyncClient, world: World, customer_id: object, reason: str = REASON
) -> httpx.Response:
    return await client.post(
        f"/v1/customers/{customer_id}/copies",
        headers=world.headers("manager"),
        json={"reason": reason},
    )


async def test_a_copy_holds_every_row_of_the_person_and_nobody_elses(
    client: httpx.AsyncClient, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So small that a table of two rows is read in two portions.
    monkeypatch.setattr(copies, "ROWS_OF_A_PAGE", 1)
    merged = await create_card(client, world, name="王晓明", note="merged")
    card = await create_card(client, world, identities=[PHONE, MEMBER], note="secret")
    other = await create_card(client, world, name="李明朗", note="another's")
    bought = sale("58.00")
    await send_event(client, world, bought)
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(merged["id"]))
            .values(status=CustomerStatus.MERGED, merged_into_id=UUID(card["id"]))
        )
    answer = await copy(client, world, card["id"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="customer-{card["id"]}.json"'
    )
    made: dict[str, Any] = answer.json()
    assert (made["customer_id"], made["cards"]) == (card["id"], [card["id"], merged["id"]])
    tables = {part["table"]: part for part in made["tables"]}
    assert set(tables) == {table.name for table in CUSTOMER_TABLES if table.is_copied} | {
        "audit_entry"
    }
    assert {row["id"]: row["note"] for row in tables["customer"]["rows"]} == {
        card["id"]: "secret", merged["id"]: "merged",
    }  # fmt: skip
    assert [row["value"] for row in tables["customer_identity"]["rows"]] == [
        "+8613912345678", "HK000001",
    ]  # fmt: skip
    assert tables["customer_identity"]["title"] == {
        "en": "Phones, addresses and numbers", "zh": "客户身份",
    }  # fmt: skip
    assert tables["customer_identity"]["columns"]["value"] == {"en": "value", "zh": "值"}
    assert [row["amount"] for row in tables["purchase"]["rows"]] == [58.00]
    assert [row["sku"] for row in tables["purchase_line"]["rows"]] == ["B1"]
    assert [row["body"] for row in tables["pos_event"]["rows"]] == [bought]
    assert [row["reason"] for row in tables["disclosure"]["rows"]] == [REASON]
    assert {"created", "copied"} <= {row["action"] for row in tables["audit_entry"]["rows"]}
    assert "another's" not in json.dumps(made)
    assert other["id"] not in answer.text
    listed = await client.get(f"/v1/customers/{card['id']}/disclosures", headers=world.headers())
    assert [(one["id"], one["fields"], one["reason"]) for one in listed.json()["items"]] == [
        (made["id"], ["copy"], REASON)
    ]
    async with database.transaction() as session:
        entry = (
            await session.scalars(select(AuditEntry).where(col(AuditEntry.action) == Action.COPIED))
        ).one()
        assert (str(entry.object_id), entry.fields) == (card["id"], ["copy"])


async def test_who_was_taken_for_somebody_else_has_nothing_of_them_in_the_copy(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    other = await create_card(
        client, world, name="李明朗", identities=[MEMBER], note="another's", tags=["another's"]
    )
    done = await merge(client, world, card["id"], [other["id"]])
    merged = (await copy(client, world, card["id"])).json()
    assert {"李明朗", "HK000001", "another's"} <= set(
        re.findall("李明朗|HK000001|another's", json.dumps(merged, ensure_ascii=False))
    )
    await undo(client, world, done)
    for one, value, foreign in (
        (card, "+8613912345678", "李明朗|HK000001|another's"),
        (other, "HK000001", "13912345678|王小明"),
    ):
        parted = (await copy(client, world, one["id"])).json()
        told = json.dumps(parted, ensure_ascii=False)
        assert value in told
        assert re.findall(foreign, told) == []


async def test_an_organization_has_its_copy_too(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world, kind="organization", name="第三中学")
    made = (await copy(client, world, card["id"])).json()
    assert made["tables"][0]["rows"][0]["name"] == "第三中学"


async def test_without_a_card_or_a_reason_nothing_is_copied(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, note="secret")
    counts = await row_counts(database)
    refused = await copy(client, world, card["id"], " 无 ")
    assert (refused.status_code, pointers_of(refused)) == (
        422, [("/reason", "string-too-short")],
    )  # fmt: skip
    assert (await copy(client, world, new_id())).status_code == 404
    assert "secret" not in refused.text
    assert await row_counts(database) == counts


def test_every_table_and_column_of_a_copy_has_a_name_in_both_languages() -> None:
    assert {table.name for table in COPIED_TABLES} == set(TABLE_NAMES)
    assert {name for table in COPIED_TABLES for name in table.columns} == set(COLUMN_NAMES)


def test_only_what_says_again_what_others_say_is_left_out() -> None:
    left_out = {table.name for table in CUSTOMER_TABLES if not table.is_copied}
    assert left_out == {
        "identity", "receipt", "outbox_event", "interaction_entry", "customer_search_key",
        "duplicate_card", "duplicate_key",
    }  # fmt: skip
