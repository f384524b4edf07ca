"""People, roles, absences and hand-over over the API."""

import asyncio
import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import insert, select, text
from sqlmodel import col

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import AuditEntry, Customer, CustomerChange, OutboxEvent
from app.rules.access import SYSTEM
from app.schemas.staff import StaffCreate
from app.services import staff as service
from app.vocabulary import ActorKind, CustomerKind, CustomerOrigin, CustomerStatus, DomainEvent
from tests.conftest import client_of
from tests.support.world import World, build_world

PASSWORD = "drei-Kraniche-im-Nebel"


@pytest.fixture(autouse=True)
def _cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with little work: what is tested here is not the hashing."""
    monkeypatch.setattr(
        security, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )


async def create(
    client: httpx.AsyncClient, world: World, status: int = 201, **more: Any
) -> httpx.Response:
    """Make an account as an administrator: a clerk of S01 unless said otherwise."""
    answer = await client.post(
        "/v1/staff",
        json={
            "username": "Li.Wen", "display_name": "李文", "role": "clerk",
            "store_ids": [str(world.stores["S01"])], "password": PASSWORD, **more,
        },
        headers=world.headers("admin"),
    )  # fmt: skip
    assert answer.status_code == status, answer.text
    return answer


async def change(
    client: httpx.AsyncClient, world: World, staff_id: object, seen: int, **fields: Any
) -> httpx.Response:
    """Change somebody as an administrator."""
    return await client.patch(
        f"/v1/staff/{staff_id}",
        json=fields,
        headers=world.headers("admin", If_Match=f'"v{seen}"'),
    )


async def act(
    client: httpx.AsyncClient, world: World, staff_id: object, verb: str, who: str = "admin"
) -> httpx.Response:
    """Disable or enable somebody."""
    return await client.post(f"/v1/staff/{staff_id}/{verb}", headers=world.headers(who))


async def enters(client: httpx.AsyncClient, username: str, password: str) -> bool:
    """Tell whether the password lets in."""
    form = {"username": username, "password": password}
    return (await client.post("/v1/auth/token", data=form)).status_code == 200


async def trail_of(
    client: httpx.AsyncClient, world: World, object_id: object
) -> list[tuple[str, list[str]]]:
    """Return what was done to an object, newest first."""
    answer = await client.get(
        "/v1/audit", params={"object_id": str(object_id)}, headers=world.headers("auditor")
    )
    return [(entry["action"], entry["fields"]) for entry in answer.json()["items"]]


async def test_an_account_is_made_with_the_password_that_was_given(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await create(client, world)
    made = answer.json()
    assert answer.headers["location"] == f"/v1/staff/{made['id']}"
    assert answer.headers["etag"] == '"v1"'
    assert (made["username"], made["role"], made["is_disabled"]) == ("li.wen", "clerk", False)
    assert made["store_ids"] == [str(world.stores["S01"])]
    assert made.pop("generated_password") is None
    read = await client.get(answer.headers["location"], headers=world.headers("service"))
    assert (read.json(), read.headers["etag"]) == (made, '"v1"')
    assert "password" not in read.text
    assert await enters(client, "li.wen", PASSWORD)


async def test_a_generated_password_is_shown_once_and_works(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    headers = world.headers("admin")
    form = {"username": "li.wen", "display_name": "李文", "role": "auditor"}
    first = await client.post("/v1/staff", json=form, headers=headers)
    password = first.json()["generated_password"]
    assert re.fullmatch(r"([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}", password)
    assert first.headers["cache-control"] == "no-store"
    again = await client.post("/v1/staff", json=form, headers=headers)
    assert again.json() == {**first.json(), "generated_password": None}
    assert await enters(client, "li.wen", password)
    async with database.transaction() as session:
        for table in ("staff", "audit_entry", "idempotency_key"):
            rows = (await session.execute(text(f"SELECT t::text FROM {table} AS t"))).scalars()
            assert password not in "\n".join(rows), table


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"password": "neun-lang"}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"username": "李文"}, "/username"),
        ({"username": "a"}, "/username"),
        ({"role": "boss"}, "/role"),
        ({"store_ids": []}, "/store_ids"),
        ({"store_ids": ["01936b7e-0000-7000-8000-000000000000"]}, "/store_ids"),
        ({"role": "manager"}, "/store_ids"),
        ({"is_disabled": True}, "/is_disabled"),
    ],
)
async def test_an_account_that_can_not_be_is_refused(
    client: httpx.AsyncClient, world: World, more: dict[str, Any], pointer: str
) -> None:
    answer = await create(client, world, 422, **more)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "neun-lang" not in answer.text
    assert len((await client.get("/v1/staff", headers=world.headers())).json()["items"]) == 8


@pytest.mark.parametrize("length", [10, 128])
async def test_passwords_of_the_shortest_and_the_longest_kind_are_taken(
    client: httpx.AsyncClient, world: World, length: int
) -> None:
    await create(client, world, password="x" * length)
    assert await enters(client, "li.wen", "x" * length)


async def test_user_names_are_unique_whatever_their_case(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await create(client, world, 409, username="CLERK")
    assert answer.json()["type"] == "/problems/conflict"


async def test_staff_are_listed_by_user_name_filtered_and_paged(
    client: httpx.AsyncClient, world: World
) -> None:
    await act(client, world, world.staff["clerk2"], "disable")

    async def names(**params: str) -> list[str]:
        answer = await client.get("/v1/staff", params=params, headers=world.headers("clerk"))
        return [item["username"] for item in answer.json()["items"]]

    assert await names() == [
        "admin", "auditor", "clerk", "clerk2", "manager", "marketing", "service", "store_manager",
    ]  # fmt: skip
    assert await names(role="clerk") == ["clerk", "clerk2"]
    assert await names(store_id=str(world.stores["S02"])) == ["clerk2"]
    assert await names(is_disabled="true") == ["clerk2"]
    assert await names(role="clerk", is_disabled="false") == ["clerk"]
    page = (await client.get("/v1/staff?limit=5", headers=world.headers())).json()
    assert await names(limit="5", cursor=page["next_cursor"]) == [
        "marketing", "service", "store_manager",
    ]  # fmt: skip


async def test_a_new_role_and_new_shops_are_in_force_at_once_and_audited_by_name(
    client: httpx.AsyncClient, world: World
) -> None:
    clerk = world.staff["clerk"]
    answer = await change(client, world, clerk, 1, store_ids=[str(world.stores["S02"])])
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    me = (await client.get("/v1/me", headers=world.headers("clerk"))).json()
    assert me["store_ids"] == [str(world.stores["S02"])]
    answer = await change(client, world, clerk, 2, role="manager", display_name="李")
    assert (answer.json()["role"], answer.json()["store_ids"]) == ("manager", [])
    me = (await client.get("/v1/me", headers=world.headers("clerk"))).json()
    assert (me["role"]["code"], me["store_ids"]) == ("manager", None)
    assert await trail_of(client, world, clerk) == [
        ("changed", ["display_name", "role", "store_ids"]),
        ("changed", ["store_ids"]),
    ]


@pytest.mark.parametrize(
    "fields",
    [{"store_ids": []}, {"role": "manager", "store_ids": ["S01"]}, {"store_ids": ["S01", "S01"]}],
    ids=["bound to no shop", "headquarters bound to a shop", "one shop twice"],
)
async def test_role_and_shops_have_to_fit(
    client: httpx.AsyncClient, world: World, fields: dict[str, Any]
) -> None:
    stores = [str(world.stores[code]) for code in fields["store_ids"]]
    answer = await change(client, world, world.staff["clerk"], 1, **{**fields, "store_ids": stores})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/store_ids"]
    read = await client.get(f"/v1/staff/{world.staff['clerk']}", headers=world.headers())
    assert (read.json()["version"], len(read.json()["store_ids"])) == (1, 1)


async def test_who_becomes_bound_to_shops_needs_one(
    client: httpx.AsyncClient, world: World
) -> None:
    staff_id = world.staff["marketing"]
    assert (await change(client, world, staff_id, 1, role="clerk")).status_code == 422
    answer = await change(
        client, world, staff_id, 1, role="clerk", store_ids=[str(world.stores["S02"])]
    )
    assert (answer.status_code, answer.json()["role"]) == (200, "clerk")


async def test_nobody_is_put_into_a_closed_shop(client: httpx.AsyncClient, world: World) -> None:
    closed = await client.patch(
        f"/v1/stores/{world.stores['S02']}", json={"is_active": False},
        headers=world.headers("admin", If_Match='"v1"'),
    )  # fmt: skip
    assert closed.status_code == 200
    await create(client, world, 422, store_ids=[str(world.stores["S02"])])


async def test_the_last_enabled_administrator_stays_one(
    client: httpx.AsyncClient, world: World
) -> None:
    admin = world.staff["admin"]
    for answer in (
        await act(client, world, admin, "disable"),
        await change(client, world, admin, 1, role="manager"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/invalid-transition")
    assert (await change(client, world, admin, 1, display_name="管")).status_code == 200
    second = (await create(client, world, role="admin", store_ids=[])).json()["id"]
    assert (await act(client, world, second, "disable")).status_code == 200
    assert (await act(client, world, admin, "disable")).status_code == 409, (
        "disabled ones count not"
    )
    assert (await act(client, world, second, "enable")).status_code == 200
    assert (await change(client, world, admin, 2, role="manager")).status_code == 200
    assert (await act(client, world, second, "disable")).status_code == 403


async def test_of_two_administrators_disabled_at_once_one_remains(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        made = await create(client, world, role="admin", store_ids=[])
    admins = [world.staff["admin"], UUID(made.json()["id"])]

    async def disable(staff_id: UUID) -> bool:
        try:
            async with fresh_database.transaction() as session:
                await service.disable_staff(session, SYSTEM, staff_id)
        except ConflictError:
            return False
        return True

    for _ in range(10):
        assert sorted(await asyncio.gather(*map(disable, admins))) == [False, True]
        for admin in admins:
            async with fresh_database.transaction() as session:
                await service.enable_staff(session, SYSTEM, admin)


async def test_disabling_and_enabling_twice_changes_nothing_more(
    client: httpx.AsyncClient, world: World
) -> None:
    clerk = world.staff["clerk"]
    first = await act(client, world, clerk, "disable")
    assert (first.json()["is_disabled"], first.headers["etag"]) == (True, '"v2"')
    assert (await act(client, world, clerk, "disable")).json() == first.json()
    enabled = await act(client, world, clerk, "enable")
    assert (enabled.json()["disabled_at"], enabled.headers["etag"]) == (None, '"v3"')
    assert (await act(client, world, clerk, "enable")).json() == enabled.json()
    assert await trail_of(client, world, clerk) == [
        ("enabled", ["is_disabled"]), ("disabled", ["is_disabled"]),
    ]  # fmt: skip
    late = await change(client, world, clerk, 1, display_name="x")
    assert (late.status_code, late.json()["changed_fields"]) == (412, ["is_disabled"])


async def test_a_reset_without_a_password_generates_one_and_names_no_value_in_the_trail(
    client: httpx.AsyncClient, world: World
) -> None:
    made = (await create(client, world)).json()
    answer = await client.post(
        f"/v1/staff/{made['id']}/password-reset", json={}, headers=world.headers("admin")
    )
    assert answer.headers["cache-control"] == "no-store"
    assert await enters(client, "li.wen", answer.json()["generated_password"])
    assert not await enters(client, "li.wen", PASSWORD)
    assert ("password_reset", ["password"]) in await trail_of(client, world, made["id"])
    short = await client.post(
        f"/v1/staff/{made['id']}/password-reset", json={"password": "kurz"},
        headers=world.headers("admin"),
    )  # fmt: skip
    assert short.status_code == 422


async def test_absences_are_noted_read_and_taken_back(
    client: httpx.AsyncClient, world: World
) -> None:
    path = f"/v1/staff/{world.staff['clerk']}/absences"
    body = {"starts_on": "2026-12-01", "ends_on": "2026-12-01", "reason": "sick", "note": None}
    made = await client.post(path, json=body, headers=world.headers("admin"))
    assert made.status_code == 201
    absence = made.json()
    assert made.headers["location"] == f"{path}/{absence['id']}"
    assert {name: absence[name] for name in body} == body
    second = await client.post(
        path, json={**body, "reason": "leave"}, headers=world.headers("admin")
    )
    page = await client.get(f"{path}?limit=1", headers=world.headers("manager"))
    assert page.json()["items"] == [absence]
    rest = await client.get(
        path, params={"cursor": page.json()["next_cursor"]}, headers=world.headers("manager")
    )
    assert rest.json() == {"items": [second.json()], "next_cursor": None}
    assert (await client.get(made.headers["location"], headers=world.headers())).json() == absence
    for status in (204, 404):
        gone = await client.delete(made.headers["location"], headers=world.headers("admin"))
        assert gone.status_code == status
    assert await trail_of(client, world, absence["id"]) == [
        ("revoked", []), ("created", ["ends_on", "note", "reason", "starts_on"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"ends_on": "2026-11-30"}, "/ends_on"),
        ({"starts_on": "1999-12-31"}, "/starts_on"),
        ({"ends_on": "2200-01-01"}, "/ends_on"),
        ({"reason": "bored"}, "/reason"),
        ({"starts_on": "2026-02-30"}, "/starts_on"),
    ],
)
async def test_an_absence_that_can_not_be_is_refused(
    client: httpx.AsyncClient, world: World, more: dict[str, str], pointer: str
) -> None:
    path = f"/v1/staff/{world.staff['clerk']}/absences"
    body = {"starts_on": "2026-12-01", "ends_on": "2026-12-02", "reason": "leave", **more}
    answer = await client.post(path, json=body, headers=world.headers("admin"))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_why_somebody_is_away_is_known_to_their_own_shop(
    client: httpx.AsyncClient, world: World
) -> None:
    path = f"/v1/staff/{world.staff['clerk2']}/absences"
    assert (await client.get(path, headers=world.headers("clerk"))).status_code == 404
    assert (await client.get(path, headers=world.headers("clerk2"))).status_code == 200
    assert (await client.get(path, headers=world.headers("auditor"))).status_code == 200


async def give_cards(database: Database, owner: UUID, count: int, version: int = 1) -> list[UUID]:
    """Store cards that somebody looks after."""
    now, cards = clock.now(), [new_id() for _ in range(count)]
    async with database.transaction() as session:
        await session.execute(
            insert(Customer),
            [
                {
                    "id": card, "kind": CustomerKind.INDIVIDUAL, "status": CustomerStatus.ACTIVE,
                    "name": "赵甲", "origin": CustomerOrigin.STORE, "owner_staff_id": owner,
                    "birth_month_is_leap": False, "registered_on": now.date(),
                    "version": version, "created_at": now, "updated_at": now,
                }
                for card in cards
            ],
        )  # fmt: skip
    return cards


async def hand_over(
    client: httpx.AsyncClient, world: World, giver: str, taker: object
) -> httpx.Response:
    """Hand over all cards as an administrator."""
    return await client.post(
        f"/v1/staff/{world.staff[giver]}/hand-over",
        json={"to_staff_id": str(taker)},
        headers=world.headers("admin"),
    )


async def test_a_leavers_cards_are_handed_over_each_with_history_trail_and_event(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    giver, taker = world.staff["clerk"], world.staff["clerk2"]
    cards = await give_cards(database, giver, 3, version=4)
    others = await give_cards(database, world.staff["manager"], 1)
    await act(client, world, giver, "disable")
    answer = await hand_over(client, world, "clerk", taker)
    assert (answer.status_code, answer.json()) == (200, {"cards": 3})
    async with database.transaction() as session:
        found = {card.id: card for card in await session.scalars(select(Customer))}
        assert {found[card].owner_staff_id for card in cards} == {taker}
        assert {found[card].version for card in cards} == {5}
        assert (found[others[0]].owner_staff_id, found[others[0]].version) == (
            world.staff["manager"], 1,
        )  # fmt: skip
        history = (await session.scalars(select(CustomerChange))).all()
        assert sorted(row.customer_id for row in history) == sorted(cards)
        for row in history:
            assert row.changes == {"owner_staff_id": [str(giver), str(taker)]}
            assert (row.version, row.actor_kind, row.actor_id) == (
                5, ActorKind.STAFF, world.staff["admin"],
            )  # fmt: skip
        audited = (
            await session.scalars(
                select(AuditEntry).where(col(AuditEntry.object_type) == "customer")
            )
        ).all()
        assert sorted(row.object_id for row in audited) == sorted(cards)
        assert {(row.action, tuple(row.fields)) for row in audited} == {
            ("handed_over", ("owner_staff_id",))
        }
        events = (await session.scalars(select(OutboxEvent))).all()
        assert sorted(row.subject_id for row in events) == sorted(cards)
        assert {row.type for row in events} == {DomainEvent.CUSTOMER_UPDATED}
        assert events[0].payload == {"version": 5, "fields": ["owner_staff_id"]}
    again = await hand_over(client, world, "clerk", taker)
    assert again.json() == {"cards": 0}


async def test_a_hand_over_takes_as_many_statements_for_three_hundred_cards_as_for_three(
    world: World, database: Database
) -> None:
    counts = []
    for number in (3, 3, 300):
        await give_cards(database, world.staff["clerk"], number)
        statements: list[str] = []
        async with database.transaction() as session:
            connection = await raw_connection(session)

            def note(record: Any, seen: list[str] = statements) -> None:
                seen.append(record.query)

            connection.add_query_logger(note)
            moved = await service.hand_over_cards(
                session, SYSTEM, world.staff["clerk"], world.staff["clerk2"]
            )
            connection.remove_query_logger(note)
        assert moved.cards == number
        counts.append(len(statements))
    # The first one also asks for the types of its parameters, once a connection.
    assert counts[1] == counts[2] <= 8


async def test_cards_go_to_somebody_else_who_is_there_and_enabled(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    cards = await give_cards(database, world.staff["clerk"], 1)
    await act(client, world, world.staff["clerk2"], "disable")
    for taker, status, code in (
        (world.staff["clerk"], 422, "validation"),
        (world.stores["S01"], 422, "validation"),
        (world.staff["clerk2"], 409, "invalid-transition"),
    ):
        answer = await hand_over(client, world, "clerk", taker)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    async with database.transaction() as session:
        owner = await session.scalar(
            select(col(Customer.owner_staff_id)).where(col(Customer.id) == cards[0])
        )
    assert owner == world.staff["clerk"]


async def test_the_command_line_makes_an_administrator_once(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    body = StaffCreate.model_validate(
        {"username": "First.Admin", "display_name": "首位管理员", "role": "admin"}
    )
    password_hash = await security.hash_password(PASSWORD)
    async with database.transaction() as session:
        admin_id = await service.create_admin(session, body, password_hash)
    assert await enters(client, "first.admin", PASSWORD)
    assert await trail_of(client, world, admin_id) == [
        ("signed_in", []),
        ("created", ["display_name", "password", "role", "username"]),
    ]
    with pytest.raises(ConflictError):
        async with database.transaction() as session:
            await service.create_admin(session, body, "another hash")
    assert await enters(client, "first.admin", PASSWORD)
