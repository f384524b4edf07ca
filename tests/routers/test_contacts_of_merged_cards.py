"""Contacts of cards that were merged or erased: read by any of their ids, recorded with none."""

from datetime import date
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.services import statistics
from tests.support.cards import create_card
from tests.support.contacts import call, contact, contact_counts, record, service_stats
from tests.support.merging import merge, undo
from tests.support.world import World

WECHAT = {"kind": "wechat", "value": "minglang-li"}


async def different(database: Database, as_of: date) -> int:
    """Return how many rows of statistics a full aggregation would write differently."""
    async with database.transaction() as session:
        return (await statistics.check(session, as_of))["different"]


@pytest.mark.parametrize("address", ["interactions", "timeline", "overview"])
async def test_the_id_of_a_merged_card_answers_with_the_contacts_of_both(
    client: httpx.AsyncClient, world: World, address: str
) -> None:
    kept, gone = await create_card(client, world), await create_card(client, world)
    for card in (kept, gone):
        await record(client, world, card["id"])
    await merge(client, world, kept["id"], [gone["id"]])
    answers = [
        await client.get(f"/v1/customers/{card['id']}/{address}", headers=world.headers())
        for card in (kept, gone)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Content-Location"] == f"/v1/customers/{kept['id']}/{address}"
    body = answers[0].json()
    contacts = body["items"] if address != "overview" else body["last_interactions"]
    if address == "timeline":
        assert [entry["loser_ids"] for entry in contacts if entry["kind"] == "merge"] == [
            [gone["id"]]
        ]
        contacts = [entry for entry in contacts if entry["kind"] == "interaction"]
    assert len(contacts) == 2


async def test_nothing_is_recorded_with_a_merged_card_and_a_caller_reaches_the_surviving_one(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    kept = await create_card(client, world)
    gone = await create_card(client, world, identities=[WECHAT])
    one = await record(client, world, gone["id"])
    nobody = await call(client, world)
    done = await merge(client, world, kept["id"], [gone["id"]])
    rows = await contact_counts(database)
    old, this = f"/v1/customers/{gone['id']}/interactions", {"If_Match": '"v1"'}
    answers = [
        await client.post(old, headers=world.headers(), json=contact()),
        await client.patch(
            f"{old}/{one['id']}", headers=world.headers(**this), json={"subject": "x"}
        ),
        await client.post(
            f"/v1/interactions/{nobody['id']}/attach", headers=world.headers(),
            json={"customer_id": gone["id"]},
        ),
    ]  # fmt: skip
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/card-merged")
        assert answer.json()["surviving_customer_id"] == kept["id"]
    assert await contact_counts(database) == rows

    told = await call(client, world, identity=WECHAT)
    assert told["customer_id"] == kept["id"]
    moved = await client.patch(
        f"/v1/customers/{kept['id']}/interactions/{one['id']}",
        headers=world.headers(**this), json={"subject": "改"},
    )  # fmt: skip
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    today = clock.today(settings.zone)
    stats = await service_stats(database, kept["id"])
    assert stats is not None
    assert (stats.contacts, await different(database, today)) == (2, 0)
    # The card takes back what it brought, with what was corrected since.
    await undo(client, world, done)
    history = await client.get(f"{old}/{one['id']}/changes", headers=world.headers())
    assert history.json()["items"][0]["changes"] == {"subject": ["询问到货", "改"]}
    assert await different(database, today) == 0


async def test_nothing_is_recorded_with_an_erased_person_and_nothing_read(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    one = await record(client, world, card["id"], occurred_at="2020-01-01T00:00:00Z")
    erased = await client.post(
        f"/v1/customers/{card['id']}/erasures", headers=world.headers(), json={}
    )
    assert (erased.status_code, erased.json()["status"]) == (201, "done"), erased.text
    rows = await contact_counts(database)
    path = f"/v1/customers/{card['id']}"
    answers: list[Any] = [
        await client.get(f"{path}/{what}", headers=world.headers())
        for what in ("interactions", f"interactions/{one['id']}", "timeline", "overview")
    ]
    answers.append(
        await client.post(f"{path}/interactions", headers=world.headers(), json=contact())
    )
    assert {answer.status_code for answer in answers} == {410}
    assert await contact_counts(database) == rows
    stats = await service_stats(database, card["id"])
    assert stats is not None
    assert stats.contacts == 1
