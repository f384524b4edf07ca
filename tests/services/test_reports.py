"""Reports: made at once or by a worker, once however often they are asked for, and forgotten."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import ConflictError, NotFoundError, UnavailableError
from app.core.ids import new_id
from app.jobs.reports import make_report
from app.models import OutboxEvent, Report, TierPolicy
from app.rules.access import Actor
from app.services import housekeeping, reports
from app.services.report_kinds import REPORTS
from app.services.reports import Asked, Progress, ReportType
from app.vocabulary import (
    ActorKind,
    CustomerKind,
    Permission,
    PolicyMethod,
    PolicyStatus,
    ReportKind,
    ReportStatus,
)

KIND = ReportKind.CONCENTRATION
STORE, OTHER_STORE = new_id(), new_id()
HEADQUARTERS = Actor(
    kind=ActorKind.STAFF, id=new_id(), name="Manager", permissions=frozenset(Permission)
)


def bound_to(*stores: UUID) -> Actor:
    """Return somebody who is bound to stores."""
    return Actor(
        kind=ActorKind.STAFF,
        id=new_id(),
        name="Store manager",
        permissions=frozenset({Permission.REPORTS_READ}),
        store_ids=frozenset(stores),
    )


class Making:
    """A maker that notes what it is given; it may take long, write something, and fail."""

    def __init__(self, *, seconds: float = 0, steps: int = 1, failures: tuple[Any, ...] = ()):
        self.seconds = seconds
        self.steps = steps
        self.failures = list(failures)
        self.given: list[Mapping[str, Any]] = []
        self.writes_audit = False

    async def __call__(
        self,
        session: AsyncSession,
        settings: Settings,
        parameters: Mapping[str, Any],
        progress: Progress,
    ) -> dict[str, Any]:
        self.given.append(parameters)
        if self.writes_audit:
            await session.execute(
                insert(OutboxEvent).values(
                    id=new_id(), type="import.finished", occurred_at=clock.now(),
                    subject_id=new_id(), payload={},
                )
            )  # fmt: skip
        for step in range(self.steps):
            await session.execute(select(func.pg_sleep(self.seconds / self.steps)))
            await progress(round(100 * (step + 1) / self.steps))
        if self.failures:
            raise self.failures.pop(0)
        return {"sum": "12.50"}


def of(making: Making, *, is_kept: bool = False) -> ReportType:
    """Return a type of report that is made so."""
    return ReportType(KIND, Permission.REPORTS_READ, making, is_kept)


async def ask(
    database: Database,
    settings: Settings,
    making: Making,
    actor: Actor = HEADQUARTERS,
    *,
    is_kept: bool = False,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> Asked:
    async with database.transaction() as session:
        return await reports.ask(
            session, settings, actor, of(making, is_kept=is_kept), parameters or {"day": 1}, **more
        )


async def make(
    database: Database, settings: Settings, report: Report, making: Making, **more: Any
) -> None:
    await make_report(
        database, settings, report.id, types={KIND: of(making)}, **{"is_last_try": False, **more}
    )


async def read(database: Database, report: Report) -> Report:
    async with database.transaction() as session:
        return (await session.scalars(select(Report).where(col(Report.id) == report.id))).one()


async def rows(database: Database) -> int:
    async with database.transaction() as session:
        return await session.scalar(select(func.count()).select_from(Report)) or 0


async def jobs(database: Database) -> list[str]:
    async with database.transaction() as session:
        found = await session.scalars(
            text("SELECT convert_from(payload, 'UTF8') FROM pgqueuer WHERE entrypoint = 'report'")
        )
        return list(found)


async def told(database: Database) -> list[tuple[UUID, Any]]:
    async with database.transaction() as session:
        found = await session.execute(
            select(col(OutboxEvent.subject_id), col(OutboxEvent.payload)).where(
                col(OutboxEvent.type) == "report.finished"
            )
        )
        return [(row.subject_id, row.payload) for row in found]


def test_every_kind_of_report_has_a_maker_and_says_who_may_see_it() -> None:
    assert set(REPORTS) == set(ReportKind)
    assert {kind: str(one.permission) for kind, one in REPORTS.items()} == {
        ReportKind.TIER_SIMULATION: "tier_policies:write",
        ReportKind.TIER_DISTRIBUTION: "reports:read",
        ReportKind.TIER_FLOWS: "reports:read",
        ReportKind.CONCENTRATION: "reports:read",
    }
    assert [one.kind for one in REPORTS.values() if one.is_kept] == [ReportKind.TIER_SIMULATION]


# --- Asking -----------------------------------------------------------------------------------


async def test_what_is_made_at_once_is_the_answer_and_leaves_nothing(
    database: Database, settings: Settings
) -> None:
    making = Making()

    asked = await ask(database, settings, making)

    assert (asked.result, asked.report) == ({"sum": "12.50"}, None)
    assert making.given == [{"day": 1, "store_ids": None}]
    assert (await rows(database), await jobs(database)) == (0, [])


async def test_what_is_kept_has_a_row_also_when_it_is_made_at_once(
    database: Database, settings: Settings
) -> None:
    asked = await ask(database, settings, Making(), is_kept=True, fingerprint="f" * 64)

    assert asked.report is not None
    kept = await read(database, asked.report)
    assert (kept.status, kept.progress, kept.result) == (ReportStatus.DONE, 100, asked.result)
    assert (kept.fingerprint, kept.requested_by_id) == ("f" * 64, HEADQUARTERS.id)
    assert await jobs(database) == []


@pytest.mark.parametrize("steps", [1, 20], ids=["in one statement", "in many short ones"])
async def test_what_takes_longer_than_a_request_should_is_left_to_a_worker(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(reports, "AT_ONCE_SECONDS", 0.1)
    making = Making(seconds=1, steps=steps)
    making.writes_audit = True

    asked = await ask(database, settings, making)

    assert asked.result is None
    assert asked.report is not None
    report = await read(database, asked.report)
    assert (report.status, report.progress, report.result) == (ReportStatus.QUEUED, 0, None)
    assert await jobs(database) == [f'{{"report_id":"{report.id}"}}']
    async with database.transaction() as session:
        # What the attempt wrote went with it, and its limit of time ended with it.
        written = await session.scalar(select(func.count()).select_from(OutboxEvent))
        assert written == 0
        assert await session.scalar(select(func.current_setting("statement_timeout"))) == "5s"


async def test_a_report_that_was_made_at_once_leaves_the_limit_of_time_as_it_was(
    database: Database, settings: Settings
) -> None:
    async with database.transaction() as session:
        await reports.ask(session, settings, HEADQUARTERS, of(Making(steps=3)), {})
        assert await session.scalar(select(func.current_setting("statement_timeout"))) == "5s"


async def test_other_failures_are_not_taken_for_slowness(
    database: Database, settings: Settings
) -> None:
    with pytest.raises(ConflictError):
        await ask(database, settings, Making(failures=(ConflictError("no"),)))
    assert (await rows(database), await jobs(database)) == (0, [])


async def test_the_same_question_is_made_once_while_it_waits_or_is_made(
    database: Database, settings: Settings
) -> None:
    making = Making()
    first = await ask(database, settings, making, in_background=True)
    again = await ask(database, settings, making, in_background=True)
    not_waiting = await ask(database, settings, making)
    other_day = await ask(database, settings, making, in_background=True, parameters={"day": 2})
    of_store = await ask(database, settings, making, bound_to(STORE), in_background=True)

    assert first.report is not None
    assert again.report is not None
    assert again.report.id == first.report.id
    # It is not tried in the request either: a worker is at it.
    assert not_waiting.result is None
    assert making.given == []
    assert not_waiting.report is not None
    assert not_waiting.report.id == first.report.id
    assert other_day.report is not None
    assert of_store.report is not None
    assert len({first.report.id, other_day.report.id, of_store.report.id}) == 3
    assert of_store.report.parameters == {"day": 1, "store_ids": [str(STORE)]}
    assert len(await jobs(database)) == 3


async def test_a_report_that_no_worker_takes_up_is_tried_at_once_again(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    with clock.using(FixedClock(start)):
        waiting = (await ask(database, settings, Making(), in_background=True)).report
    assert waiting is not None
    with clock.using(FixedClock(start + timedelta(seconds=61))):
        quick = await ask(database, settings, Making())
        preferring = await ask(database, settings, Making(), in_background=True)
        monkeypatch.setattr(reports, "AT_ONCE_SECONDS", -1)
        slow = await ask(database, settings, Making())

    assert quick.result == {"sum": "12.50"}
    assert preferring.report is not None
    assert slow.report is not None
    assert preferring.report.id == slow.report.id == waiting.id
    assert (await rows(database), len(await jobs(database))) == (1, 1)


async def test_many_who_ask_the_same_at_the_same_moment_get_one_report(
    fresh_database: Database, settings: Settings
) -> None:
    asked = await asyncio.gather(
        *(ask(fresh_database, settings, Making(), in_background=True) for _ in range(8))
    )

    assert len({one.report.id for one in asked if one.report is not None}) == 1
    assert (await rows(fresh_database), len(await jobs(fresh_database))) == (1, 1)


# --- Making -----------------------------------------------------------------------------------


async def queued(database: Database, settings: Settings, **more: Any) -> Report:
    report = (await ask(database, settings, Making(), in_background=True, **more)).report
    assert report is not None
    return report


async def test_a_worker_makes_the_report_and_tells_that_it_is_there(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    making = Making()

    await make(fresh_database, settings, report, making)
    await make(fresh_database, settings, report, making)

    done = await read(fresh_database, report)
    assert (done.status, done.progress, done.result) == (ReportStatus.DONE, 100, {"sum": "12.50"})
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.problem is None
    # The second run found it done.
    assert making.given == [{"day": 1, "store_ids": None}]
    assert await told(fresh_database) == [(report.id, {"kind": "concentration", "status": "done"})]


async def test_progress_is_seen_while_the_report_is_made(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    seen: list[tuple[ReportStatus, int]] = []

    async def looks(
        session: AsyncSession,
        settings: Settings,
        parameters: Mapping[str, Any],
        progress: Progress,
    ) -> dict[str, Any]:
        for percent in (30, 100):
            await progress(percent)
            now = await read(fresh_database, report)
            seen.append((now.status, now.progress))
        return {}

    await make_report(
        fresh_database, settings, report.id, is_last_try=False,
        types={KIND: ReportType(KIND, Permission.REPORTS_READ, looks)},
    )  # fmt: skip

    # A hundred is for what is done.
    assert seen == [(ReportStatus.RUNNING, 30), (ReportStatus.RUNNING, 99)]


async def test_a_report_whose_worker_was_killed_is_made_anew(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    slow = Making(seconds=30)
    slow.writes_audit = True
    killed = asyncio.create_task(make(fresh_database, settings, report, slow))
    while not slow.given:
        await asyncio.sleep(0.01)
    killed.cancel()
    await asyncio.wait({killed})
    half_way = await read(fresh_database, report)
    assert (half_way.status, half_way.result) == (ReportStatus.RUNNING, None)

    await make(fresh_database, settings, report, Making())

    assert (await read(fresh_database, report)).status is ReportStatus.DONE
    async with fresh_database.transaction() as session:
        types = list(await session.scalars(select(col(OutboxEvent.type))))
    assert [str(one) for one in types] == ["report.finished"]


async def test_two_workers_make_a_report_once(fresh_database: Database, settings: Settings) -> None:
    report = await queued(fresh_database, settings)
    making = Making(seconds=0.2)

    await asyncio.gather(*(make(fresh_database, settings, report, making) for _ in range(3)))

    assert len(making.given) == 1
    assert len(await told(fresh_database)) == 1


async def test_a_failure_is_left_to_the_queue_until_its_last_try(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    slow = UnavailableError("The database took too long.", detail_zh="数据库响应超时。")
    making = Making(failures=(LookupError("words of ours"), slow))

    with pytest.raises(LookupError):
        await make(fresh_database, settings, report, making)
    waiting = await read(fresh_database, report)
    assert (waiting.status, waiting.problem) == (ReportStatus.RUNNING, None)
    with pytest.raises(UnavailableError):
        await make(fresh_database, settings, report, making, is_last_try=True)

    failed = await read(fresh_database, report)
    assert (failed.status, failed.result) == (ReportStatus.FAILED, None)
    assert failed.problem == {
        "code": "unavailable",
        "en": "The database took too long.",
        "zh": "数据库响应超时。",
    }
    assert await told(fresh_database) == [
        (report.id, {"kind": "concentration", "status": "failed"})
    ]


async def test_an_unexpected_failure_says_nothing_of_its_own_words(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)

    with pytest.raises(LookupError):
        await make(
            fresh_database, settings, report, Making(failures=(LookupError("secret"),)),
            is_last_try=True,
        )  # fmt: skip

    failed = await read(fresh_database, report)
    assert failed.problem["code"] == "internal-error"
    assert failed.problem["zh"] == "未能生成。这是我们的问题，已记录。"
    assert "secret" not in str(failed.problem)


async def test_what_is_refused_is_not_tried_again(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    refusal = NotFoundError("The draft is gone.", detail_zh="草稿已删除。")

    await make(fresh_database, settings, report, Making(failures=(refusal,)))

    failed = await read(fresh_database, report)
    assert (failed.status, failed.problem["en"]) == (ReportStatus.FAILED, "The draft is gone.")


async def test_who_asks_again_after_a_failure_gets_a_new_report(
    fresh_database: Database, settings: Settings
) -> None:
    report = await queued(fresh_database, settings)
    await make(fresh_database, settings, report, Making(failures=(NotFoundError("gone"),)))
    async with fresh_database.transaction() as session:
        await session.execute(text("DELETE FROM pgqueuer"))

    again = await queued(fresh_database, settings)

    assert again.id != report.id
    assert again.status is ReportStatus.QUEUED


async def test_a_job_whose_report_is_gone_ends_quietly(
    fresh_database: Database, settings: Settings
) -> None:
    making = Making()

    await make_report(
        fresh_database, settings, new_id(), is_last_try=False, types={KIND: of(making)}
    )

    assert making.given == []


# --- Seeing -----------------------------------------------------------------------------------


async def test_who_is_bound_to_stores_sees_reports_about_their_stores_only(
    database: Database, settings: Settings
) -> None:
    made = {}
    for name, actor in (
        ("chain", HEADQUARTERS),
        ("one", bound_to(STORE)),
        ("other", bound_to(OTHER_STORE)),
        ("both", bound_to(STORE, OTHER_STORE)),
        ("none", bound_to()),
    ):
        report = (await ask(database, settings, Making(), actor, in_background=True)).report
        assert report is not None
        made[report.id] = name

    async def seen(actor: Actor, kinds: tuple[ReportKind, ...] = (KIND,)) -> set[str]:
        async with database.transaction() as session:
            page, _ = await reports.list_reports(session, actor, kinds, limit=50, after=None)
            found = set()
            for report_id in made:
                try:
                    found.add((await reports.get_report(session, actor, kinds, report_id)).id)
                except NotFoundError:
                    continue
        assert {one.id for one in page} == found
        return {made[report_id] for report_id in found}

    assert await seen(HEADQUARTERS) == {"chain", "one", "other", "both", "none"}
    assert await seen(bound_to(STORE)) == {"one", "none"}
    assert await seen(bound_to(STORE, OTHER_STORE)) == {"one", "other", "both", "none"}
    assert await seen(HEADQUARTERS, (ReportKind.TIER_FLOWS,)) == set()


async def test_the_list_is_paged_newest_first_without_the_results(
    database: Database, settings: Settings
) -> None:
    ids = []
    for day in range(5):
        with clock.using(FixedClock(datetime(2026, 11, 1 + day // 2, tzinfo=UTC))):
            asked = await ask(database, settings, Making(), is_kept=True, parameters={"day": day})
        assert asked.report is not None
        ids.append(asked.report.id)
    seen: list[UUID] = []
    after: list[Any] | None = None
    while True:
        async with database.transaction() as session:
            page, position = await reports.list_reports(
                session, HEADQUARTERS, (KIND,), limit=2, after=after
            )
        assert all("result" not in one.__dict__ for one in page)
        seen += [one.id for one in page]
        if position is None:
            break
        after = [position[0].isoformat(), str(position[1])]

    assert seen == sorted(ids, reverse=True)


# --- Forgetting -------------------------------------------------------------------------------


async def test_reports_are_forgotten_after_a_week_but_simulations_of_drafts(
    database: Database, settings: Settings
) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    async with database.transaction() as session:
        policies = {}
        for number, status in enumerate((PolicyStatus.DRAFT, PolicyStatus.RETIRED)):
            policies[status] = new_id()
            await session.execute(
                insert(TierPolicy).values(
                    id=policies[status], scope=CustomerKind.INDIVIDUAL, version=90 + number,
                    name="x", status=status, method=PolicyMethod.THRESHOLD, body={},
                    effective_on=date(2026, 11, 21), created_at=now, revision=1,
                )
            )  # fmt: skip
    kept = {}
    with clock.using(FixedClock(now)):
        for name, more in (
            ("plain", {}),
            ("of draft", {"policy_id": policies[PolicyStatus.DRAFT]}),
            ("of retired", {"policy_id": policies[PolicyStatus.RETIRED]}),
            ("queued of draft", {"policy_id": policies[PolicyStatus.DRAFT], "in_background": True}),
        ):
            asked = await ask(
                database, settings, Making(), is_kept=True, parameters={"name": name}, **more
            )
            assert asked.report is not None
            kept[asked.report.id] = name

    async def left(after: timedelta) -> set[str]:
        async with database.transaction() as session:
            await housekeeping.forget_expired(session, settings, now + after)
            return {kept[one] for one in await session.scalars(select(col(Report.id)))}

    assert len(await left(timedelta(days=7, microseconds=-1))) == 4
    assert await left(timedelta(days=7)) == {"of draft"}
    async with database.transaction() as session:
        await session.execute(
            update(TierPolicy)
            .where(col(TierPolicy.id) == policies[PolicyStatus.DRAFT])
            .values(status=PolicyStatus.RETIRED)
        )
    assert await left(timedelta(days=7)) == set()
