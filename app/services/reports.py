"""Reports: made at once where that takes no time, by a worker where it does; kept for a while."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import orjson
from sqlalchemy import (
    ColumnElement,
    cast,
    delete,
    exists,
    func,
    literal,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import sqlstate_of
from app.core.errors import HuikeError, UnavailableError
from app.core.ids import new_id
from app.core.queue import enqueue
from app.models import Report, TierPolicy
from app.models.columns import JSON_COLUMN
from app.rules.access import Actor
from app.services.changes import not_found, page_of
from app.services.trail import announce
from app.vocabulary import DomainEvent, Permission, PolicyStatus, ReportKind, ReportStatus

JOB: Final = "report"
"""The name under which the making of a report is queued."""
AT_ONCE_SECONDS: Final = 1.5
"""How long a request tries to make a report itself; what remains of two seconds is for the rest."""
PATIENCE_SECONDS: Final = 60.0
"""How long who asks again is sent to a report that was begun, or waits for a worker."""
KEPT_DAYS: Final = 7
_OPEN: Final = (ReportStatus.QUEUED, ReportStatus.RUNNING)
_CANCELED: Final = "57014"

Progress = Callable[[int], Awaitable[None]]
"""Told, between two statements, how far a report is, in percent; may raise to end its making."""


class Maker(Protocol):
    """Makes a report: JSON by its answer's schema, from parameters that are JSON too.

    ``parameters`` has what :func:`ask` was given and ``store_ids``, the stores that who asked is
    bound to, or null. It is called again from the start when a worker was killed.
    """

    async def __call__(
        self,
        session: AsyncSession,
        settings: Settings,
        parameters: Mapping[str, Any],
        progress: Progress,
    ) -> dict[str, Any]:
        """Return the report."""
        ...


@dataclass(frozen=True, slots=True)
class ReportType:
    """How reports of a kind are made, and what permission it takes to see one.

    With ``is_kept`` there is a row of each, also of those that were made at once.
    """

    kind: ReportKind
    permission: Permission
    make: Maker
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking led to: the result, or the report that is to follow; both for what is kept."""

    result: dict[str, Any] | None
    report: Report | None


async def ask(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    wanted: ReportType,
    parameters: Mapping[str, Any],
    *,
    in_background: bool = False,
    policy_id: UUID | None = None,
    fingerprint: str | None = None,
) -> Asked:
    """Make a report at once, or leave it to a worker where that takes too long.

    ``parameters`` are JSON and say everything, the day included: a worker makes it later.
    ``in_background`` leaves it to a worker without a try. While the same is being made already,
    that report is the answer; where no worker has taken it up for a while, it is tried once more
    at once. ``policy_id`` and ``fingerprint`` say what a simulation is of.
    """
    question = {
        **parameters,
        "store_ids": None if actor.store_ids is None else sorted(map(str, actor.store_ids)),
    }
    report = Report(
        id=new_id(),
        kind=wanted.kind,
        status=ReportStatus.QUEUED,
        parameters=question,
        policy_id=policy_id,
        fingerprint=fingerprint,
        progress=0,
        requested_by_kind=actor.kind,
        requested_by_id=actor.id,
        created_at=clock.now(),
        expires_at=clock.now() + timedelta(days=KEPT_DAYS),
    )
    under_way = await _newest_alike(session, report, _OPEN)
    if under_way is not None and (in_background or _is_promising(under_way)):
        return Asked(None, under_way)
    if not in_background:
        result = await _made_at_once(session, settings, wanted, question)
        if result is not None:
            return Asked(result, await _kept(session, report, result) if wanted.is_kept else None)
    return Asked(None, await _queued(session, report))


def _is_promising(report: Report) -> bool:
    """Tell whether a worker may well be at it; without one, quick reports are answered too."""
    last_sign = report.started_at or report.created_at
    return last_sign > clock.now() - timedelta(seconds=PATIENCE_SECONDS)


async def _made_at_once(
    session: AsyncSession, settings: Settings, wanted: ReportType, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the report, or None where making it takes longer than a request should.

    Between statements the maker tells its progress, and the next one gets the time that is left.
    """
    ends = clock.monotonic_seconds() + AT_ONCE_SECONDS
    before = await session.scalar(select(func.current_setting("statement_timeout")))

    async def limit(_percent: int) -> None:
        left = ends - clock.monotonic_seconds()
        if left <= 0:
            raise _TooSlowError
        await _set_statement_timeout(session, f"{max(round(left * 1000), 1)}ms")

    try:
        async with session.begin_nested():
            await limit(0)
            result = await wanted.make(session, settings, question, limit)
    except _TooSlowError:
        return None
    except Exception as failure:
        if sqlstate_of(failure) == _CANCELED:
            return None
        raise
    await _set_statement_timeout(session, before)
    return result


class _TooSlowError(Exception):
    """The time that a request has for making a report is over."""


async def _set_statement_timeout(session: AsyncSession, value: str | None) -> None:
    await session.execute(select(func.set_config("statement_timeout", value, True)))


async def _kept(session: AsyncSession, report: Report, result: dict[str, Any]) -> Report:
    report.status = ReportStatus.DONE
    report.progress = 100
    report.result = result
    report.started_at = report.created_at
    report.finished_at = clock.now()
    session.add(report)
    await session.flush()
    return report


async def _queued(session: AsyncSession, report: Report) -> Report:
    """Queue the making of a report, unless the same one waits or is being made."""
    canonical = orjson.dumps([report.kind, report.parameters], option=orjson.OPT_SORT_KEYS)
    key = f"{JOB}:{hashlib.sha256(canonical).hexdigest()}"
    queued = await enqueue(session, JOB, {"report_id": str(report.id)}, dedupe_key=key)
    if queued is None:
        # Whoever asked at the same moment has committed by now: the queue waited for that.
        alike = await _newest_alike(session, report, tuple(ReportStatus))
        if alike is not None:
            return alike
        # Its row is gone, with the draft it was about; the job will find that and end.
        await enqueue(session, JOB, {"report_id": str(report.id)})
    session.add(report)
    await session.flush()
    return report


async def _newest_alike(
    session: AsyncSession, report: Report, statuses: Sequence[ReportStatus]
) -> Report | None:
    found: Report | None = await session.scalar(
        select(Report)
        .where(
            col(Report.kind) == report.kind,
            col(Report.parameters) == literal(report.parameters, JSON_COLUMN),
            col(Report.status).in_(statuses),
        )
        .order_by(col(Report.created_at).desc(), col(Report.id).desc())
        .limit(1)
    )
    return found


def _seen_by(actor: Actor, kinds: Collection[ReportKind]) -> list[ColumnElement[bool]]:
    """Return the conditions of reports that an actor may see.

    Whoever is bound to stores sees those about no other stores than theirs.
    """
    conditions: list[ColumnElement[bool]] = [col(Report.kind).in_(kinds)]
    if actor.store_ids is not None:
        own = cast(sorted(map(str, actor.store_ids)), JSON_COLUMN)
        conditions.append(col(Report.parameters)["store_ids"].contained_by(own))
    return conditions


async def get_report(
    session: AsyncSession, actor: Actor, kinds: Collection[ReportKind], report_id: UUID
) -> Report:
    """Return a report of one of the kinds that the actor may see, with its result.

    Raises:
        NotFoundError: there is none, or not for the actor.
    """
    found: Report | None = await session.scalar(
        select(Report).where(col(Report.id) == report_id, *_seen_by(actor, kinds))
    )
    if found is None:
        raise not_found()
    return found


async def list_reports(
    session: AsyncSession,
    actor: Actor,
    kinds: Collection[ReportKind],
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[Report], list[Any] | None]:
    """Return a page of reports without their results, newest first, and where the next starts."""
    position = (col(Report.created_at), col(Report.id))
    query = (
        select(Report).where(*_seen_by(actor, kinds)).options(defer(Report.result, raiseload=True))
    )
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = (
        await session.scalars(query.order_by(*(part.desc() for part in position)).limit(limit + 1))
    ).all()
    return page_of(found, limit, lambda one: [one.created_at, one.id])


async def find_simulation(
    session: AsyncSession, policy_id: UUID, fingerprint: str
) -> Report | None:
    """Return the newest simulation that was made of exactly this body of a policy."""
    found: Report | None = await session.scalar(
        select(Report)
        .where(
            col(Report.policy_id) == policy_id,
            col(Report.kind) == ReportKind.TIER_SIMULATION,
            col(Report.status) == ReportStatus.DONE,
            col(Report.fingerprint) == fingerprint,
        )
        .order_by(col(Report.created_at).desc(), col(Report.id).desc())
        .limit(1)
    )
    return found


async def forget_reports_of(session: AsyncSession, policy_id: UUID) -> None:
    """Delete the reports about a draft that is going to be deleted."""
    await session.execute(delete(Report).where(col(Report.policy_id) == policy_id))


def run_out(now: datetime) -> ColumnElement[bool]:
    """Return the condition of reports whose time is over.

    A simulation that was made stays as long as its policy is a draft: publishing asks for it.
    """
    draft = exists().where(
        col(TierPolicy.id) == col(Report.policy_id),
        col(TierPolicy.status) == PolicyStatus.DRAFT,
        col(Report.status) == ReportStatus.DONE,
    )
    return (col(Report.expires_at) <= now) & not_(draft)


async def begin(session: AsyncSession, report_id: UUID) -> Report | None:
    """Say that a report is being made, from the start; None where it has ended or is gone."""
    report: Report | None = await session.scalar(
        select(Report)
        .where(col(Report.id) == report_id, col(Report.status).in_(_OPEN))
        .with_for_update()
    )
    if report is not None:
        report.status = ReportStatus.RUNNING
        report.progress = 0
        report.started_at = clock.now()
        await session.flush()
    return report


async def note_progress(session: AsyncSession, report_id: UUID, percent: int) -> None:
    """Write how far a report is."""
    await session.execute(
        update(Report).where(col(Report.id) == report_id).values(progress=min(max(percent, 0), 99))
    )


async def finish(session: AsyncSession, report_id: UUID, result: dict[str, Any]) -> None:
    """Keep a report's result, and tell others that it is there."""
    await _end(session, report_id, status=ReportStatus.DONE, progress=100, result=result)


async def fail(session: AsyncSession, report_id: UUID, error: Exception) -> None:
    """Say in both languages why a report could not be made."""
    problem = {
        "code": "internal-error",
        "en": "It could not be made. It is our fault and was logged.",
        "zh": "未能生成。这是我们的问题，已记录。",
    }
    if isinstance(error, HuikeError):
        problem = {"code": error.code, "en": error.detail, "zh": error.detail_zh}
    await _end(session, report_id, status=ReportStatus.FAILED, problem=problem)


async def _end(
    session: AsyncSession, report_id: UUID, *, status: ReportStatus, **values: Any
) -> None:
    kind = await session.scalar(
        update(Report)
        .where(col(Report.id) == report_id, col(Report.status).in_(_OPEN))
        .values(status=status, finished_at=clock.now(), **values)
        .returning(col(Report.kind))
    )
    if kind is not None:
        await announce(
            session,
            DomainEvent.REPORT_FINISHED,
            report_id,
            payload={"kind": str(kind), "status": str(status)},
        )


def is_final(error: Exception) -> bool:
    """Tell whether trying again is of no use: the report is refused, not delayed."""
    return isinstance(error, HuikeError) and not isinstance(error, UnavailableError)
