"""A person is put everywhere the service keeps anything, erased, and looked for in everything.

What is looked through is whatever the database has: a table that a later change adds and an
erasure forgets is found here as soon as this story reaches it.
"""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.core.logging import configure_logging
from app.models import metadata
from app.queries.customer_tables import CUSTOMER_TABLES, OnErasure
from app.vocabulary import SourceMode
from tests.conftest import client_of
from tests.support import import_files, merging
from tests.support.calibrations import calibrate
from tests.support.cards import create_card, read_card, seen
from tests.support.events import refund, sale
from tests.support.shop import Shop
from tests.support.world import World, build_world

NAME, SECOND_NAME = "欧阳金丝雀", "欧阳金丝鸟"
PHONE, OLD_PHONE = "13912345678", "13987654321"
EMAIL, WECHAT, MEMBER = "canary.bird@example.com", "wx-canary-77", "HK7777777"
MARK = "金丝雀"
"""Stands in every text that is written about the person."""
CANARIES: Final = (
    MARK, "金丝鸟", PHONE, OLD_PHONE, PHONE[3:], OLD_PHONE[3:], "canary", MEMBER, "怕猫",
    "七十七号", "ouyang", "jinsi", "oyjs",
)  # fmt: skip
Table = str


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """Everything that is logged, from the least of it on, as a service writes it."""
    stream = io.StringIO()
    configure_logging("json", "DEBUG", stream)
    yield stream
    configure_logging("json", "WARNING")


def found_in(everything: str) -> list[str]:
    """Return the canaries in a text: plainly, as JSON escapes them, or as bytes in hexadecimal."""
    escaped = everything.encode().decode("unicode_escape", errors="ignore")
    folded = (everything + escaped).lower()
    return [
        canary
        for canary in CANARIES
        if canary.lower() in folded
        or any(canary.encode(code).hex() in folded for code in ("utf-8", "gb18030"))
    ]


async def canaries_of(database: Database) -> dict[tuple[Table, str], list[str]]:
    """Return where in the database, in which column of which table, something of the person is."""
    there = {}
    async with database.transaction() as session:
        tables = await session.scalars(
            text(
                "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
                " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
        )
        for table in tables.all():
            rows = await session.scalars(text(f'SELECT to_jsonb(t)::text FROM "{table}" AS t'))
            everything = rows.all()
            if not found_in("\n".join(everything)):
                continue
            for row in map(json.loads, everything):
                for column, value in row.items():
                    if found := found_in(value if isinstance(value, str) else json.dumps(value)):
                        there[(table, column)] = found
    return there


class Person:
    """The story of the person, each chapter over the API, as a chain's staff and tills tell it."""

    def __init__(
        self, client: httpx.AsyncClient, world: World, database: Database, settings: Settings
    ) -> None:
        self.client, self.world, self.database = client, world, database
        self.shop = Shop(client, world, database, settings)
        self.card: dict[str, Any] = {}
        self.other: dict[str, Any] = {}
        self.bought: list[dict[str, Any]] = []

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request that has to succeed; return its body."""
        answer = await self.client.request(
            method, path, headers=self.world.headers("admin", **headers), json=body
        )
        assert answer.status_code in {200, 201}, f"{method} {path}: {answer.text}"
        return answer.json()

    async def is_unknown_at_first(self) -> None:
        """Buy and call before there is a card; both wait for it."""
        waits = sale("30.00", customer={"kind": "phone", "value": f"+86 {PHONE}"}, at=ago(40))
        assert (await self.shop.send(waits))["status"] == "awaiting_customer"
        self.bought.append(waits)
        await self.ask("POST", "/v1/interactions", self.contact(identity={
            "kind": "phone", "value": PHONE}))  # fmt: skip

    async def gets_cards(self) -> None:
        """Be registered twice, and be changed."""
        person = {
            "kind": "individual", "name": NAME, "gender": "female", "marital_status": "married",
            "birthday": {"calendar": "lunar", "year": 1977, "month": 7, "day": 7},
            "occupation": f"{MARK}饲养员", "employer": f"{MARK}鸟店", "job_title": f"{MARK}店长",
            "region": f"{MARK}区", "address": "七十七号", "note": "她怕猫",
            "home_store_id": str(self.world.stores["S01"]),
            "tags": [f"{MARK}迷"], "interests": [MARK],
            "family": [{"relation": "child", "name": f"{MARK}小宝", "note": MARK}],
            "identities": [
                {"kind": "phone", "value": PHONE, "label": MARK},
                {"kind": "phone", "value": OLD_PHONE},
                {"kind": "email", "value": EMAIL},
                {"kind": "wechat", "value": WECHAT},
                {"kind": "member_number", "value": MEMBER},
            ],
        }  # fmt: skip
        self.card = await self.ask("POST", "/v1/customers", person)
        self.other = await self.ask(
            "POST", "/v1/customers",
            {"kind": "individual", "name": SECOND_NAME, "note": MARK, "allow_duplicate": True,
             "identities": [{"kind": "email", "value": f"second.{EMAIL}"}]},
        )  # fmt: skip
        path = f"/v1/customers/{self.card['id']}"
        self.card = await self.ask(
            "PATCH", path, {"note": "她怕猫，别提"}, If_Match=f'"v{self.card["version"]}"'
        )
        old = self.card["identities"][1]["id"]
        self.card = (
            await self.client.delete(
                f"{path}/identities/{old}", headers=seen(self.world, self.card)
            )
        ).json()

    async def is_written_about(self) -> None:
        """Agree, be spoken with, be looked at in full."""
        path = f"/v1/customers/{self.card['id']}"
        await self.ask("POST", f"{path}/consents", {"statements": [{
            "purpose": "marketing", "channel": "sms", "state": "granted", "proof": "form",
            "proof_reference": f"{MARK}表", "wording": f"{MARK}同意"}]})  # fmt: skip
        made = await self.ask("POST", f"{path}/interactions", self.contact())
        await self.ask(
            "PATCH", f"{path}/interactions/{made['id']}", {"text": f"{MARK}又来电"}, If_Match='"v1"'
        )
        await self.ask(
            "POST", f"{path}/disclosures",
            {"fields": ["identities"], "reason": f"{NAME}来电要求回拨"},
        )  # fmt: skip

    async def is_looked_for(self) -> None:
        """Be searched, listed, written to files and copied out."""
        for query in (NAME, "ouyang", "oyjs", PHONE[-4:]):
            found = await self.ask("POST", "/v1/customers/search", {"query": query})
            assert self.card["id"] in str(found), query
        for which in EXPORTS:
            await exported(self, which)
        await self.ask(
            "POST", f"/v1/customers/{self.card['id']}/copies", {"reason": f"{NAME}书面申请"}
        )

    async def buys(self) -> None:
        """Buy by every way of writing who it is; be held, parked and tested."""
        for customer in (
            {"kind": "phone", "value": f"139-{PHONE[3:7]}-{PHONE[7:]}"},
            {"kind": "member_number", "value": MEMBER},
            {"kind": "email", "value": EMAIL.replace("example", "EXAMPLE")},
            {"kind": "wechat", "value": WECHAT},
            {"id": self.card["id"]},
            {"id": self.other["id"]},
        ):
            event = sale("100.00", customer=customer, at=ago(30))
            assert (await self.shop.send(event))["status"] == "applied"
            self.bought.append(event)
        await self.shop.send(refund(self.bought[1], "40.00", quantity="0.4"))
        # Of the number that was theirs: awaited, though they bought.
        waits = sale("20.00", customer={"kind": "phone", "value": OLD_PHONE}, at=ago(20))
        assert (await self.shop.send(waits))["status"] == "awaiting_customer"
        await self.ask("POST", "/v1/interactions", self.contact(identity={
            "kind": "phone", "value": OLD_PHONE}))  # fmt: skip
        for written in (
            f"0086{PHONE}",
            "１３９１２３４５６７８",
            MEMBER.lower(),
            f" {EMAIL.upper()} ",
        ):
            held = sale("7.00", customer={"kind": "wechat", "value": written}, store="S02")
            assert (await self.shop.send(held))["status"] == "held"
        for place, customer in (("S02", {"id": self.card["id"]}),):
            held = sale("7.00", customer=customer, store=place)
            assert (await self.shop.send(held))["status"] == "held"
        await self.shop.use_mode(SourceMode.TEST)
        tested = sale("100.00", member=MEMBER)
        assert (await self.shop.send(tested))["customer"]["name"] == NAME
        await self.shop.use_mode(SourceMode.LIVE)

    async def is_not_believed(self) -> None:
        """Buy for much at once: the upgrade is held, and refused for a reason."""
        await calibrate(self.database, top_gross=Decimal("1000.00"))
        event = sale("9000.00", member=MEMBER, at=ago(30))
        assert (await self.shop.send(event))["tier"]["held_upgrade"]["level"] == "main"
        self.bought.append(event)
        [review] = (await self.ask("GET", "/v1/tier-reviews"))["items"]
        await self.ask(
            "POST", f"/v1/tier-reviews/{self.card['id']}/{review['id']}/refuse",
            {"reason": f"{NAME}替{MARK}学校代购"},
        )  # fmt: skip

    async def is_in_files(self) -> None:
        """Stand in files that are brought in: known, unknown, and in one that nobody can read."""
        cards = f"姓名,手机,职业,备注\n{NAME},{PHONE},{MARK}学者,{MARK}\n"
        contacts = f"日期,渠道,手机,主题,内容\n2026-11-02,电话,{OLD_PHONE},{MARK},{NAME}问书\n"
        for kind, content, more in (
            ("cards", cards, {"on_existing": "update"}),
            ("interactions", contacts, {}),
        ):
            job = await self.brought_in(content, kind=kind, **more)
            assert job["status"] == "checked", job
            done = await self.do(await import_files.ask(self.client, self.world, job, "run"))
            assert done["status"] == "done", done
        failed = await self.brought_in(f"{NAME},{PHONE}\n{NAME},{PHONE}\n", kind="cards")
        assert failed["status"] == "failed", failed

    async def brought_in(self, content: str, **body: Any) -> dict[str, Any]:
        """Upload a file and have it checked."""
        return await self.do(
            await import_files.upload(self.client, self.world, content.encode(), **body)
        )

    async def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do what an import waits for."""
        return await import_files.step(
            self.client, self.world, self.database, self.shop.settings, job
        )

    async def is_taken_for_two(self) -> None:
        """Be found twice, and merged: the other card's id leads to this one from then on."""
        first, second = sorted([self.card["id"], self.other["id"]])
        await self.run(
            "INSERT INTO duplicate_pair (first_id, second_id, state, score, reasons, found_at,"
            " decided_at, note) VALUES (:first, :second, 'same', 900, '[]', :at, :at, :note)"
            " ON CONFLICT DO NOTHING",
            first=UUID(first), second=UUID(second), at=clock.now(), note=MARK,
        )  # fmt: skip
        await merging.merge(self.client, self.world, self.card["id"], [self.other["id"]])
        await self.run(
            "UPDATE customer_merge SET merged_at = merged_at - interval '20 days', reason = :mark",
            mark=MARK,
        )
        self.card = await self.ask("GET", f"/v1/customers/{self.card['id']}")
        assert self.card["merged_ids"] == [self.other["id"]]

    async def is_written_where_this_story_has_no_chapter_yet(self) -> None:
        """Write into every personal column that no chapter has reached."""
        there = await canaries_of(self.database)
        for table in CUSTOMER_TABLES:
            columns = metadata.tables[table.name].columns
            key = "id" if table.name == "customer" else "customer_id"
            for name in table.personal:
                if (table.name, name) in there or not is_text(columns[name]):
                    continue
                if table.name == "customer_contact":
                    await self.run(
                        "INSERT INTO customer_contact (customer_id, id, name, role, decides, title,"
                        " phone, email, note, created_at, updated_at) VALUES (:id, :contact, :mark,"
                        " 'other', false, :mark, :mark, :mark, :mark, :at, :at)"
                        " ON CONFLICT DO NOTHING",
                        id=UUID(self.card["id"]), contact=new_id(), mark=MARK, at=clock.now(),
                    )  # fmt: skip
                    continue
                await self.run(
                    f"UPDATE {table.name} SET {name} = {marked(columns[name])} WHERE {key} = :id",
                    id=UUID(self.card["id"]),
                )

    async def run(self, statement: str, **values: Any) -> None:
        """Run a statement that stands for a chapter that is still to be written."""
        async with self.database.transaction() as session:
            await session.execute(text(statement), values)

    def contact(self, **more: Any) -> dict[str, Any]:
        """Return a contact that tells of the person in every text."""
        return {
            "channel": "phone", "direction": "inbound", "subject": f"{MARK}问书",
            "text": f"{NAME}，电话{PHONE}", "next_step": f"给{MARK}回电", **more,
        }  # fmt: skip


EXPORTS: Final = ("customers", "purchases", "pos-events", "audit", "interactions")


async def exported(person: Person, which: str) -> str:
    """Return a list of the whole chain as a file."""
    answer = await person.client.post(
        f"/v1/exports/{which}",
        headers=person.world.headers("admin"),
        json={"format": "csv"},
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def ago(days: int) -> str:
    """Return the instant that was so many days ago, as an event spells it."""
    return (clock.now() - timedelta(days=days)).isoformat()


def is_text(column: "sa.Column[Any]") -> bool:
    """Tell whether a column can hold a canary: text that is no code, lists of it, JSON."""
    return type(column.type) in {sa.Text, sa.ARRAY} or column.type.__class__.__name__ == "JSONB"


def marked(column: "sa.Column[Any]") -> str:
    """Return a value with the mark in it, in SQL."""
    if isinstance(column.type, sa.ARRAY):
        return f"ARRAY['{MARK}']"
    return f"'{MARK}'" if type(column.type) is sa.Text else f"""'["{MARK}"]'"""


async def figures_of(database: Database) -> dict[str, list[str]]:
    """Return every total that may not change, by what it is the total of."""
    wanted = {
        "purchases": "SELECT store_id, kind, status, count(*), sum(amount), sum(cost)"
        " FROM purchase GROUP BY 1, 2, 3",
        "lines": "SELECT count(*), sum(quantity), sum(amount) FROM purchase_line",
        "unattached": "SELECT store_id, count(*), sum(amount) FROM unattached_purchase GROUP BY 1",
        "receipts": "SELECT count(*), count(purchase_id), count(customer_id) FROM receipt",
        "statistics": "SELECT s::text FROM customer_stats AS s",
        "tiers": "SELECT customer_id, level, valid_from, valid_to FROM tier_assignment",
        "contacts": "SELECT channel, direction, outcome, count(*), sum(cost) FROM interaction"
        " GROUP BY 1, 2, 3",
        "cost to serve": "SELECT s::text FROM customer_service_stats AS s",
        "consent": "SELECT purpose, channel, state, count(*) FROM consent_record GROUP BY 1, 2, 3",
        "events": "SELECT count(*) FROM pos_event",
    }
    async with database.transaction() as session:
        return {
            name: sorted(str(tuple(row)) for row in await session.execute(text(statement)))
            for name, statement in wanted.items()
        }


async def test_nothing_is_left_of_an_erased_person(
    fresh_database: Database, settings: Settings, said: io.StringIO
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        person = Person(client, world, fresh_database, settings)
        await person.is_unknown_at_first()
        await person.gets_cards()
        await person.is_written_about()
        await person.buys()
        await person.is_not_believed()
        await person.is_looked_for()
        await person.is_in_files()
        await person.is_taken_for_two()
        await person.is_written_where_this_story_has_no_chapter_yet()
        before = await canaries_of(fresh_database)
        personal = {
            (table.name, name)
            for table in CUSTOMER_TABLES
            for name in table.personal
            if table.on_erasure is not OnErasure.KEPT
            and is_text(metadata.tables[table.name].columns[name])
        }
        # The story reaches every column that the list of tables calls personal, and others.
        assert personal - set(before) == set()
        assert {
            ("idempotency_key", "body"), ("duplicate_pair", "note"),
            ("unattached_purchase", "awaits_value"), ("unattached_interaction", "body"),
            ("import_chunk", "body"), ("customer_search_key", "letters"),
        } <= set(before)  # fmt: skip
        figures = await figures_of(fresh_database)

        made = await person.ask("POST", f"/v1/customers/{person.card['id']}/erasures")

        assert made["status"] == "done", made["deferrals"]
        assert await canaries_of(fresh_database) == {}
        assert await figures_of(fresh_database) == figures
        assert await person.shop.wrong_statistics() == 0
        await nothing_is_answered(person)
        assert await canaries_of(fresh_database) == {}
    logged = said.getvalue()
    assert "/v1/customers" in logged
    assert found_in(logged) == []
    # The search would have found it.
    logging.getLogger("app").warning("told %s", NAME)
    assert MARK in found_in(said.getvalue())


async def nothing_is_answered(person: Person) -> None:
    """Ask every list of the service, and the tills' events again: nobody tells of the person."""
    client, headers = person.client, person.world.headers("admin")
    document = (await client.get("/openapi.json")).json()
    lists = [
        path
        for path, operations in document["paths"].items()
        if path.startswith("/v1/") and "{" not in path and "get" in operations
    ]
    assert len(lists) >= 10
    for path in lists:
        answer = await client.get(path, headers=headers)
        assert answer.status_code < 500, (path, answer.text)
        assert found_in(answer.text) == [], path
    for which in EXPORTS:
        assert found_in(await exported(person, which)) == [], which
    for query in (NAME, "ouyang", PHONE[-4:]):
        found = await person.ask("POST", "/v1/customers/search", {"query": query})
        assert (found["items"], found_in(str(found))) == ([], []), query
    for event in person.bought:
        told = await person.shop.send(event)
        assert (told["status"], told["customer"]) in [
            ("applied", None), ("awaiting_customer", None),
        ]  # fmt: skip
    for card in (person.card, person.other):
        gone = await client.get(f"/v1/customers/{card['id']}", headers=headers)
        assert gone.status_code == 410
        assert found_in(gone.text) == []


async def test_nothing_is_left_with_another_who_was_taken_for_the_person(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        person = Person(client, world, fresh_database, settings)
        stays = await create_card(client, world, name="李明朗")
        await person.gets_cards()
        done = await merging.merge(client, world, stays["id"], [person.card["id"]])
        taken = await read_card(client, world, stays["id"])
        await person.ask(
            "PATCH", f"/v1/customers/{stays['id']}", {"note": "x"},
            If_Match=f'"v{taken["version"]}"',
        )  # fmt: skip
        await merging.undo(client, world, done)
        await person.ask("POST", f"/v1/customers/{person.other['id']}/erasures")
        card = await read_card(client, world, stays["id"])
        places = await canaries_of(fresh_database)
        assert {"customer_change", "customer_merge"} <= {table for table, _ in places}

        await person.ask("POST", f"/v1/customers/{person.card['id']}/erasures")

        assert await canaries_of(fresh_database) == {}
        assert await read_card(client, world, stays["id"]) == card
        headers = world.headers("admin")
        history = await client.get(f"/v1/customers/{stays['id']}/changes", headers=headers)
        assert history.json()["items"][-1]["changes"]["name"] == [None, "李明朗"]
        merge = await client.get(f"/v1/merges/{done['id']}", headers=headers)
        assert (merge.status_code, merge.json()["plan"]) == (200, None)


async def test_nothing_is_left_of_an_organization_and_its_people(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        person = Person(client, world, fresh_database, settings)
        await person.ask(
            "POST", "/v1/custom-fields",
            {"kind": "organization", "code": "principal", "label_en": "Principal",
             "label_zh": "校长", "type": "text", "section": "business"},
        )  # fmt: skip
        card = await person.ask(
            "POST", "/v1/customers",
            {"kind": "organization", "name": f"{MARK}中学", "custom": {"principal": NAME},
             "terms": {"payment_days": 30, "invoice_title": MARK, "note": MARK}},
        )  # fmt: skip
        path = f"/v1/customers/{card['id']}"
        contact = await person.ask(
            "POST", f"{path}/contacts",
            {"name": NAME, "title": MARK, "phone": PHONE, "email": EMAIL, "note": MARK},
            If_Match=f'"v{card["version"]}"',
        )  # fmt: skip
        made = await person.ask(
            "POST", f"{path}/interactions", person.contact(contact_id=contact["id"])
        )
        assert made["contact_id"] == contact["id"]
        history = await client.get(f"{path}/changes", headers=world.headers("admin"))
        assert (PHONE in history.text, EMAIL in history.text) == (False, False)
        places = {table for table, _ in await canaries_of(fresh_database)}
        assert {"customer", "customer_contact", "interaction", "idempotency_key"} <= places

        await person.ask("POST", f"{path}/erasures")

        assert await canaries_of(fresh_database) == {}
