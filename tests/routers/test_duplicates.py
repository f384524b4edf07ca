"""The work list of cards that look alike: listed, compared, decided on, looked for."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, update
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.jobs.duplicates import mark_all_cards, scan_duplicates
from app.models import AuditEntry, Customer, DuplicatePair
from app.vocabulary import Action
from tests.support.cards import create_card, read_card, row_counts, seen
from tests.support.merging import carry_out, plan
from tests.support.world import World

BORN = {"calendar": "solar", "year": 1990, "month": 8, "day": 5}
OTHER_DAY = {"calendar": "solar", "year": 1971, "month": 2, "day": 28}
ADDRESS = "上海市徐汇区漕溪路12号3幢502室"


async def two_alike(
    client: httpx.AsyncClient, world: World, **fields: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two cards that look alike; the fields are the second one's."""
    first = await create_card(client, world, birthday=BORN)
    second = await create_card(
        client, world, **{"name": "王晓明", "birthday": BORN, "allow_duplicate": True, **fields}
    )
    return first, second


async def listed(
    client: httpx.AsyncClient, world: World, **parameters: Any
) -> list[dict[str, Any]]:
    """Return the first page of the work list."""
    answer = await client.get("/v1/duplicates", headers=world.headers(), params=parameters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def decide(
    client: httpx.AsyncClient,
    world: World,
    one: dict[str, Any],
    other: dict[str, Any],
    state: str,
    who: str = "manager",
    **more: Any,
) -> httpx.Response:
    """Decide on two cards."""
    return await client.post(
        f"/v1/duplicates/{one['id']}/{other['id']}/decision",
        headers=world.headers(who),
        json={"state": state, **more},
    )


def ids_of(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the ids of pairs."""
    return [(item["first"]["id"], item["second"]["id"]) for item in items]


async def test_a_pair_is_listed_with_both_cards_and_why(
    client: httpx.AsyncClient, world: World
) -> None:
    store = str(world.stores["S01"])
    first, second = await two_alike(client, world, home_store_id=store)

    (pair,) = await listed(client, world)

    assert pair["first"] == {
        "id": first["id"], "kind": "individual", "status": "active", "name": "王小明",
        "home_store_id": None,
    }  # fmt: skip
    assert pair["second"] == {
        "id": second["id"], "kind": "individual", "status": "active", "name": "王晓明",
        "home_store_id": store,
    }  # fmt: skip
    assert pair["reasons"] == [
        {"code": "same_birthday", "en": "Same birthday", "zh": "生日相同", "weight": 140},
        {
            "code": "same_name_pinyin", "en": "Names read the same", "zh": "姓名读音相同",
            "weight": pair["reasons"][1]["weight"],
        },
    ]  # fmt: skip
    assert (pair["state"], pair["decided_at"], pair["note"]) == ("open", None, None)
    assert 850 <= pair["score"] < 1000


async def test_the_list_is_narrowed_and_walked_without_loss(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    # given
    store = str(world.stores["S02"])
    alike = [await two_alike(client, world, name="王晓明", birthday=BORN)]
    for year in (1981, 1982, 1983):
        born = {**BORN, "year": year}
        first = await create_card(client, world, name="陈澈", birthday=born)
        second = await create_card(
            client, world, name="陈澈", birthday=born, home_store_id=store, allow_duplicate=True
        )
        alike.append((first, second))
    scores = {(one["id"], two["id"]): 700 + n % 2 for n, (one, two) in enumerate(alike)}
    async with database.transaction() as session:
        for (one, two), score in scores.items():
            await session.execute(
                update(DuplicatePair)
                .where(col(DuplicatePair.first_id) == one, col(DuplicatePair.second_id) == two)
                .values(score=score)
            )
    expected = sorted(scores, key=lambda pair: (scores[pair], pair), reverse=True)

    # when
    walked: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            "/v1/duplicates",
            headers=world.headers(),
            params={"limit": 1, **({"cursor": cursor} if cursor else {})},
        )
        walked += ids_of(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break

    # then
    assert walked == expected
    assert ids_of(await listed(client, world, min_score=701)) == expected[:2]
    of_store = ids_of(await listed(client, world, home_store_id=store))
    assert of_store == [pair for pair in expected if pair != (alike[0][0]["id"], alike[0][1]["id"])]
    assert await listed(client, world, state="same") == []


async def test_two_cards_stand_side_by_side_in_either_order(
    client: httpx.AsyncClient, world: World
) -> None:
    first, second = await two_alike(client, world)
    for one, other in ((first, second), (second, first)):
        answer = await client.get(
            f"/v1/duplicates/{one['id']}/{other['id']}", headers=world.headers()
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert ids_of([body["duplicate"]]) == [(first["id"], second["id"])]
        assert body["first"] == await read_card(client, world, first["id"])
        assert body["second"] == await read_card(client, world, second["id"])


async def test_any_two_cards_are_compared_and_decided_on(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    one, other = [await create_card(client, world, name=name) for name in ("赵云", "诸葛亮")]
    counts = await row_counts(database)
    path = f"/v1/duplicates/{other['id']}/{one['id']}"
    shown = (await client.get(path, headers=world.headers())).json()
    assert (shown["first"], shown["second"]) == (one, other)
    duplicate = shown["duplicate"]
    assert ids_of([duplicate]) == [(one["id"], other["id"])]
    assert (duplicate["state"], duplicate["found_at"]) == ("open", None)
    assert await row_counts(database) == counts

    answer = await decide(client, world, one, other, "different")
    assert (answer.json()["score"], answer.json()["reasons"]) == (
        duplicate["score"], duplicate["reasons"],
    )  # fmt: skip
    again = (await client.get(path, headers=world.headers())).json()["duplicate"]
    assert again == answer.json()
    assert again["found_at"] is not None


async def test_what_is_no_pair_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world)
    for other in (card["id"], str(new_id())):
        path = f"/v1/duplicates/{card['id']}/{other}"
        read = await client.get(path, headers=world.headers())
        decided = await client.post(
            f"{path}/decision", headers=world.headers(), json={"state": "same"}
        )
        assert (read.status_code, decided.status_code) == (404, 404)


async def test_a_decision_is_written_with_who_and_why_and_can_be_changed(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    # given
    first, second = await two_alike(client, world)

    # when
    answer = await decide(client, world, second, first, "different", note="Cousins.")

    # then
    assert answer.status_code == 200, answer.text
    pair = answer.json()
    assert (pair["state"], pair["note"]) == ("different", "Cousins.")
    assert pair["decided_by_id"] == str(world.staff["manager"])
    assert await listed(client, world) == []
    assert ids_of(await listed(client, world, state="different")) == [(first["id"], second["id"])]
    async with database.transaction() as session:
        entries = list(
            await session.scalars(
                select(AuditEntry).where(col(AuditEntry.action) == Action.DECIDED)
            )
        )
    assert {str(entry.object_id) for entry in entries} == {first["id"], second["id"]}
    assert {tuple(entry.fields) for entry in entries} == {("duplicate",)}

    # when
    changed = await decide(client, world, first, second, "same")

    # then
    assert (changed.json()["state"], changed.json()["note"]) == ("same", None)


async def test_what_was_decided_different_never_comes_up_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, second = await two_alike(client, world)
    await decide(client, world, first, second, "different")

    # More that agrees: neither refused, nor listed by any scan.
    card = await read_card(client, world, second["id"])
    for one in (await read_card(client, world, first["id"]), card):
        answer = await client.patch(
            f"/v1/customers/{one['id']}", headers=seen(world, one), json={"address": ADDRESS}
        )
        assert answer.status_code == 200, answer.text
    await mark_all_cards(database)
    await scan_duplicates(database)

    assert await listed(client, world) == []
    (pair,) = await listed(client, world, state="different")
    assert ids_of([pair]) == [(first["id"], second["id"])]


async def test_two_cards_that_no_scan_has_found_can_be_decided_on(
    client: httpx.AsyncClient, world: World
) -> None:
    first = await create_card(client, world)
    second = await create_card(client, world, name="赵云")
    answer = await decide(client, world, first, second, "different")
    assert answer.status_code == 200, answer.text
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["different_name"]
    assert answer.json()["score"] == 0


async def test_who_is_bound_to_a_store_decides_on_its_cards_and_on_nobodys(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, second = await two_alike(client, world, home_store_id=str(world.stores["S02"]))
    answer = await decide(client, world, first, second, "different", who="store_manager")
    assert answer.status_code == 403
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == second["id"])
            .values(home_store_id=world.stores["S01"])
        )
    assert [pair["state"] for pair in await listed(client, world)] == ["open"]
    answer = await decide(client, world, first, second, "different", who="store_manager")
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [{}, {"state": "open"}, {"state": "same", "x": 1}])
async def test_a_decision_is_same_or_different(
    client: httpx.AsyncClient, world: World, body: dict[str, Any]
) -> None:
    first, second = await two_alike(client, world)
    answer = await client.post(
        f"/v1/duplicates/{first['id']}/{second['id']}/decision",
        headers=world.headers(),
        json=body,
    )
    assert answer.status_code == 422
    assert len(await listed(client, world)) == 1


async def test_a_card_tells_what_it_looks_like(client: httpx.AsyncClient, world: World) -> None:
    first, second = await two_alike(client, world)
    alone = await create_card(client, world, name="赵云", birthday=OTHER_DAY)
    await decide(client, world, first, second, "different")
    third = await create_card(client, world, birthday=BORN, allow_duplicate=True)

    async def of(card: dict[str, Any], **parameters: str) -> list[tuple[str, str]]:
        answer = await client.get(
            f"/v1/customers/{card['id']}/duplicates",
            headers=world.headers("clerk"),
            params=parameters,
        )
        assert answer.status_code == 200, answer.text
        return ids_of(answer.json()["items"])

    assert sorted(await of(first)) == sorted(
        [(first["id"], second["id"]), (first["id"], third["id"])]
    )
    assert await of(first, state="open") == [(first["id"], third["id"])]
    assert await of(alone) == []
    missing = await client.get(f"/v1/customers/{new_id()}/duplicates", headers=world.headers())
    assert missing.status_code == 404


async def test_a_merged_card_is_on_no_list_and_refuses_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, second = await two_alike(client, world)
    third = await create_card(client, world, birthday=BORN, allow_duplicate=True)
    planned = await plan(client, world, first["id"], [second["id"]])
    assert (await carry_out(client, world, planned)).status_code == 201
    assert ids_of(await listed(client, world)) == [(first["id"], third["id"])]
    overview = await client.get(f"/v1/customers/{third['id']}/overview", headers=world.headers())
    assert overview.json()["possible_duplicates"] == 1
    await scan_duplicates(database)
    assert ids_of(await listed(client, world)) == [(first["id"], third["id"])]
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "individual", "name": "王晓明", "birthday": BORN},
    )
    assert {one["customer_id"] for one in answer.json()["candidates"]} == {
        first["id"], third["id"],
    }  # fmt: skip


async def test_a_scan_is_queued_once(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    answers = [
        await client.post("/v1/duplicates/scan", headers=world.headers(), json=body)
        for body in ({}, {}, {"full": True})
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.json() for answer in answers] == [
        {"is_queued": True, "is_full": False},
        {"is_queued": False, "is_full": False},
        {"is_queued": True, "is_full": True},
    ]
    async with database.transaction() as session:
        jobs = await session.execute(
            text("SELECT entrypoint, convert_from(payload, 'UTF8') FROM pgqueuer ORDER BY id")
        )
        assert [tuple(row) for row in jobs] == [
            ("scan_duplicates", '{"full":false}'), ("scan_duplicates", '{"full":true}'),
        ]  # fmt: skip
        assert await session.scalar(select(func.count()).select_from(DuplicatePair)) == 0
