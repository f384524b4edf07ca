"""Lists of cards: filtered, sorted, paged without loss."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import Customer, TierAssignment
from app.vocabulary import CustomerKind, CustomerOrigin, CustomerStatus
from tests.support.cards import create_card, seen
from tests.support.world import World

MORNING = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)


async def listed(
    client: httpx.AsyncClient, world: World, **parameters: Any
) -> list[dict[str, Any]]:
    """Return the first page of the list."""
    answer = await client.get("/v1/customers", headers=world.headers(), params=parameters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def walked(
    client: httpx.AsyncClient, world: World, **parameters: Any
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the items of all pages, and how many each page had."""
    items: list[dict[str, Any]] = []
    sizes: list[int] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            "/v1/customers",
            headers=world.headers(),
            params={**parameters, **({"cursor": cursor} if cursor else {})},
        )
        assert answer.status_code == 200, answer.text
        items.extend(answer.json()["items"])
        sizes.append(len(answer.json()["items"]))
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items, sizes


async def write_equal_cards(database: Database, count: int) -> list[dict[str, Any]]:
    """Write cards of which many have the same name and the same instants; return their keys."""
    rows = [
        {
            "id": new_id(),
            "kind": CustomerKind.INDIVIDUAL,
            "status": CustomerStatus.ACTIVE,
            "name": "AAB"[number % 3],
            "origin": CustomerOrigin.STORE,
            "registered_on": date(2026, 3, 1),
            "birth_month_is_leap": False,
            "version": 1,
            "created_at": MORNING + timedelta(microseconds=number % 2),
            "updated_at": MORNING + timedelta(microseconds=number % 4),
        }
        for number in range(count)
    ]
    async with database.transaction() as session:
        await session.execute(insert(Customer), rows)
    return rows


@pytest.mark.parametrize("field", ["created_at", "updated_at", "name"])
@pytest.mark.parametrize("sign", ["", "-"])
async def test_a_walk_over_equal_sort_values_loses_and_repeats_nothing(
    client: httpx.AsyncClient, world: World, database: Database, sign: str, field: str
) -> None:
    rows = await write_equal_cards(database, 25)
    expected = sorted(rows, key=lambda row: (row[field], row["id"]), reverse=sign == "-")
    items, sizes = await walked(client, world, sort=sign + field, limit=7)
    assert [UUID(item["id"]) for item in items] == [row["id"] for row in expected]
    assert sizes == [7, 7, 7, 4]


async def test_a_last_page_that_is_full_is_the_last(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await write_equal_cards(database, 6)
    _, sizes = await walked(client, world, limit=3)
    assert sizes == [3, 3]


async def test_the_newest_cards_come_first_fifty_at_a_time(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    rows = await write_equal_cards(database, 52)
    items, sizes = await walked(client, world)
    newest_first = sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)
    assert [UUID(item["id"]) for item in items] == [row["id"] for row in newest_first]
    assert sizes == [50, 2]


async def test_listed_cards_are_whole(client: httpx.AsyncClient, world: World) -> None:
    first = await create_card(
        client, world, name="甲", identities=[{"kind": "wechat", "value": "a"}]
    )
    second = await create_card(
        client, world, name="乙",
        identities=[{"kind": "wechat", "value": "b"}, {"kind": "phone", "value": "13800138000"}],
    )  # fmt: skip
    assert await listed(client, world) == [second, first]


async def test_filters_narrow_the_list(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    s01, owner = str(world.stores["S01"]), str(world.staff["clerk"])
    school = await create_card(
        client, world, kind="organization", name="第三中学", registered_on="2026-01-01"
    )
    reader = await create_card(
        client, world, home_store_id=s01, owner_staff_id=owner, registered_on="2026-01-31"
    )
    main = await create_card(client, world, home_store_id=s01, registered_on="2026-02-01")
    async with database.transaction() as session:
        await session.execute(
            update(TierAssignment)
            .where(col(TierAssignment.customer_id) == UUID(main["id"]))
            .values(level="main")
        )
    archived = await create_card(client, world, home_store_id=s01, registered_on="2026-02-01")
    await client.post(f"/v1/customers/{archived['id']}/archive", headers=seen(world, archived))

    async def found(**parameters: Any) -> list[str]:
        return [item["id"] for item in await listed(client, world, **parameters)]

    assert await found() == [main["id"], reader["id"], school["id"]]
    assert await found(kind="organization") == [school["id"]]
    assert await found(home_store_id=s01) == [main["id"], reader["id"]]
    assert await found(owner_staff_id=owner) == [reader["id"]]
    assert await found(tier="main") == [main["id"]]
    assert await found(tier="small", kind="individual") == [reader["id"]]
    assert await found(status="archived") == [archived["id"]]
    assert await found(status="any", home_store_id=s01) == [
        archived["id"], main["id"], reader["id"],
    ]  # fmt: skip
    assert await found(registered_from="2026-01-31") == [main["id"], reader["id"]]
    assert await found(registered_to="2026-01-31") == [reader["id"], school["id"]]
    assert await found(registered_from="2026-01-02", registered_to="2026-01-31") == [reader["id"]]
    assert await found(owner_staff_id=str(new_id())) == []


async def test_only_the_current_tier_counts(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    async with database.transaction() as session:
        await session.execute(
            update(TierAssignment)
            .where(col(TierAssignment.customer_id) == UUID(card["id"]))
            .values(valid_to=col(TierAssignment.valid_from))
        )
    assert [item["tier"] for item in await listed(client, world)] == [None]
    assert await listed(client, world, tier="small") == []


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"limit": 0}, "/query/limit"),
        ({"limit": 201}, "/query/limit"),
        ({"sort": "note"}, "/query/sort"),
        ({"sort": "-id; DROP TABLE customer"}, "/query/sort"),
        ({"kind": "robot"}, "/query/kind"),
        ({"status": "gone"}, "/query/status"),
        ({"tier": "gold"}, "/query/tier"),
        ({"home_store_id": "S01"}, "/query/home_store_id"),
        ({"registered_from": "1700000000"}, "/query/registered_from"),
        ({"registered_to": "2026-02-30"}, "/query/registered_to"),
    ],
)
async def test_parameters_that_cannot_be_are_refused_with_pointers(
    client: httpx.AsyncClient, world: World, parameters: dict[str, Any], pointer: str
) -> None:
    answer = await client.get("/v1/customers", headers=world.headers(), params=parameters)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_cursor_is_good_for_its_own_list_only(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await write_equal_cards(database, 3)
    first = await client.get("/v1/customers", headers=world.headers(), params={"limit": 1})
    cursor: str = first.json()["next_cursor"]
    middle = len(cursor) // 2
    swapped = "A" if cursor[middle] != "A" else "B"
    attempts: list[dict[str, Any]] = [
        {"cursor": cursor[:middle] + swapped + cursor[middle + 1 :]},
        {"cursor": "bm9uc2Vuc2U"},
        {"cursor": "游标"},
        {"cursor": cursor, "sort": "name"},
        {"cursor": cursor, "kind": "individual"},
    ]
    for parameters in attempts:
        answer = await client.get(
            "/v1/customers",
            headers=world.headers(Accept_Language="zh"),
            params={"limit": 1, **parameters},
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")
        assert answer.json()["detail"] == "游标无效，或属于另一列表。"
    good = await client.get(
        "/v1/customers", headers=world.headers(), params={"limit": 2, "cursor": cursor}
    )
    assert len(good.json()["items"]) == 2
