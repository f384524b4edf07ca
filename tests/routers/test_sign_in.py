"""Signing in, signing out, and who one is."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, select, text
from sqlmodel import col

from app.core import clock, security
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.models import AccessToken, SignInThrottle
from app.services import sign_in
from tests.conftest import client_of
from tests.support.world import World, build_world

PASSWORD = "drei-Kraniche-im-Nebel"
SURROGATES_IN_UTF_7 = (
    b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n+2AA-\r\n'
    b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n+2AA-\r\n--b--\r\n'
)
MORNING = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _cheap_hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with little work, but where the work itself is looked at."""
    if "costs_the_same" not in request.node.name:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        monkeypatch.setattr(security, "_hasher", cheap)


def client_from(database: Database, settings: Settings, address: str) -> httpx.AsyncClient:
    """Return a client that calls from another address."""
    transport = httpx.ASGITransport(app=create_app(settings, database), client=(address, 40000))
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


async def enter(
    client: httpx.AsyncClient, username: str = "li.wen", password: str = PASSWORD
) -> httpx.Response:
    """Send the OAuth2 password form."""
    form = {"grant_type": "password", "username": username, "password": password}
    return await client.post("/v1/auth/token", data=form)


async def make_clerk(client: httpx.AsyncClient, world: World, **more: Any) -> str:
    """Make the account li.wen with the password; return its id."""
    body = {
        "username": "li.wen", "display_name": "李文", "role": "clerk",
        "store_ids": [str(world.stores["S01"])], "password": PASSWORD, **more,
    }  # fmt: skip
    answer = await client.post("/v1/staff", json=body, headers=world.headers("admin"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def bearer(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that use the token of an answer."""
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_me_tells_a_clerk_their_role_and_their_store(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get("/v1/me", headers=world.headers("clerk"))
    assert answer.status_code == 200
    assert answer.json()["role"] == {"code": "clerk", "en": "Clerk", "zh": "店员"}
    assert answer.json()["store_ids"] == [str(world.stores["S01"])]


async def test_me_tells_headquarters_that_the_whole_chain_is_theirs(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get("/v1/me", headers=world.headers("marketing"))
    assert answer.json()["store_ids"] is None
    assert answer.json()["permissions"] == [
        "catalogue:read", "customers:export", "customers:read", "interactions:read", "me:read",
        "reports:read", "stores:read", "tiers:read",
    ]  # fmt: skip


async def test_nobody_is_let_in_without_credentials(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert answer.json()["title"] == "未登录"


async def test_the_password_form_gives_a_token_that_opens_the_api(
    client: httpx.AsyncClient, world: World
) -> None:
    staff_id = await make_clerk(client, world)
    answer = await enter(client, username=" Li.Wen ")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 7 * 24 * 3600
    assert answer.json()["access_token"].startswith("hkt_")
    me = await client.get("/v1/me", headers=bearer(answer))
    assert (me.status_code, me.json()["id"]) == (200, staff_id)


async def test_wrong_password_unknown_user_and_disabled_account_get_the_same_answer(
    client: httpx.AsyncClient, world: World
) -> None:
    staff_id = await make_clerk(client, world)
    answers = [await enter(client, password="falsch-falsch"), await enter(client, "nobody")]
    disabled = await client.post(f"/v1/staff/{staff_id}/disable", headers=world.headers("admin"))
    assert disabled.status_code == 200
    answers.append(await enter(client))
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    documents = [answer.json() for answer in answers]
    for document in documents:
        assert document.pop("request_id")
        assert document["type"] == "/problems/unauthenticated"
    assert documents[0] == documents[1] == documents[2]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


async def test_hashing_for_an_unknown_user_costs_the_same_as_for_a_known_one(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_clerk(client, world)
    checked: list[str] = []
    verify = security.verify_password

    async def watching(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return await verify(password_hash, password)

    monkeypatch.setattr(security, "verify_password", watching)
    await enter(client, password="falsch-falsch")
    await enter(client, "nobody", "falsch-falsch")
    assert len(checked) == 2
    assert checked[1] == sign_in.ABSENT_HASH
    assert checked[0].split("$")[:4] == checked[1].split("$")[:4], "kind and parameters"
    assert not security.needs_rehash(sign_in.ABSENT_HASH)


@pytest.mark.parametrize(
    ("form", "content_type", "status"),
    [
        (
            b"username=a%00b&password=x%00y&grant_type=password",
            "application/x-www-form-urlencoded",
            401,
        ),
        (SURROGATES_IN_UTF_7, "multipart/form-data; boundary=b; charset=utf-7", 415),
    ],
    ids=["NUL", "lone surrogates"],
)
async def test_text_that_no_database_takes_signs_nobody_in(
    client: httpx.AsyncClient, form: bytes, content_type: str, status: int
) -> None:
    answer = await client.post(
        "/v1/auth/token", content=form, headers={"Content-Type": content_type}
    )
    assert answer.status_code == status


async def test_a_form_without_password_is_a_validation_problem(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/auth/token", data={"username": "li.wen"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/validation"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]


async def test_a_token_ends_when_it_is_idle_too_long(
    client: httpx.AsyncClient, world: World
) -> None:
    hands = FixedClock(clock.now())
    with clock.using(hands, everywhere=True):
        await make_clerk(client, world)
        token = bearer(await enter(client))
        for _ in range(3):
            hands.advance(timedelta(hours=11, minutes=59))
            assert (await client.get("/v1/me", headers=token)).status_code == 200
        hands.advance(timedelta(hours=12))
        assert (await client.get("/v1/me", headers=token)).status_code == 401


async def test_a_token_ends_after_a_week_however_busy_it_is(
    client: httpx.AsyncClient, world: World
) -> None:
    hands = FixedClock(clock.now())
    with clock.using(hands, everywhere=True):
        await make_clerk(client, world)
        token = bearer(await enter(client))
        for _ in range(16):
            hands.advance(timedelta(hours=10))
            assert (await client.get("/v1/me", headers=token)).status_code == 200
        hands.advance(timedelta(hours=8) - timedelta(seconds=1))
        assert (await client.get("/v1/me", headers=token)).status_code == 200
        hands.advance(timedelta(seconds=1))
        assert (await client.get("/v1/me", headers=token)).status_code == 401


async def test_a_token_is_worthless_after_signing_out(
    client: httpx.AsyncClient, world: World
) -> None:
    await make_clerk(client, world)
    token, other = bearer(await enter(client)), bearer(await enter(client))
    assert (await client.delete("/v1/auth/token", headers=token)).status_code == 204
    assert (await client.get("/v1/me", headers=token)).status_code == 401
    assert (await client.get("/v1/me", headers=other)).status_code == 200


async def test_a_token_is_refused_at_once_when_the_account_is_disabled_and_stays_so(
    client: httpx.AsyncClient, world: World
) -> None:
    staff_id = await make_clerk(client, world)
    token = bearer(await enter(client))
    await client.post(f"/v1/staff/{staff_id}/disable", headers=world.headers("admin"))
    assert (await client.get("/v1/me", headers=token)).status_code == 401
    await client.post(f"/v1/staff/{staff_id}/enable", headers=world.headers("admin"))
    assert (await client.get("/v1/me", headers=token)).status_code == 401
    assert (await enter(client)).status_code == 200


async def test_a_password_reset_revokes_every_token_and_the_old_password(
    client: httpx.AsyncClient, world: World
) -> None:
    staff_id = await make_clerk(client, world)
    tokens = [bearer(await enter(client)) for _ in range(2)]
    answer = await client.post(
        f"/v1/staff/{staff_id}/password-reset",
        json={"password": "vier-Reiher-am-Teich"},
        headers=world.headers("admin"),
    )
    assert (answer.status_code, answer.json()) == (200, {"generated_password": None})
    assert [(await client.get("/v1/me", headers=token)).status_code for token in tokens] == [
        401, 401,
    ]  # fmt: skip
    assert (await enter(client)).status_code == 401
    assert (await enter(client, password="vier-Reiher-am-Teich")).status_code == 200


async def test_only_the_hash_of_a_token_and_of_a_password_is_stored(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    staff_id = await make_clerk(client, world)
    token = (await enter(client)).json()["access_token"]
    async with database.transaction() as session:
        stored = (
            await session.execute(select(AccessToken).where(col(AccessToken.staff_id) == staff_id))
        ).scalar_one()
        assert stored.token_hash == security.hash_secret(token)
        for table in ("access_token", "staff", "audit_entry", "idempotency_key"):
            rows = (await session.execute(text(f"SELECT t::text FROM {table} AS t"))).scalars()
            everything = "\n".join(rows)
            assert everything
            assert token not in everything
            assert PASSWORD not in everything


async def test_too_many_attempts_are_refused_and_say_when_to_come_back(
    database: Database, world: World
) -> None:
    settings = Settings(_env_file=None, sign_in_attempts=3, sign_in_window_seconds=300)
    hands = FixedClock(MORNING)
    async with client_of(database, settings) as client:
        await make_clerk(client, world)
        with clock.using(hands, everywhere=True):
            for _ in range(3):
                hands.advance(timedelta(seconds=10))
                assert (await enter(client, password="falsch-falsch")).status_code == 401
            refused = await enter(client)
            assert refused.status_code == 429, "even with the right password"
            assert refused.json()["type"] == "/problems/rate-limited"
            assert refused.headers["retry-after"] == "281"
            assert (await enter(client, "somebody.else")).status_code == 401
            hands.advance(timedelta(seconds=281))
            assert (await enter(client)).status_code == 200


async def test_failed_attempts_count_although_nothing_else_of_them_remains(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await make_clerk(client, world)
    for _ in range(2):
        assert (await enter(client, password="falsch-falsch")).status_code == 401
    async with database.transaction() as session:
        counts = sorted(await session.scalars(select(col(SignInThrottle.attempts))))
        tokens = await session.scalar(
            text("SELECT count(*) FROM access_token t JOIN staff s ON s.id = t.staff_id"
                 " WHERE s.username = 'li.wen'")
        )  # fmt: skip
    assert counts == [2, 2, 2], "for the name, the address, and the name from the address"
    assert tokens == 0


async def test_signing_in_rightly_starts_the_count_of_name_and_address_afresh(
    database: Database, world: World
) -> None:
    settings = Settings(_env_file=None, sign_in_attempts=2)
    async with client_of(database, settings) as client:
        await make_clerk(client, world)
        codes = [
            (await enter(client, password=password)).status_code
            for password in ("falsch-falsch", PASSWORD, "falsch-falsch", "falsch-falsch", PASSWORD)
        ]
    assert codes == [401, 200, 401, 401, 429]


async def test_signing_in_rightly_counts_neither_for_the_name_nor_for_the_address(
    database: Database, world: World
) -> None:
    settings = Settings(
        _env_file=None,
        sign_in_attempts=1,
        sign_in_attempts_per_name=2,
        sign_in_attempts_per_address=2,
    )
    async with client_of(database, settings) as client:
        await make_clerk(client, world)
        assert (await enter(client, password="falsch-falsch")).status_code == 401
        async with database.transaction() as session:
            # Of name and address together there is no count any more; the other two stand at one.
            await session.execute(
                text("DELETE FROM sign_in_throttle WHERE key = :key"),
                {"key": security.hash_secret("pair:127.0.0.1 li.wen")},
            )
        assert [(await enter(client)).status_code for _ in range(4)] == [200] * 4
    async with database.transaction() as session:
        counts = list(await session.scalars(select(col(SignInThrottle.attempts))))
    assert counts == [1, 1], "the failure, once for the name and once for the address"


async def test_a_stranger_does_not_lock_somebody_out_from_elsewhere(
    database: Database, world: World
) -> None:
    settings = Settings(_env_file=None, sign_in_attempts=2, sign_in_attempts_per_name=4)
    async with (
        client_from(database, settings, "203.0.113.7") as stranger,
        client_from(database, settings, "198.51.100.2") as home,
    ):
        await make_clerk(home, world)
        codes = [(await enter(stranger, password="falsch-falsch")).status_code for _ in range(9)]
        assert codes == [401, 401, *[429] * 7]
        assert (await enter(home)).status_code == 200


async def test_a_name_is_not_tried_from_one_address_after_the_other(
    database: Database, world: World
) -> None:
    settings = Settings(_env_file=None, sign_in_attempts=2, sign_in_attempts_per_name=3)
    codes = []
    for number in range(5):
        async with client_from(database, settings, f"203.0.113.{number}") as client:
            if number == 0:
                await make_clerk(client, world)
            codes.append((await enter(client, password="falsch-falsch")).status_code)
    assert codes == [401, 401, 401, 429, 429]


async def test_of_many_attempts_at_once_no_more_than_the_limit_get_to_the_password(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = 0

    async def wrong(_password_hash: str, _password: str) -> bool:
        nonlocal checked
        checked += 1
        await asyncio.sleep(0.2)
        return False

    monkeypatch.setattr(security, "verify_password", wrong)
    few = settings.model_copy(update={"sign_in_attempts": 3})
    async with client_of(fresh_database, few) as client:
        answers = await asyncio.gather(*(enter(client) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 5
    assert checked == 3


async def test_one_address_can_not_try_one_name_after_the_other(
    database: Database, world: World
) -> None:
    settings = Settings(_env_file=None, sign_in_attempts_per_address=2)
    async with client_of(database, settings) as client:
        codes = [(await enter(client, f"name{number}")).status_code for number in range(3)]
    assert codes == [401, 401, 429]


async def test_no_token_is_issued_beside_a_password_reset(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        staff_id = await make_clerk(client, world)
        async with fresh_database.transaction() as session:
            await session.execute(
                text("UPDATE staff SET password_hash = 'another' WHERE id = :id"), {"id": staff_id}
            )
            entering = asyncio.create_task(enter(client))
            async with asyncio.timeout(10):
                while not await _somebody_waits(fresh_database):
                    await asyncio.sleep(0.02)
        assert (await entering).status_code == 401


async def _somebody_waits(database: Database) -> bool:
    async with database.transaction() as session:
        return bool(
            await session.scalar(
                text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                     " AND datname = current_database()")
            )
        )  # fmt: skip


async def test_reading_goes_on_while_the_database_takes_no_changes(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    read_only = Database(fresh_database.url, settings)

    @event.listens_for(read_only.engine.sync_engine, "connect")
    def _take_no_changes(connection: Any, _record: Any) -> None:
        connection.cursor().execute("SET default_transaction_read_only = on")

    hands = FixedClock(clock.now() + timedelta(minutes=5))
    async with client_of(read_only, settings) as client:
        with clock.using(hands, everywhere=True):
            read = await client.get("/v1/me", headers=world.headers("clerk"))
            change = await client.post(
                "/v1/products",
                json={"sku": "A", "title": "a", "category": "b"},
                headers=world.headers("manager"),
            )
    await read_only.close()
    assert read.status_code == 200
    assert change.status_code == 503
    assert change.json()["type"] == "/problems/database-read-only"


async def test_an_api_key_that_is_mistyped_revoked_or_of_a_disabled_client_is_refused(
    client: httpx.AsyncClient, world: World
) -> None:
    async def status(key: str) -> int:
        return (await client.get("/v1/customers", headers={"X-API-Key": key})).status_code

    swapped = world.api_key[:-1] + ("0" if world.api_key[-1] != "0" else "1")
    assert await status(world.api_key) == 200
    assert await status(swapped) == 401
    assert await status(security.new_api_key()) == 401
    assert await status("") == 401
    assert await status(world.api_key.upper()) == 401
    listed = (await client.get("/v1/api-clients", headers=world.headers("admin"))).json()
    machine = listed["items"][0]
    path = f"/v1/api-clients/{machine['id']}"
    await client.post(f"{path}/disable", headers=world.headers("admin"))
    assert await status(world.api_key) == 401
    await client.post(f"{path}/enable", headers=world.headers("admin"))
    assert await status(world.api_key) == 200
    await client.delete(f"{path}/keys/{machine['keys'][0]['id']}", headers=world.headers("admin"))
    assert await status(world.api_key) == 401


async def test_an_api_key_with_bytes_that_no_key_has_is_refused_like_any_other(
    client: httpx.AsyncClient,
) -> None:
    for key in (b"hkk_" + b"a" * 64 + b"\xe9" * 8, b"hkk_" + b"\xff" * 72, b"hkk_\xe9"):
        answer = await client.get("/v1/customers", headers={b"X-API-Key": key})
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/unauthenticated"
