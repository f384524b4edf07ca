"""A person is erased: at once, or when nothing needs the data any more."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, select, text, update
from sqlmodel import col

from app.core import clock
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import (
    AuditEntry,
    Customer,
    CustomerMerge,
    OutboxEvent,
    PosEvent,
    UnattachedPurchase,
)
from app.services.erasures import carry_out_due, erase_inactive
from app.vocabulary import Action, ActorKind, CustomerStatus, DomainEvent, MergeStatus
from tests.support.cards import create_card, read_card, row_counts, seen
from tests.support.events import refund, sale
from tests.support.import_files import ask, upload
from tests.support.shop import Shop
from tests.support.world import World, send_event

PHONE = {"kind": "phone", "value": "13912345678"}
MEMBER = {"kind": "member_number", "value": "HK000001"}


async def erase(
    client: httpx.AsyncClient, world: World, customer_id: object, **more: str
) -> httpx.Response:
    return await client.post(
        f"/v1/customers/{customer_id}/erasures", headers=world.headers("manager", **more)
    )


def ago(days: int) -> str:
    """Return the instant that was so many days ago, as an event spells it."""
    return (clock.now() - timedelta(days=days)).isoformat()


async def night(database: Database, settings: Settings, now: datetime) -> dict[str, int]:
    """Do what the night does to deferred erasures; return what it counted in all."""
    counts: dict[str, int] = {}
    while True:
        async with database.transaction() as session:
            portion = dict(await carry_out_due(session, settings, now))
        remaining = portion.pop("remaining")
        counts = {name: counts.get(name, 0) + count for name, count in portion.items()}
        if not remaining:
            return counts


async def test_a_person_whom_nothing_holds_is_erased_at_once(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[PHONE, MEMBER], note="secret")
    answer = await erase(client, world, card["id"])
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made == {
        "id": made["id"],
        "customer_id": card["id"],
        "status": "done",
        "deferrals": [],
        "due_on": None,
        "requested_at": made["requested_at"],
        "actor_kind": "staff",
        "actor_id": str(world.staff["manager"]),
        "ended_at": made["requested_at"],
    }
    address = answer.headers["location"]
    assert address == f"/v1/customers/{card['id']}/erasures/{made['id']}"
    assert (await client.get(address, headers=world.headers())).json() == made
    listed = await client.get("/v1/erasures", headers=world.headers(), params={"status": "done"})
    assert listed.json() == {"items": [made], "next_cursor": None}
    async with database.transaction() as session:
        row = (await session.scalars(select(Customer))).one()
        assert (row.name, row.note, row.status, row.version) == (
            "已删除", None, CustomerStatus.ERASED, 2,
        )  # fmt: skip
        entry = (
            await session.scalars(select(AuditEntry).where(col(AuditEntry.action) == Action.ERASED))
        ).one()
        assert (str(entry.object_id), entry.fields) == (card["id"], [])
        told = (
            await session.scalars(
                select(OutboxEvent).where(col(OutboxEvent.type) == DomainEvent.CUSTOMER_ERASED)
            )
        ).one()
        assert (str(told.customer_id), told.payload) == (card["id"], {})


async def test_every_address_of_an_erased_card_says_that_it_is_gone(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    other = await create_card(client, world, name="另一位")
    await erase(client, world, card["id"])
    path = f"/v1/customers/{card['id']}"
    counts = await row_counts(database)
    tag = seen(world, card)
    asked: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("GET", "/changes", None),
        ("GET", "/purchases", None),
        ("GET", "/statistics", None),
        ("GET", "/tier", None),
        ("GET", "/consents", None),
        ("PATCH", "", {"note": "again"}),
        ("POST", "/identities", PHONE),
        ("POST", "/archive", None),
        ("POST", "/disclosures", {"fields": ["identities"], "reason": "call back"}),
        ("POST", "/erasures", None),
    ]
    answers = {
        f"{method} {rest}": await client.request(
            method, f"{path}{rest}", json=body, headers={**tag, "Idempotency-Key": f"k-{index}"}
        )
        for index, (method, rest, body) in enumerate(asked)
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        answers, 410
    )
    assert {answer.json()["type"] for answer in answers.values()} == {"/problems/card-erased"}
    chinese = await client.get(path, headers=world.headers(Accept_Language="zh"))
    assert chinese.json()["detail"] == "该客户的个人数据已删除。"
    assert await row_counts(database) == counts
    found = await client.post("/v1/customers/lookup", headers=world.headers(), json=PHONE)
    assert found.status_code == 404
    listed = await client.get("/v1/customers", headers=world.headers(), params={"status": "any"})
    assert [item["id"] for item in listed.json()["items"]] == [other["id"]]


async def test_what_found_an_erased_person_can_find_somebody_else(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    await erase(client, world, card["id"])
    again = await create_card(client, world, identities=[PHONE])
    assert again["id"] != card["id"]
    found = await client.post("/v1/customers/lookup", headers=world.headers(), json=PHONE)
    assert found.json()["id"] == again["id"]


@pytest.mark.parametrize(
    ("days", "status"),
    [
        pytest.param(7, "deferred", id="the last day of the return period"),
        pytest.param(8, "done", id="the day after it"),
    ],
)
async def test_a_purchase_defers_an_erasure_while_it_can_be_returned(
    client: httpx.AsyncClient, world: World, settings: Settings, days: int, status: str
) -> None:
    with clock.using(FixedClock(clock.now())):
        card = await create_card(client, world, identities=[MEMBER])
        await send_event(client, world, sale("58.00", at=ago(days)))
        answer = (await erase(client, world, card["id"])).json()
        tomorrow = (clock.today(settings.zone) + timedelta(days=1)).isoformat()
    assert answer["status"] == status
    held = [
        {
            "reason": {
                "code": "return_period",
                "en": "A purchase can still be returned",
                "zh": "仍在退货期内",
            },
            "until": tomorrow,
        }
    ]
    assert answer["deferrals"] == (held if status == "deferred" else [])
    assert answer["due_on"] == (tomorrow if status == "deferred" else None)


async def test_a_deferred_erasure_changes_nothing_until_the_night_after_the_last_hold(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    zone = settings.zone
    today = clock.today(zone)
    card = await create_card(client, world, identities=[MEMBER])
    await send_event(client, world, sale("58.00", at=ago(3)))
    before = await read_card(client, world, card["id"])
    made = (await erase(client, world, card["id"])).json()
    assert (made["status"], made["due_on"]) == ("deferred", str(today + timedelta(days=5)))
    assert await read_card(client, world, card["id"]) == before
    counts = await row_counts(database)
    second = await erase(client, world, card["id"])
    assert (second.status_code, second.json()["type"]) == (409, "/problems/invalid-transition")
    assert await row_counts(database) == counts
    # Held again by a further purchase.
    await send_event(client, world, sale("5.00"))

    def night_of(days: int) -> datetime:
        return datetime.combine(today + timedelta(days=days), time(2), zone)

    held, free, nothing = (
        {"erased": 0, "held": 1, "swept": 0},
        {"erased": 1, "held": 0, "swept": 1},
        {"erased": 0, "held": 0, "swept": 0},
    )
    assert [await night(database, settings, night_of(days)) for days in (4, 5, 5, 7)] == [
        nothing, held, nothing, nothing,
    ]  # fmt: skip
    address = f"/v1/customers/{card['id']}/erasures"
    read = (await client.get(address, headers=world.headers())).json()["items"]
    assert [(one["status"], one["due_on"]) for one in read] == [
        ("deferred", str(today + timedelta(days=8)))
    ]
    assert await read_card(client, world, card["id"]) | {"tier": None} == before | {"tier": None}
    assert await night(database, settings, night_of(8)) == free
    read = (await client.get(address, headers=world.headers())).json()["items"]
    assert [(one["status"], one["deferrals"], one["due_on"]) for one in read] == [
        ("done", [], None)
    ]
    gone = await client.get(f"/v1/customers/{card['id']}", headers=world.headers())
    assert gone.status_code == 410
    assert await night(database, settings, night_of(9)) == {**nothing, "swept": 1}
    assert await night(database, settings, night_of(12)) == nothing
    async with database.transaction() as session:
        entry = (
            await session.scalars(select(AuditEntry).where(col(AuditEntry.action) == Action.ERASED))
        ).one()
        assert entry.actor_kind is ActorKind.SYSTEM


async def test_a_deferred_erasure_can_be_cancelled_and_asked_for_again(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    card = await create_card(client, world, identities=[MEMBER])
    await send_event(client, world, sale("58.00"))
    first = await erase(client, world, card["id"])
    address = f"{first.headers['location']}/cancel"
    cancelled = await client.post(address, headers=world.headers())
    assert cancelled.status_code == 200, cancelled.text
    assert (cancelled.json()["status"], cancelled.json()["due_on"]) == ("cancelled", None)
    assert cancelled.json()["ended_at"] is not None
    again = await client.post(address, headers=world.headers())
    assert (again.status_code, again.json()["type"]) == (409, "/problems/invalid-transition")
    later = clock.now() + timedelta(days=30)
    assert await night(database, settings, later) == {"erased": 0, "held": 0, "swept": 0}
    assert (await erase(client, world, card["id"])).json()["status"] == "deferred"
    nobodys = await client.post(
        f"/v1/customers/{card['id']}/erasures/{new_id()}/cancel", headers=world.headers()
    )
    assert nobodys.status_code == 404


async def test_a_young_merge_defers_an_erasure(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    async with database.transaction() as session:
        await session.execute(
            insert(CustomerMerge).values(
                customer_id=card["id"], id=new_id(), loser_ids=[], status=MergeStatus.DONE,
                fingerprint="", plan={}, before={}, merged_at=clock.now() - timedelta(days=2),
                actor_kind=ActorKind.SYSTEM,
            )
        )  # fmt: skip
    answer = (await erase(client, world, card["id"])).json()
    assert [one["reason"]["code"] for one in answer["deferrals"]] == ["merge_in_dispute"]


async def test_all_cards_of_a_person_are_erased_and_every_id_of_theirs_is_gone(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    ids = [
        (await create_card(client, world, name=name, note=name))["id"]
        for name in ("甲", "乙", "丙", "丁")
    ]
    async with database.transaction() as session:
        for loser, survivor in ((ids[0], ids[1]), (ids[1], ids[2])):
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == UUID(loser))
                .values(status=CustomerStatus.MERGED, merged_into_id=UUID(survivor))
            )
    refused = await erase(client, world, ids[0])
    assert (refused.status_code, refused.json()["surviving_customer_id"]) == (409, ids[2])
    assert (await erase(client, world, ids[2])).status_code == 201
    answers = [await client.get(f"/v1/customers/{one}", headers=world.headers()) for one in ids]
    assert [answer.status_code for answer in answers] == [410, 410, 410, 200]
    async with database.transaction() as session:
        rows = await session.execute(select(col(Customer.name), col(Customer.note)))
        assert sorted(map(tuple, rows), key=str) == [
            ("丁", "丁"), ("已删除", None), ("已删除", None), ("已删除", None),
        ]  # fmt: skip


async def test_a_till_that_repeats_itself_is_answered_without_the_person(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    card = await shop.card("HK000001")
    bought = sale("1200.00", at=ago(10))
    first = await shop.send(bought)
    assert first["customer"]["name"] == "顾念书"
    assert (await erase(client, world, card)).json()["status"] == "done"
    # The same again, and a body that differs: nobody can tell any more.
    for repeated in (bought, {**bought, "cashier": "x"}):
        answer = await send_event(client, world, repeated)
        assert answer.status_code == 200
        assert answer.json() == {**first, "customer": None, "greeting": None}
    assert "customer" not in (await shop.read_event(bought))["body"]
    # Its goods can still be taken back; figures follow, and nobody is greeted.
    back = await shop.send(refund(bought, "200.00", quantity="0.1"))
    assert (back["status"], back["customer"], back["greeting"]) == ("applied", None, None)
    assert str((await shop.stats(card)).net) == "1000.00"
    by_id = await shop.send(sale("5.00", customer={"id": str(card)}))
    assert (by_id["status"], by_id["problem"]["type"]) == ("held", "/problems/card-unknown")
    by_number = await shop.send(sale("5.00"))
    assert (by_number["status"], by_number["customer"]) == ("awaiting_customer", None)
    assert await shop.wrong_statistics() == 0


async def test_what_was_held_or_waited_for_the_person_becomes_nobodys(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    card = await create_card(client, world, identities=[PHONE])
    # Taken off the card before it was sold to: the number is the person's all the same.
    tag = seen(world, card)
    removed = await client.delete(
        f"/v1/customers/{card['id']}/identities/{card['identities'][0]['id']}", headers=tag
    )
    assert removed.status_code == 200
    waits = sale("9.00", customer={"kind": "phone", "value": "139 1234 5678"})
    assert (await shop.send(waits))["status"] == "awaiting_customer"
    held = sale("8.00", customer={"kind": "phone", "value": "+86 139-1234-5678"}, store="S02")
    other = sale("8.00", customer={"kind": "phone", "value": "13912345679"}, store="S02")
    by_id = sale("8.00", customer={"id": card["id"]}, store="S02")
    for event in (held, other, by_id):
        assert (await shop.send(event))["status"] == "held"

    assert (await erase(client, world, card["id"])).json()["status"] == "done"

    assert (await shop.read_event(waits))["status"] == "applied"
    for event in (waits, held, by_id):
        assert "customer" not in (await shop.read_event(event))["body"]
    assert (await shop.read_event(other))["body"]["customer"]["value"] == "139****5679"
    async with database.transaction() as session:
        row = (await session.scalars(select(UnattachedPurchase))).one()
        assert (row.awaits_kind, row.awaits_value, str(row.amount)) == (None, None, "9.00")
        stored = await session.scalars(select(col(PosEvent.body_hash)))
        assert sorted(hash_ == "" for hash_ in stored) == [False, True, True, True]
    # The held one can be posted, and is nobody's.
    await shop.change_source(store_id=world.stores["S02"])
    assert (await shop.replay(held))["status"] == "applied"
    # A card that gets the number later does not get what was bought before.
    again = await create_card(client, world, identities=[PHONE])
    assert await shop.purchases(UUID(again["id"])) == []


async def test_a_number_that_finds_somebody_else_now_stays_theirs(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    first = await create_card(client, world, identities=[PHONE])
    await client.delete(
        f"/v1/customers/{first['id']}/identities/{first['identities'][0]['id']}",
        headers=seen(world, first),
    )
    heir = await create_card(client, world, identities=[PHONE])
    held = sale("8.00", customer=PHONE, store="S02")
    await shop.send(held)
    await erase(client, world, first["id"])
    found = await client.post("/v1/customers/lookup", headers=world.headers(), json=PHONE)
    assert found.json()["id"] == heir["id"]
    assert (await shop.read_event(held))["body"]["customer"]["value"] == "139****5678"


async def test_an_answer_that_was_kept_of_the_person_is_not_given_again(
    client: httpx.AsyncClient, world: World
) -> None:
    headers = world.headers()
    body = {"kind": "individual", "name": "欧阳金丝雀", "identities": [PHONE]}
    card = (await client.post("/v1/customers", headers=headers, json=body)).json()
    assert (await client.post("/v1/customers", headers=headers, json=body)).json() == card
    asked = world.headers()
    address = f"/v1/customers/{card['id']}/erasures"
    made = await client.post(address, headers=asked)
    again = await client.post("/v1/customers", headers=headers, json=body)
    assert (again.status_code, again.json()["type"]) == (422, "/problems/idempotency-key-reused")
    repeated = await client.post(address, headers=asked)
    assert (repeated.status_code, repeated.json()) == (201, made.json())


async def test_cards_that_nobody_used_for_long_are_erased_if_the_operator_says_so(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    quiet = await create_card(client, world)
    buyer = await create_card(client, world, identities=[MEMBER])
    in_use = await create_card(client, world)
    for card in (quiet, buyer):
        await client.post(f"/v1/customers/{card['id']}/archive", headers=seen(world, card))
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.archived_at).is_not(None))
            .values(archived_at=clock.now() - timedelta(days=366))
        )
    await send_event(client, world, sale("5.00", at=ago(364)))
    yearly = settings.model_copy(update={"keep_inactive_cards_days": 365})
    # While a file is under way, it may write any of them once more.
    job = await upload(client, world, "姓名\n王\n".encode(), kind="cards")
    async with database.transaction() as session:
        held = dict(await erase_inactive(session, yearly, clock.now()))
    assert held == {"inactive": 0, "remaining": 0}
    await ask(client, world, job, "cancel")
    async with database.transaction() as session:
        never = dict(await erase_inactive(session, settings, clock.now()))
        counts = [dict(await erase_inactive(session, yearly, clock.now())) for _ in range(2)]
    assert never == {"inactive": 0, "remaining": 0}
    assert counts == [{"inactive": 1, "remaining": 1}, {"inactive": 0, "remaining": 0}]
    statuses = {
        name: (await client.get(f"/v1/customers/{card['id']}", headers=world.headers())).status_code
        for name, card in (("quiet", quiet), ("buyer", buyer), ("in use", in_use))
    }
    assert statuses == {"quiet": 410, "buyer": 200, "in use": 200}


async def test_an_erasure_waits_until_no_file_is_under_way(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    card = await create_card(client, world, identities=[MEMBER])
    job = await upload(client, world, "姓名\n王\n".encode(), kind="cards")
    asked = (await erase(client, world, card["id"])).json()
    assert (asked["status"], [one["reason"]["code"] for one in asked["deferrals"]]) == (
        "deferred", ["import_open"],
    )  # fmt: skip
    tomorrow = clock.now() + timedelta(days=1)
    assert await night(database, settings, tomorrow) == {"erased": 0, "held": 1, "swept": 0}
    await ask(client, world, job, "cancel")
    later = await night(database, settings, tomorrow + timedelta(days=1))
    assert (later["erased"], later["held"]) == (1, 0)


async def test_an_import_that_is_left_lying_or_comes_later_puts_no_erasure_off_for_ever(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    card = await create_card(client, world, identities=[MEMBER])
    lying = await upload(client, world, "姓名\n王\n".encode(), kind="cards")
    asked = (await erase(client, world, card["id"])).json()
    today = clock.business_day(clock.now(), settings.zone)
    until = today + timedelta(days=settings.keep_import_files_days + 1)
    assert (asked["deferrals"][0]["until"], asked["due_on"]) == (
        until.isoformat(), (today + timedelta(days=1)).isoformat(),
    )  # fmt: skip
    later = await upload(client, world, "姓名\n王\n".encode(), kind="cards")
    await ask(client, world, lying, "cancel")
    done = await night(database, settings, clock.now() + timedelta(days=1))
    assert (done["erased"], done["held"]) == (1, 0)
    other = await create_card(client, world)
    assert (await erase(client, world, other["id"])).json()["status"] == "deferred"
    async with database.transaction() as session:
        changes = {"made": clock.now() - timedelta(days=9), "id": later["id"]}
        await session.execute(
            text("UPDATE import_job SET created_at = :made WHERE id = :id"), changes
        )
    done = await night(database, settings, clock.now() + timedelta(days=1))
    assert (done["erased"], done["held"]) == (1, 0)


async def test_of_no_card_nothing_is_erased(client: httpx.AsyncClient, world: World) -> None:
    assert (await erase(client, world, new_id())).status_code == 404
    listed = await client.get(f"/v1/customers/{new_id()}/erasures", headers=world.headers())
    read = await client.get(
        f"/v1/customers/{new_id()}/erasures/{new_id()}", headers=world.headers()
    )
    assert (listed.status_code, read.status_code) == (404, 404)
