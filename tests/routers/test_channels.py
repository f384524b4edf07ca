"""What contacts by each channel cost: read by all who record them, changed by headquarters."""

import httpx

from app.core.database import Database
from app.vocabulary import Channel
from tests.support.cards import pointers_of, row_counts
from tests.support.world import World


async def test_every_channel_has_a_cost_from_the_beginning(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get("/v1/channels", headers=world.headers("clerk"))
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["channel"]["code"] for item in items] == [str(channel) for channel in Channel]
    assert {item["version"] for item in items} == {1}
    assert len({item["id"] for item in items}) == len(Channel)


async def test_headquarters_change_a_price_and_the_trail_names_the_fields(
    client: httpx.AsyncClient, world: World
) -> None:
    before = await client.get("/v1/channels/phone", headers=world.headers())
    assert before.headers["ETag"] == '"v1"'
    answer = await client.patch(
        "/v1/channels/phone",
        headers=world.headers(If_Match='"v1"'),
        json={"per_contact": "0.30", "per_minute": before.json()["per_minute"]},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"v2"'
    assert answer.json() == {
        **before.json(), "per_contact": "0.30", "version": 2,
        "updated_at": answer.json()["updated_at"],
    }  # fmt: skip
    again = await client.get("/v1/channels/phone", headers=world.headers())
    assert again.json() == answer.json()
    trail = await client.get(
        "/v1/audit", headers=world.headers(),
        params={"object_type": "channel", "object_id": answer.json()["id"]},
    )  # fmt: skip
    assert [(e["action"], e["fields"]) for e in trail.json()["items"]] == [
        ("changed", ["per_contact"])
    ]


async def test_a_stale_an_empty_and_a_wrong_change_change_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    async def patch(body: object, **headers: str) -> httpx.Response:
        return await client.patch("/v1/channels/sms", headers=world.headers(**headers), json=body)

    assert (await patch({"per_contact": "0.11"}, If_Match='"v1"')).status_code == 200
    before = (await client.get("/v1/channels/sms", headers=world.headers())).json()
    rows = await row_counts(database)

    stale = await patch({"per_minute": "5.00"}, If_Match='"v1"')
    same = await patch({"per_contact": "0.11"}, If_Match='"v2"')
    unseen = await patch({"per_contact": "1.00"})
    negative = await patch({"per_contact": "-1.00"}, If_Match='"v2"')
    unknown = await client.get("/v1/channels/telex", headers=world.headers())

    assert (stale.status_code, stale.json()["changed_fields"]) == (412, ["per_contact"])
    assert (same.status_code, same.headers["ETag"]) == (200, '"v2"')
    assert unseen.status_code == 428
    assert (negative.status_code, pointers_of(negative)) == (
        422, [("/per_contact", "greater-than-equal")],
    )  # fmt: skip
    assert (unknown.status_code, pointers_of(unknown)) == (422, [("/path/channel", "enum")])
    assert (await client.get("/v1/channels/sms", headers=world.headers())).json() == before
    assert await row_counts(database) == rows
