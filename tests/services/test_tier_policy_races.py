"""Tier policies side by side: numbers are given once, one is in force, what is published stays."""

import asyncio
from collections.abc import Awaitable
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.errors import ConflictError, HuikeError, PreconditionFailedError
from app.jobs.reports import make_report
from app.models import Report, TierCalibration, TierPolicy
from app.rules.access import ROLE_PERMISSIONS, Actor
from app.schemas.tier_policies import TierPolicyChange, TierPolicyCreate, TierPolicyPublish
from app.services import tier_policies, tier_policy_publishing, tier_simulations
from app.vocabulary import ActorKind, CustomerKind, PolicyPreset, PolicyStatus, ReportStatus, Role
from tests.support.populations import move_in, spender
from tests.support.world import build_world

INDIVIDUAL = CustomerKind.INDIVIDUAL


@pytest.fixture
async def manager(fresh_database: Database) -> Actor:
    """The manager of the small chain."""
    world = await build_world(fresh_database)
    return Actor(ActorKind.STAFF, world.staff["manager"], "Manager", ROLE_PERMISSIONS[Role.MANAGER])


async def drafted(
    database: Database,
    settings: Settings,
    actor: Actor,
    preset: PolicyPreset = PolicyPreset.BOOKSHOP,
) -> UUID:
    """Write a draft; return its id."""
    body = TierPolicyCreate(scope=INDIVIDUAL, name="A draft", preset=preset)
    async with database.transaction() as session:
        policy, _ = await tier_policies.create_draft(session, settings, actor, body)
        return policy.id


async def simulated(
    database: Database, settings: Settings, actor: Actor, policy_id: UUID, *, later: bool = False
) -> UUID:
    """Simulate a draft, or leave it to a worker; return the report's id."""
    async with database.transaction() as session:
        asked = await tier_simulations.simulate(
            session, settings, actor, policy_id, in_background=later
        )
        assert asked.report is not None
        return asked.report.id


async def publish(database: Database, settings: Settings, actor: Actor, policy_id: UUID) -> None:
    """Publish a draft that nobody has changed."""
    async with database.transaction() as session:
        await tier_policy_publishing.publish(
            session, settings, actor, policy_id, 1, TierPolicyPublish()
        )


async def ended(*doing: Awaitable[object]) -> list[type[HuikeError] | None]:
    """Do all of this at once; return how each ended."""
    ends = await asyncio.gather(*doing, return_exceptions=True)
    unexpected = [end for end in ends if isinstance(end, BaseException)
                  and not isinstance(end, HuikeError)]  # fmt: skip
    assert unexpected == []
    return [type(end) if isinstance(end, HuikeError) else None for end in ends]


async def statuses(database: Database) -> dict[int, PolicyStatus]:
    """Return the status of each version for individuals."""
    async with database.transaction() as session:
        rows = await session.scalars(select(TierPolicy).where(col(TierPolicy.scope) == INDIVIDUAL))
        return {row.version: row.status for row in rows}


async def test_drafts_that_are_written_at_once_have_numbers_of_their_own(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    await asyncio.gather(*(drafted(fresh_database, settings, manager) for _ in range(5)))
    assert sorted(await statuses(fresh_database)) == [1, 2, 3, 4, 5, 6]


async def test_of_two_that_are_published_at_once_one_is_in_force(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    drafts = [await drafted(fresh_database, settings, manager) for _ in range(2)]
    for one in drafts:
        await simulated(fresh_database, settings, manager, one)
    ends = await ended(*(publish(fresh_database, settings, manager, one) for one in drafts))
    assert ends == [None, None]
    found = await statuses(fresh_database)
    assert sorted(found.values()) == ["active", "retired", "retired"]
    assert found[1] == PolicyStatus.RETIRED


async def test_a_draft_that_is_published_twice_at_once_is_published_once(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    one = await drafted(fresh_database, settings, manager)
    await simulated(fresh_database, settings, manager, one)
    ends = await ended(*(publish(fresh_database, settings, manager, one) for _ in range(3)))
    assert sorted(ends, key=str) == [PreconditionFailedError, PreconditionFailedError, None]
    assert await statuses(fresh_database) == {1: "retired", 2: "active"}


async def test_a_draft_that_is_changed_while_it_is_published_is_one_or_the_other(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    one = await drafted(fresh_database, settings, manager)
    await simulated(fresh_database, settings, manager, one)

    async def change() -> None:
        async with fresh_database.transaction() as session:
            await tier_policies.change_draft(
                session, manager, one, 1, TierPolicyChange(window_days=180)
            )

    ends = await ended(publish(fresh_database, settings, manager, one), change())
    assert sorted(ends, key=str) == [PreconditionFailedError, None]
    async with fresh_database.transaction() as session:
        policy = await session.get_one(TierPolicy, one)
        is_published = policy.status is PolicyStatus.ACTIVE
        assert policy.body["window_days"] == (365 if is_published else 180)


async def _report(database: Database, report_id: UUID) -> Report:
    async with database.transaction() as session:
        return await session.get_one(Report, report_id)


async def test_a_simulation_by_a_worker_is_as_good_as_one_at_once(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    today = clock.today(settings.zone)
    await move_in(fresh_database, [spender(today, f"{amount}.00") for amount in range(1, 11)])
    one = await drafted(fresh_database, settings, manager, PolicyPreset.TOP_FIFTH_OF_CUSTOMERS)
    report_id = await simulated(fresh_database, settings, manager, one, later=True)
    assert await ended(publish(fresh_database, settings, manager, one)) == [ConflictError]
    await make_report(fresh_database, settings, report_id, is_last_try=True)
    report = await _report(fresh_database, report_id)
    assert (report.status, report.progress) == (ReportStatus.DONE, 100)
    again = await _report(fresh_database, await simulated(fresh_database, settings, manager, one))
    assert again.result == report.result
    assert await ended(publish(fresh_database, settings, manager, one)) == [None]


@pytest.mark.parametrize("meanwhile", ["published", "changed"])
async def test_a_late_simulation_does_not_touch_what_the_draft_has_become(
    fresh_database: Database, settings: Settings, manager: Actor, meanwhile: str
) -> None:
    today = clock.today(settings.zone)
    await move_in(fresh_database, [spender(today, f"{amount}.00") for amount in range(1, 11)])
    one = await drafted(fresh_database, settings, manager, PolicyPreset.TOP_FIFTH_OF_CUSTOMERS)
    await simulated(fresh_database, settings, manager, one)
    late = await simulated(fresh_database, settings, manager, one, later=True)
    if meanwhile == "published":
        await publish(fresh_database, settings, manager, one)
    else:
        async with fresh_database.transaction() as session:
            await tier_policies.change_draft(
                session, manager, one, 1, TierPolicyChange(window_days=180)
            )

    async def kept() -> TierCalibration:
        async with fresh_database.transaction() as session:
            return await session.get_one(TierCalibration, one)

    before = (await kept()).model_dump()
    await move_in(fresh_database, [spender(today, "900.00") for _ in range(10)])
    await make_report(fresh_database, settings, late, is_last_try=True)
    report = await _report(fresh_database, late)
    assert report.status is ReportStatus.FAILED
    assert report.problem is not None
    assert report.problem["code"] == "conflict"
    assert (await kept()).model_dump() == before


async def test_nights_at_once_activate_once(
    fresh_database: Database, settings: Settings, manager: Actor
) -> None:
    one = await drafted(fresh_database, settings, manager)
    await simulated(fresh_database, settings, manager, one)
    async with fresh_database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            "UPDATE tier_policy SET status = 'scheduled', effective_on = current_date - 1"
            " WHERE id = $1",
            one,
        )

    async def night() -> int:
        async with fresh_database.transaction() as session:
            counts = await tier_policy_publishing.activate_due(
                session, settings, clock.today(settings.zone)
            )
        return counts["activated"]

    assert sorted(await asyncio.gather(*(night() for _ in range(4)))) == [0, 0, 0, 1]
    assert await statuses(fresh_database) == {1: "retired", 2: "active"}
