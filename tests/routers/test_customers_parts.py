"""Tags, interests, family, terms and completeness of cards, and lists narrowed by them."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update
from sqlmodel import col

from app.core import clock
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.jobs.nightly import run_night
from app.models import Customer
from app.queries.completeness import refresh
from app.services import completeness
from tests.conftest import client_of
from tests.support.cards import create_card, pointers_of, read_card, row_counts, seen
from tests.support.world import World, build_world

NOON = datetime(2026, 11, 28, 4, tzinfo=UTC)
CHILD: dict[str, Any] = {
    "relation": "child", "name": "王小小", "note": "Learns the piano.",
    "birthday": {
        "calendar": "lunar", "year": 2017, "month": 6, "day": 29, "is_leap_month": True,
    },
}  # fmt: skip
TERMS = {
    "payment_days": 30, "credit_limit": "50000.00", "discount_percent": "7.50",
    "invoice_title": "第三中学", "tax_number": "12310000MB2F30000X", "note": None,
}  # fmt: skip


async def change(
    client: httpx.AsyncClient, world: World, card: dict[str, Any], **fields: Any
) -> httpx.Response:
    """Send a change of the card as it was last seen."""
    return await client.patch(f"/v1/customers/{card['id']}", headers=seen(world, card), json=fields)


async def newest_change(
    client: httpx.AsyncClient, world: World, card: dict[str, Any]
) -> dict[str, Any]:
    """Return what the newest entry of the history says."""
    answer = await client.get(f"/v1/customers/{card['id']}/changes", headers=world.headers())
    changes: dict[str, Any] = answer.json()["items"][0]["changes"]
    return changes


async def names(client: httpx.AsyncClient, world: World, **parameters: Any) -> list[str]:
    """Return the names in the list so narrowed, in their order."""
    answer = await client.get(
        "/v1/customers", headers=world.headers(), params={"sort": "name", **parameters}
    )
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_tags_and_interests_are_kept_once_each_and_replaced_as_a_whole(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, tags=["vip", " 书友会 ", "vip"], interests=["history"])
    assert (card["tags"], card["interests"]) == (["vip", "书友会"], ["history"])
    changed = (await change(client, world, card, tags=["书友会"], interests=[])).json()
    assert (changed["tags"], changed["interests"], changed["version"]) == (["书友会"], [], 2)
    assert await newest_change(client, world, card) == {
        "tags": [["vip", "书友会"], ["书友会"]], "interests": [["history"], []],
    }  # fmt: skip
    same = (await change(client, world, changed, tags=["书友会", "书友会"])).json()
    assert same["version"] == 2


async def test_family_members_have_birthdays_that_come_next(
    client: httpx.AsyncClient, world: World
) -> None:
    with clock.using(FixedClock(NOON)):
        card = await create_card(client, world, family=[CHILD, {"relation": "spouse"}])
        kept = [
            {
                **CHILD,
                "birthday": {**CHILD["birthday"], "next_on": "2027-08-01", "is_today": False},
            },
            {"relation": "spouse", "name": None, "birthday": None, "note": None},
        ]  # fmt: skip
        assert card["family"] == kept
        assert (await read_card(client, world, card["id"]))["family"] == kept
        same = (await change(client, world, card, family=[CHILD, {"relation": "spouse"}])).json()
        assert same["version"] == 1
        fewer = (await change(client, world, card, family=[{"relation": "spouse"}])).json()
    assert (len(fewer["family"]), fewer["version"]) == (1, 2)
    spouse = {"relation": "spouse", "name": None, "birthday": None, "note": None}
    assert await newest_change(client, world, card) == {"family": [[CHILD, spouse], [spouse]]}


async def test_organizations_have_terms_that_are_replaced_as_a_whole(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, kind="organization", name="第三中学", terms=TERMS)
    assert card["terms"] == TERMS
    changed = (await change(client, world, card, terms={"payment_days": 0})).json()
    nothing = dict.fromkeys(TERMS)
    assert changed["terms"] == {**nothing, "payment_days": 0}
    assert await newest_change(client, world, card) == {
        "terms": [TERMS, {**nothing, "payment_days": 0}]
    }
    emptied = (await change(client, world, changed, terms=None)).json()
    assert (emptied["terms"], emptied["version"]) == (None, 3)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"terms": TERMS}, [("/terms", "not-for-this-kind")], id="person's terms"),
        pytest.param(
            {"kind": "organization", "family": [CHILD]}, [("/family", "not-for-this-kind")],
            id="organization's family",
        ),
        pytest.param(
            {"family": [{"relation": "child"}] * 21}, [("/family", "too-long")], id="large family"
        ),
        pytest.param({"family": [{}]}, [("/family/0/relation", "missing")], id="no relation"),
        pytest.param(
            {
                "family": [
                    {"relation": "spouse"},
                    {
                        "relation": "child",
                        "birthday": {"calendar": "solar", "year": 9990, "month": 1, "day": 1},
                    },
                ],
            },
            [("/family/1/birthday", "in-the-future")], id="a child to come",
        ),
        pytest.param({"tags": [""]}, [("/tags/0", "string-too-short")], id="empty tag"),
        pytest.param({"tags": ["x" * 51]}, [("/tags/0", "string-too-long")], id="long tag"),
        pytest.param(
            {"tags": [str(number) for number in range(51)]}, [("/tags", "too-long")], id="many tags"
        ),
        pytest.param({"tags": None}, [("/tags", "list-type")], id="no list"),
        pytest.param(
            {
                "kind": "organization",
                "terms": {"discount_percent": "100.01", "credit_limit": "-1", "payment_days": 1.5},
            },
            [
                ("/terms/payment_days", "int-type"), ("/terms/credit_limit", "greater-than-equal"),
                ("/terms/discount_percent", "less-than-equal"),
            ],
            id="terms that cannot be",
        ),
        pytest.param({"custom": {"shoe": 1}}, [("/custom/shoe", "unknown")], id="no such field"),
        pytest.param({"completeness": 100}, [("/completeness", "extra-forbidden")], id="derived"),
        pytest.param({"verified_on": "2026-01-01"}, [("/verified_on", "extra-forbidden")],
                     id="not so verified"),
    ],
)  # fmt: skip
async def test_parts_that_cannot_be_are_refused_and_leave_nothing(
    client: httpx.AsyncClient, world: World, database: Database, fields: Any, found: Any
) -> None:
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "individual", "name": "王小明", **fields},
    )
    assert (answer.status_code, pointers_of(answer)) == (422, found)
    assert await row_counts(database) == counts


async def test_lists_are_narrowed_by_all_tags_and_interests_that_are_named(
    client: httpx.AsyncClient, world: World
) -> None:
    await create_card(client, world, name="a", tags=["vip", "new"], interests=["tea"])
    await create_card(client, world, name="b", tags=["vip"], interests=["tea", "history"])
    await create_card(client, world, name="c", tags=["VIP"])
    assert await names(client, world, tag="vip") == ["a", "b"]
    assert await names(client, world, tag=["vip", "new"]) == ["a"]
    assert await names(client, world, interest="tea") == ["a", "b"]
    assert await names(client, world, tag="vip", interest=["history", "tea"]) == ["b"]
    assert await names(client, world, tag="old") == []


# --- Completeness -----------------------------------------------------------------------------


async def stored_scores(database: Database) -> dict[str, int]:
    """Return the stored score of every card by name."""
    async with database.transaction() as session:
        cards = await session.scalars(select(Customer).execution_options(populate_existing=True))
        return {card.name: card.completeness for card in cards}


async def test_a_card_tells_what_it_lacks_and_its_score_follows_every_write(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, gender="female")
    assert card["completeness"]["score"] == 10
    assert card["completeness"]["parts"][:2] == [
        {"part": "phone", "weight": 25, "is_present": False},
        {"part": "birthday", "weight": 15, "is_present": False},
    ]
    assert await stored_scores(database) == {"王小明": 10}
    path = f"/v1/customers/{card['id']}"
    added = await client.post(
        f"{path}/identities",
        headers=seen(world, card),
        json={"kind": "phone", "value": "13800138000"},
    )
    assert added.json()["completeness"]["score"] == 35
    assert await stored_scores(database) == {"王小明": 35}
    changed = await change(
        client, world, added.json(), interests=["tea"], gender=None, address="某路 1 号"
    )
    assert changed.json()["completeness"]["score"] == 45
    assert await stored_scores(database) == {"王小明": 45}
    phone = changed.json()["identities"][0]["id"]
    removed = await client.delete(f"{path}/identities/{phone}", headers=seen(world, changed.json()))
    assert removed.json()["completeness"]["score"] == 20
    assert await stored_scores(database) == {"王小明": 20}
    assert removed.json()["version"] == 4


async def test_lists_are_narrowed_to_cards_that_say_too_little(
    client: httpx.AsyncClient, world: World
) -> None:
    await create_card(client, world, name="a", gender="male")
    await create_card(client, world, name="b", gender="male", address="x")
    assert await names(client, world, completeness_below=25) == ["a"]
    assert await names(client, world, completeness_below=26) == ["a", "b"]
    refused = await client.get(
        "/v1/customers", headers=world.headers(), params={"completeness_below": 101}
    )
    assert pointers_of(refused) == [("/query/completeness_below", "less-than-equal")]


async def test_sql_scores_cards_as_the_rule_does(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    parts: list[dict[str, Any]] = [
        {}, {"region": "上海"}, {"gender": "male", "region": "上海", "interests": ["tea"]},
        {"birthday": {"calendar": "solar", "month": 1, "day": 1}, "occupation": "x"},
        {"home_store_id": str(world.stores["S01"]), "family": [CHILD]},
        {"kind": "organization", "terms": {}, "industry": "x", "size_band": "micro"},
    ]  # fmt: skip
    cards = [
        await create_card(client, world, **{"name": str(number), **fields})
        for number, fields in enumerate(parts)
    ]
    odd = settings.model_copy(
        update={
            "completeness_individual": "gender=1,region=1,interests=1,birthday=4,family=9,email=7",
            "completeness_organization": "terms=2,industry=5,contact=11",
        }
    )
    async with database.transaction() as session:
        await refresh(session, odd, [card["id"] for card in cards])
    async with client_of(database, odd) as other:
        database.session_info.update(dict.fromkeys(database.session_info, odd))
        shown = {
            card["name"]: (await read_card(other, world, card["id"]))["completeness"]["score"]
            for card in cards
        }
    assert shown == {"0": 0, "1": 4, "2": 13, "3": 17, "4": 39, "5": 39}
    assert await stored_scores(database) == shown


async def test_a_night_scores_identities_and_contacts_as_the_rule_does(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "CHUNK", 2)
    monkeypatch.setattr(completeness, "COMPARED", 3)
    odd = settings.model_copy(
        update={
            "completeness_individual": "phone=1,email=2,gender=4,contact=8",
            "completeness_organization": "phone=8,email=4,contact=2,terms=1",
        }
    )
    fresh_database.session_info.update(dict.fromkeys(fresh_database.session_info, odd))
    world = await build_world(fresh_database)
    phone, email = (
        {"kind": "phone", "value": "13800138000"}, {"kind": "email", "value": "a@example.com"},
    )  # fmt: skip
    wechat = {"kind": "wechat", "value": "w1"}
    async with client_of(fresh_database, odd) as client:
        await create_card(client, world, name="nothing")
        await create_card(client, world, name="phone", identities=[phone])
        await create_card(client, world, name="email", identities=[email, wechat], gender="male")
        firm = await create_card(client, world, name="firm", kind="organization", terms={})
        added = await client.post(
            f"/v1/customers/{firm['id']}/contacts",
            headers=seen(world, firm),
            json={"name": "王", "role": "purchasing"},
        )
        assert added.status_code == 201, added.text
    right = {"nothing": 0, "phone": 7, "email": 40, "firm": 20}
    assert await stored_scores(fresh_database) == right
    async with fresh_database.transaction() as session:
        await session.execute(update(Customer).values(completeness=99))
    steps = ((completeness.STEP, completeness.reconcile),)
    report = await run_night(fresh_database.url, odd, NOON.date(), steps)
    assert report[0].counts == {"checked": 4, "corrected": 4}
    assert await stored_scores(fresh_database) == right
    again = await run_night(fresh_database.url, odd, NOON.date(), steps)
    assert again[0].counts == {"checked": 4, "corrected": 0}


async def test_a_night_brings_old_cards_to_what_they_should_be_without_a_version(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "CHUNK", 2)
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        for number in range(5):
            await create_card(client, world, name=str(number), gender="male")
    async with fresh_database.transaction() as session:
        await session.execute(
            update(Customer).where(col(Customer.name) != "2").values(completeness=0)
        )
    day = NOON.date()
    steps = ((completeness.STEP, completeness.reconcile),)
    first = await run_night(fresh_database.url, settings, day, steps)
    assert first[0].counts == {"checked": 5, "corrected": 4}
    assert await stored_scores(fresh_database) == {str(number): 10 for number in range(5)}
    second = await run_night(fresh_database.url, settings, day, steps)
    assert second[0].counts == {"checked": 5, "corrected": 0}
    other = settings.model_copy(update={"completeness_individual": "gender=1,email=3"})
    third = await run_night(fresh_database.url, other, day, steps)
    assert third[0].counts == {"checked": 5, "corrected": 5}
    assert await stored_scores(fresh_database) == {str(number): 25 for number in range(5)}
    async with fresh_database.transaction() as session:
        versions = "SELECT array_agg(DISTINCT version) FROM customer"
        assert await session.scalar(text(versions)) == [1]


async def test_a_portion_of_a_night_that_was_not_begun_does_not_go_round(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    await create_card(client, world)
    async with database.transaction() as session:
        with pytest.raises(LookupError, match="was not begun"):
            await completeness.reconcile(session, settings, NOON.date())
