"""What was tried out is published as it stands: at once or on its day, by a person, for good."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.models import AuditEntry, OutboxEvent
from app.services import (
    tier_policy_publishing,
)
from tests.support.populations import Person, move_in, spender
from tests.support.tier_policies import (
    PATH,
    SHARES,
    as_seen,
    draft,
    night,
    publish,
    read,
    simulate,
    versions,
)
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
PEOPLE = [("1200.00", "main"), ("600.00", "ordinary"), ("450.00", "ordinary"), ("90.00", "small"),
          ("20.00", "main")]  # fmt: skip


@pytest.fixture(autouse=True)
def now() -> Iterator[clock.FixedClock]:
    """A clock that tests move."""
    standing = clock.FixedClock(NOW)
    with clock.using(standing, everywhere=True):
        yield standing


async def five(database: Database) -> list[Person]:
    """Let five people move in."""
    people = [spender(TODAY, net, level=level) for net, level in PEOPLE]
    await move_in(database, people)
    return people


async def test_publishing_asks_for_a_simulation_of_the_very_same_draft(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await five(database)
    policy = await draft(client, world)
    await simulate(client, world, policy)
    changed = await client.patch(
        f"{PATH}/{policy['id']}", headers=as_seen(world, policy), json={"window_days": 180}
    )
    assert not changed.json()["calibration"]["is_current"]
    refused = await publish(client, world, policy)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/simulation-required")
    await simulate(client, world, policy)
    # Back to what was tried out first, whose calibration is gone.
    back = await client.patch(
        f"{PATH}/{policy['id']}", headers=as_seen(world, changed.json()), json={"window_days": 365}
    )
    assert (await publish(client, world, policy)).status_code == 409
    assert (await read(client, world, policy)) == back.json()
    await simulate(client, world, policy)
    # A name is not what was tried out.
    await client.patch(
        f"{PATH}/{policy['id']}", headers=as_seen(world, back.json()), json={"name": "Another"}
    )
    assert (await publish(client, world, policy)).status_code == 200


async def test_a_published_draft_is_in_force_and_the_old_one_is_not(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await five(database)
    policy = await draft(client, world)
    await simulate(client, world, policy)
    answer = await publish(client, world, policy, note="By the board.")
    published = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    assert {name: published[name] for name in (
        "status", "note", "effective_on", "approved_by_id", "revision", "retired_at",
    )} == {
        "status": "active", "note": "By the board.", "effective_on": "2026-11-21",
        "approved_by_id": str(world.staff["manager"]), "revision": 2, "retired_at": None,
    }  # fmt: skip
    old = (await versions(client, world))[1]
    assert (old["status"], old["retired_at"]) == ("retired", published["activated_at"])
    async with database.transaction() as session:
        events = (await session.scalars(
            select(OutboxEvent).where(col(OutboxEvent.type) == "tier_policy.activated")
        )).all()  # fmt: skip
        assert [(str(one.subject_id), one.payload) for one in events] == [
            (policy["id"], {"scope": "individual", "version": 2, "retired_policy_id": old["id"]})
        ]
        told = await session.execute(
            select(AuditEntry.object_id, AuditEntry.action)  # type: ignore[call-overload]
            .where(col(AuditEntry.action).in_(["published", "retired"]))
            .order_by(col(AuditEntry.id))
        )
        assert [(str(one), str(action)) for one, action in told] == [
            (old["id"], "retired"), (policy["id"], "published"),
        ]  # fmt: skip
    new = await client.post(
        "/v1/customers", headers=world.headers(), json={"kind": "individual", "name": "新客"}
    )
    tier = await client.get(
        f"/v1/customers/{new.json()['id']}/tier-history", headers=world.headers()
    )
    assert tier.json()["items"][0]["policy_version"] == 2


async def test_a_later_day_is_waited_for(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    now: clock.FixedClock,
) -> None:  # fmt: skip
    await five(database)
    policy = await draft(client, world)
    await simulate(client, world, policy)
    scheduled = (await publish(client, world, policy, effective_on="2026-11-23")).json()
    assert (scheduled["status"], scheduled["effective_on"], scheduled["activated_at"]) == (
        "scheduled", "2026-11-23", None,
    )  # fmt: skip
    for refused in (
        await client.patch(
            f"{PATH}/{policy['id']}", headers=as_seen(world, scheduled), json={"name": "Mine"}
        ),
        await client.delete(f"{PATH}/{policy['id']}", headers=as_seen(world, scheduled)),
        await publish(client, world, policy),
    ):
        assert refused.status_code == 409
    other = await draft(client, world)
    await simulate(client, world, other)
    waits = await publish(client, world, other, effective_on="2026-11-24")
    assert (waits.status_code, waits.json()["policy_id"]) == (409, policy["id"])
    # A night for a later day does not bring it forward, nor does one before its day.
    for day in (date(2026, 11, 22), date(2026, 12, 24)):
        async with database.transaction() as session:
            counts = await tier_policy_publishing.activate_due(session, settings, day)
        assert counts == {"activated": 0}
    assert await read(client, world, policy) == scheduled
    now.advance(timedelta(days=2))
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(
            "UPDATE access_token SET last_used_at = $1, expires_at = $2",
            clock.now(),
            clock.now() + timedelta(days=1),
        )
    await night(database, settings, date(2026, 11, 23))
    found = await versions(client, world)
    assert [(one["version"], one["status"]) for one in found if one["scope"] == "individual"] == [
        (3, "draft"), (2, "active"), (1, "retired"),
    ]  # fmt: skip
    assert found[2]["retired_at"] == found[1]["activated_at"]
    await night(database, settings, date(2026, 11, 23))
    assert await versions(client, world) == found


async def test_what_waits_can_be_retracted(client: httpx.AsyncClient, world: World) -> None:
    policy = await draft(client, world)
    await simulate(client, world, policy)
    scheduled = (await publish(client, world, policy, effective_on="2026-12-01")).json()
    answer = await client.post(f"{PATH}/{policy['id']}/retract", headers=as_seen(world, scheduled))
    retracted = answer.json()
    assert (answer.status_code, retracted["status"], retracted["effective_on"]) == (
        200, "draft", None,
    )  # fmt: skip
    assert (retracted["approved_by_id"], retracted["approved_at"], retracted["revision"]) == (
        None, None, 3,
    )  # fmt: skip
    assert (await publish(client, world, policy)).json()["status"] == "active"


@pytest.mark.parametrize(("day", "code"), [("2026-11-20", "in-the-past"), ("2027-11-23", "range")])
async def test_a_day_that_cannot_be_meant_is_refused(
    client: httpx.AsyncClient, world: World, day: str, code: str
) -> None:
    policy = await draft(client, world)
    await simulate(client, world, policy)
    refused = await publish(client, world, policy, effective_on=day)
    assert refused.status_code == 422
    assert [error["code"] for error in refused.json()["errors"]] == [code]
    assert (await read(client, world, policy))["status"] == "draft"


async def test_the_calibration_of_the_simulation_is_the_one_that_stays(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await move_in(database, [spender(TODAY, f"{amount}.00") for amount in range(1, 11)])
    policy = await draft(client, world, **SHARES)
    assert [level["at_least"] for level in policy["levels"]] == [None, None]
    await simulate(client, world, policy)
    tried = await read(client, world, policy)
    assert [level["at_least"] for level in tried["levels"]] == ["9.00", "0"]
    assert (tried["calibration"]["customers"], tried["calibration"]["as_of"]) == (10, "2026-11-21")
    assert (await publish(client, world, policy)).status_code == 200
    await move_in(database, [spender(TODAY, "5000.00") for _ in range(10)])
    published = await read(client, world, policy)
    assert published["calibration"] == tried["calibration"]
    # Nobody moves because others moved: nor can it be tried out once more.
    refused = await client.post(f"{PATH}/{policy['id']}/simulate", headers=world.headers())
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/invalid-transition")
    assert await read(client, world, policy) == published


async def test_a_draft_is_thrown_away_with_its_simulations(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    policy = await draft(client, world)
    await simulate(client, world, policy)
    gone = await client.delete(f"{PATH}/{policy['id']}", headers=as_seen(world, policy))
    assert gone.status_code == 204
    async with database.transaction() as session:
        connection = await raw_connection(session)
        for table in ("report", "tier_calibration"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_program_does_not_approve(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    policy = await draft(client, world)
    await simulate(client, world, policy)
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(
            "UPDATE api_client SET scopes = '{tier_policies:write,tiers:read}'"
        )
    refused = await client.post(
        f"{PATH}/{policy['id']}/publish",
        headers={"X-API-Key": world.api_key, "If-Match": '"v1"'},
        json={},
    )
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert (await read(client, world, policy))["status"] == "draft"
