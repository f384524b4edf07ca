"""Everything that happened with a card, on one page after the other, each kind in its shape."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert

from app.core import clock
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import ConsentRecord, CustomerMerge, Interaction, TierAssignment
from app.queries import timeline
from app.vocabulary import TimelineKind
from tests.support.cards import create_card
from tests.support.contacts import record
from tests.support.events import refund, sale, void
from tests.support.world import World, send_event

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
KINDS = [branch.kind for branch in timeline.BRANCHES]


@pytest.fixture(autouse=True)
async def now() -> AsyncIterator[clock.FixedClock]:
    """A clock that stands."""
    fixed = clock.FixedClock(NOW)
    with clock.using(fixed, everywhere=True):
        yield fixed


async def page(
    client: httpx.AsyncClient, world: World, card: str, who: str = "manager", **parameters: Any
) -> dict[str, Any]:
    """Return a page of a card's timeline."""
    answer = await client.get(
        f"/v1/customers/{card}/timeline", headers=world.headers(who), params=parameters
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def walked(
    client: httpx.AsyncClient, world: World, card: str, limit: int, **parameters: Any
) -> list[dict[str, Any]]:
    """Return the entries of all pages."""
    found = await page(client, world, card, limit=limit, **parameters)
    items: list[dict[str, Any]] = found["items"]
    while found["next_cursor"] is not None:
        assert len(found["items"]) == limit
        found = await page(
            client, world, card, limit=limit, cursor=found["next_cursor"], **parameters
        )
        items += found["items"]
    return items


async def write(database: Database, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows that no service would write so."""
    async with database.transaction() as session:
        await session.execute(insert(table), list(rows))


async def test_each_kind_of_entry_has_its_shape(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = (
        await create_card(client, world, identities=[{"kind": "member_number", "value": "HK1"}])
    )["id"]
    sold = sale("1040.00", member="HK1", at="2026-11-20T10:00:00+08:00")
    gone = sale("9.00", member="HK1", at="2026-11-19T10:00:00+08:00")
    back = refund(sold, "4.00", occurred_at="2026-11-21T10:00:00+08:00")
    ids = [
        (await send_event(client, world, event)).json()["purchase_id"]
        for event in (sold, gone, back, void(gone))
    ]
    one = await record(
        client, world, card, "clerk", occurred_at="2026-11-22T00:00:00Z", duration_seconds=60,
        next_step="回电", next_step_on="2026-12-01", outcome="follow_up",
    )  # fmt: skip
    consent_id, merge_id, loser = new_id(), new_id(), new_id()
    at = datetime(2026, 11, 23, tzinfo=UTC)
    actor = {"actor_kind": "staff", "actor_id": world.staff["manager"]}
    await write(
        database, ConsentRecord,
        [{"customer_id": card, "id": consent_id, "purpose": "marketing", "channel": "sms",
          "state": "granted", "proof": "form", "stated_at": at, "recorded_at": NOW,
          "wording": "我同意", **actor}],
    )  # fmt: skip
    await write(
        database, CustomerMerge,
        [{"customer_id": card, "id": merge_id, "loser_ids": [str(loser)], "status": "undone",
          "fingerprint": "x", "plan": {}, "before": {}, "merged_at": at, "undone_at": NOW,
          **actor}],
    )  # fmt: skip

    found = await walked(client, world, card, 3)

    receipt = {
        "currency": "CNY", "store_id": str(world.stores["S01"]), "kind": "purchase",
        "refund_of_id": None, "voided_at": None, "status": "posted", "purchase_kind": "sale",
    }  # fmt: skip
    tiers = [entry for entry in found if entry["kind"] == "tier_change"]
    assert [entry for entry in found if entry not in tiers] == [
        {"kind": "consent", "at": "2026-11-23T00:00:00Z", "id": str(consent_id),
         "purpose": "marketing", "channel": "sms", "state": "granted", "proof": "form",
         "recorded_at": "2026-11-28T06:30:00Z"},
        {"kind": "merge", "at": "2026-11-23T00:00:00Z", "id": str(merge_id),
         "loser_ids": [str(loser)], "status": "undone", "undone_at": "2026-11-28T06:30:00Z",
         "actor_kind": "staff", "actor_id": str(world.staff["manager"])},
        {"kind": "interaction", "at": "2026-11-22T00:00:00Z", "id": one["id"],
         "channel": "phone", "direction": "inbound", "subject": "询问到货",
         "outcome": "follow_up", "duration_seconds": 60, "next_step_on": "2026-12-01",
         "next_step_done_at": None, "store_id": str(world.stores["S01"]),
         "staff_id": str(world.staff["clerk"]), "purchase_id": None, "cost": one["cost"]},
        {**receipt, "at": "2026-11-21T02:00:00Z", "id": ids[2], "purchase_kind": "refund",
         "amount": "4.00", "receipt_number": back["receipt_number"], "refund_of_id": ids[0]},
        {**receipt, "at": "2026-11-20T02:00:00Z", "id": ids[0], "amount": "1040.00",
         "receipt_number": sold["receipt_number"]},
        {**receipt, "at": "2026-11-19T02:00:00Z", "id": ids[1], "amount": "9.00",
         "receipt_number": gone["receipt_number"], "status": "voided",
         "voided_at": "2026-11-28T06:30:00Z"},
    ]  # fmt: skip
    assert [(t["level"], t["previous_level"], t["cause"], t["purchase_id"]) for t in tiers] == [
        # What carries a tier from now on is an entry too, of the same level.
        ("main", "main", "carried", None), ("main", "small", "upgrade", ids[0]),
        ("small", None, "initial", None),
    ]  # fmt: skip
    history = await client.get(f"/v1/customers/{card}/tier-history", headers=world.headers())
    explained = {period["id"]: period["explanation"] for period in history.json()["items"]}
    assert {t["id"]: t["sentences"] for t in tiers} == {
        period: explanation["sentences"] for period, explanation in explained.items()
    }


async def many(database: Database, world: World, card: str, count: int) -> None:
    """Write entries of several kinds, of which many happened at the same instants."""
    chance = random.Random(count)
    policy = "01937e00-0000-7000-8000-000000000001"
    sentences = {"sentences": {"en": "x", "zh": "x"}}
    rows: dict[Any, list[dict[str, Any]]] = {
        Interaction: [], ConsentRecord: [], CustomerMerge: [], TierAssignment: [],
    }  # fmt: skip
    for _ in range(count):
        table = chance.choice(list(rows))
        at = NOW - timedelta(days=chance.randrange(max(count // 9, 2)) + 1)
        row: dict[str, Any] = {"customer_id": UUID(card), "id": new_id()}
        if table is Interaction:
            row |= {
                "channel": "phone", "direction": "inbound", "occurred_at": at, "subject": "x",
                "business_day": date(2026, 1, 1), "cost": 0, "version": 1, "recorded_at": at,
                "recorded_by_kind": "system", "updated_at": at,
            }  # fmt: skip
        elif table is ConsentRecord:
            row |= {
                "purpose": "marketing", "channel": "sms", "state": "granted", "proof": "form",
                "stated_at": at, "recorded_at": at, "actor_kind": "system",
            }  # fmt: skip
        elif table is CustomerMerge:
            row |= {
                "loser_ids": [], "status": "done", "fingerprint": "x", "plan": {}, "before": {},
                "merged_at": at, "actor_kind": "system",
            }  # fmt: skip
        else:
            row |= {
                "level": "small", "cause": "reversal", "policy_id": UUID(policy),
                "policy_version": 1, "valid_from": at, "valid_to": NOW, "explanation": sentences,
            }  # fmt: skip
        rows[table].append(row)
    for table, of_table in rows.items():
        await write(database, table, of_table)


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
async def test_a_walk_over_equal_instants_loses_and_repeats_nothing(
    client: httpx.AsyncClient, world: World, database: Database, limit: int
) -> None:
    card = (await create_card(client, world))["id"]
    await many(database, world, card, 60)
    found = await walked(client, world, card, limit)
    order = {str(kind): rank for rank, kind in enumerate(KINDS)}
    places = [(e["at"], -order[e["kind"]], e["id"]) for e in found]
    assert len(set(places)) == 61
    assert places == sorted(places, reverse=True)
    for kinds in (["merge"], ["interaction", "tier_change"], ["consent", "purchase", "merge"]):
        assert await walked(client, world, card, limit, kind=kinds) == [
            entry for entry in found if entry["kind"] in kinds
        ]


async def test_everybody_sees_the_kinds_that_they_may_read(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = (
        await create_card(client, world, identities=[{"kind": "member_number", "value": "HK1"}])
    )["id"]
    await send_event(client, world, sale("58.00", member="HK1"))
    await record(client, world, card)

    async def seen(headers: dict[str, str]) -> list[str]:
        answer = await client.get(f"/v1/customers/{card}/timeline", headers=headers)
        return sorted(entry["kind"] for entry in answer.json()["items"])

    everything = ["interaction", "purchase", "tier_change"]
    assert await seen(world.headers("clerk")) == everything
    # Marketing reads no receipts, and the web page's key cards only.
    assert await seen(world.headers("marketing")) == ["interaction", "tier_change"]
    assert await seen({"X-API-Key": world.api_key}) == []
    refused = await client.get(
        f"/v1/customers/{card}/timeline", headers=world.headers("marketing"),
        params={"kind": ["interaction", "purchase"]},
    )  # fmt: skip
    assert (refused.status_code, refused.json()["permission"]) == (403, "purchases:read")


async def test_a_cursor_is_good_for_its_own_timeline_and_no_card_has_none(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card, other = await create_card(client, world), await create_card(client, world)
    await many(database, world, card["id"], 9)
    cursor = (await page(client, world, card["id"], limit=2))["next_cursor"]
    for path, parameters in (
        (f"{other['id']}", {"cursor": cursor}),
        (f"{card['id']}", {"cursor": cursor, "kind": "merge"}),
        (f"{card['id']}", {"cursor": cursor[:-2]}),
    ):
        answer = await client.get(
            f"/v1/customers/{path}/timeline", headers=world.headers(), params=parameters
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")
    nobody = await client.get(f"/v1/customers/{new_id()}/timeline", headers=world.headers())
    assert nobody.status_code == 404


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of a plan that read tables."""
    found = [plan] if "Relation Name" in plan else []
    for part in plan.get("Plans", ()):
        found += scans(part)
    return found


@pytest.mark.parametrize("kind", [None, *KINDS], ids=str)
async def test_a_page_reads_no_more_rows_than_it_shows_wherever_it_lies(
    client: httpx.AsyncClient, world: World, database: Database, kind: TimelineKind | None
) -> None:
    card = (await create_card(client, world))["id"]
    await many(database, world, card, 2_000)
    limit = 11
    arguments: list[Any] = [UUID(card), limit]
    if kind is not None:
        arguments += [NOW - timedelta(days=150), new_id()]
    async with database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        text = timeline.statement(tuple(sorted(KINDS)), kind)
        (row,) = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *arguments)
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    read = scans(plan[0]["Plan"])
    assert {node["Relation Name"] for node in read} == {
        branch.table for branch in timeline.BRANCHES
    }
    for node in read:
        assert node["Node Type"] in {"Index Scan", "Index Only Scan"}, node
        assert node["Actual Rows"] <= limit, node
        assert node.get("Rows Removed by Filter", 0) == 0, node
