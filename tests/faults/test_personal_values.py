"""Unmistakable personal values are put everywhere, and looked for where they must not be."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.logging import configure_logging
from tests.conftest import client_of
from tests.support.events import refund, sale, void
from tests.support.shop import Shop
from tests.support.world import build_world, signed

NAME = "欧阳金丝雀"
PHONE = "+8613912345678"
EMAIL = "canary.bird@example.com"
WECHAT = "wx-canary-openid-77"
ADDRESS = "金丝雀路七十七号"
NOTE = "她怕猫，别提猫"
CARD = "HK7777777"
CANARIES = (NAME, "13912345678", "canary.bird", "wx-canary", ADDRESS, NOTE, CARD, "金丝雀", "怕猫")


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """Everything that is logged, from the least of it on, as a service writes it."""
    stream = io.StringIO()
    configure_logging("json", "DEBUG", stream)
    yield stream
    configure_logging("json", "WARNING")


def found_in(everything: str) -> list[str]:
    """Return the personal values that a text holds, plainly or as JSON escapes them."""
    spelled = everything + everything.encode().decode("unicode_escape", errors="ignore")
    return [value for value in CANARIES if value in spelled]


async def test_no_personal_value_reaches_logs_outbox_or_trail(
    fresh_database: Database, settings: Settings, said: io.StringIO
) -> None:
    world = await build_world(fresh_database)
    person: dict[str, Any] = {
        "kind": "individual",
        "name": NAME,
        "identities": [
            {"kind": "phone", "value": PHONE},
            {"kind": "email", "value": EMAIL},
            {"kind": "wechat", "value": WECHAT},
            {"kind": "member_number", "value": CARD},
        ],
    }
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        statuses: list[int] = []

        async def ask(
            method: str, path: str, *, more: dict[str, str] | None = None, **body: Any
        ) -> Any:
            headers = world.headers("manager", **(more or {}))
            answer = await client.request(method, path, headers=headers, **body)
            statuses.append(answer.status_code)
            return answer

        made = await ask("POST", "/v1/customers", json=person)
        assert made.status_code == 201, made.text
        card = made.headers["location"]
        tag = {"If_Match": made.headers["etag"]}
        # The same again, of another sort, damaged, and by hands that may not.
        await ask("POST", "/v1/customers", json=person)
        await ask("POST", "/v1/customers", json={**person, "nickname": NAME})
        await ask("POST", "/v1/customers", json={**person, "kind": NAME})
        await ask("POST", "/v1/customers", content=json.dumps(person)[:-3].encode(),
                  more={"Content_Type": "application/json"})  # fmt: skip
        await ask("POST", "/v1/customers", json={**person, "home_store_id": NAME})
        await ask("PATCH", card, json={"name": f"{NAME}二"}, more=tag)
        await ask("PATCH", card, json={"name": f"{NAME}三"}, more=tag)
        await ask("POST", "/v1/customers/lookup", json={"kind": "phone", "value": PHONE})
        await ask("POST", "/v1/customers/lookup", json={"kind": PHONE, "value": EMAIL})
        await ask("GET", "/v1/customers", params={"q": NAME})
        await ask("GET", "/v1/customers", params={"cursor": NAME, "phone": PHONE})
        await ask("GET", f"/v1/customers/{NAME}")
        await ask("POST", "/v1/customers/search", json={"query": NAME})
        await ask("POST", f"{card}/disclosures", json={"fields": ["identities"], "reason": NOTE})
        await ask("POST", f"{card}/disclosures", json={"fields": [NAME], "reason": NOTE})
        await ask("POST", f"{card}/copies", json={"reason": f"{NAME}本人申请"})
        await ask("POST", f"{card}/identities", json={"kind": "email", "value": f"two.{EMAIL}"},
                  more={"If_Match": '"v9"'})  # fmt: skip
        await ask("POST", "/v1/auth/token", data={"username": NAME, "password": PHONE})
        told = {"channel": "phone", "direction": "inbound", "subject": NAME, "text": PHONE}
        by_phone = {"identity": {"kind": "phone", "value": PHONE}}
        by_mail = {"identity": {"kind": "email", "value": EMAIL, "system": NAME}}
        spoken = await ask("POST", f"{card}/interactions", json=told)
        await ask("PATCH", spoken.headers["location"], json={"subject": EMAIL, "next_step": NAME},
                  more={"If_Match": '"v1"'})  # fmt: skip
        await ask("POST", "/v1/interactions", json={**told, **by_phone})
        await ask("POST", "/v1/interactions", json={**told, **by_mail})
        await ask("POST", "/v1/interactions", json={**told, "outcome": NAME})
        await ask("POST", "/v1/interactions/batch", json={"entries": [
            {**told, "entry_id": "e1", **by_phone}, {**told, "entry_id": NAME}, {**told, **by_mail},
        ]})  # fmt: skip
        await ask("GET", f"{card}/timeline", params={"kind": NAME})
        bought = sale("1200.00", member=CARD, cashier=NAME)
        unknown = sale("10.00", customer={"kind": "phone", "value": "+8613912345679"})
        held = sale("10.00", member=CARD, store="S02")
        for event in (bought, bought, unknown, held, refund(bought, "50.00", quantity="0.1")):
            await shop.send(event)
        other = {**bought, "cashier": f"{NAME}二"}
        body = json.dumps(other).encode()
        path = "/v1/pos/till-1/events"
        for content, told in (
            (body, signed(world.secrets["till-1"], other["event_id"], body)),
            (body[:-9], signed(world.secrets["till-1"], "e-x", body[:-9])),
            (body, signed(world.secrets["till-2"], other["event_id"], body)),
        ):
            statuses.append((await client.post(path, content=content, headers=told)).status_code)
        await shop.batch([void(bought), {**sale(member=CARD), "cashier": [NAME]}])
        # What even validation does not keep from the database.
        try:
            async with fresh_database.transaction() as session:
                await session.execute(
                    text("INSERT INTO identity (kind, value) VALUES (:kind, :value)"),
                    {"kind": PHONE, "value": EMAIL},
                )
        except Exception as failure:
            logging.getLogger("app").error("insert_failed", exc_info=failure)
        await ask("POST", f"{card}/archive", more=tag)
        await ask("POST", f"{card}/erasures")

        assert {200, 201, 400, 401, 404, 409, 412, 422} <= set(statuses), statuses
        assert 500 not in statuses
        async with fresh_database.transaction() as session:
            kept = {
                table: list(await session.scalars(text(f"SELECT t::text FROM {table} AS t")))
                for table in ("outbox_event", "audit_entry")
            }
    logged = said.getvalue()
    assert "insert_failed" in logged
    assert len(kept["outbox_event"]) >= 3
    assert len(kept["audit_entry"]) >= 3
    for place, everything in {"log": logged, **{n: "\n".join(r) for n, r in kept.items()}}.items():
        assert found_in(everything) == [], place
    # The search would have found it.
    logging.getLogger("app").warning("told %s", NAME)
    assert NAME in found_in(said.getvalue())
