"""Merging cards: the plan, its execution, its end."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.merges import (
    Merge,
    MergeDetail,
    MergeDone,
    MergeExecute,
    MergePlan,
    MergeRequest,
)
from app.services import merge_undo, merges
from app.vocabulary import MergeStatus, Permission
from app.web.answers import (
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import MergeId
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1", tags=["merges"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Merger = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_MERGE))]


@router.post(
    "/merges/plan",
    summary="Plan a merge",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found"),
)
async def plan_merge(
    body: MergeRequest, actor: Merger, session: SessionDep, settings: SettingsDep
) -> MergePlan:
    """Tell what merging these cards would do, and what stands in the way; nothing is changed.

    Look at `conflicts`, choose in `choices` where another value shall stand, and plan again. The
    `fingerprint` is of everything that the plan looked at.
    """
    return await merges.preview_merge(session, actor, settings, body)


@router.post(
    "/merges",
    status_code=201,
    summary="Merge cards",
    responses=problems(*ON_CREATING, "not-found", "merge-plan-stale", "conflict"),
    dependencies=[Idempotent],
)
async def create_merge(
    body: MergeExecute,
    actor: Merger,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> MergeDone:
    """Carry out a plan: everything of the losers moves to the surviving card, in one transaction.

    Their ids go on leading to it, in reads, at tills, by their identities.
    """
    done = await merges.execute_merge(session, actor, settings, body)
    set_created(response, f"/v1/merges/{done.id}")
    return done


@router.get("/merges", summary="List merges", responses=problems(*ON_LISTING))
async def list_merges(
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    status: Annotated[
        MergeStatus | None, Query(description="Those that stand, or were undone.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Merge]:
    """List merges, newest first."""
    listing = {"list": "merges", "status": status}
    page, position = await merges.list_merges(
        session, status=status, after=_after(position_after(settings, listing, cursor)), limit=limit
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get("/merges/{merge_id:uuid}", summary="Read a merge", responses=problems(*ON_READING))
async def get_merge(merge_id: MergeId, _actor: Reader, session: SessionDep) -> MergeDetail:
    """Return a merge with its plan, and whether it can be undone."""
    return await merges.get_merge(session, merge_id)


@router.post(
    "/merges/{merge_id:uuid}/undo",
    summary="Undo a merge",
    responses=problems(
        *SIGNED_IN, "not-found", "conflict", "validation", "internal-error", "unavailable",
    ),
)  # fmt: skip
async def undo_merge(
    merge_id: MergeId, actor: Merger, session: SessionDep, settings: SettingsDep
) -> MergeDone:
    """Give the cards back as they were; what came since goes where the plan's `on_undo` says.

    Merges into one card are undone in reverse: a later one that stands is named in the refusal.
    Safe to repeat: what was undone is refused, with `undone_already`.
    """
    return await merge_undo.undo_merge(session, actor, settings, merge_id)


@router.get(
    "/customers/{customer_id:uuid}/merges",
    summary="List the merges of a card",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_customer_merges(
    customer_id: ReadCustomerId,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Merge]:
    """List merges into a card, and into cards that were merged into it, newest first."""
    listing = {"list": "customer-merges", "customer": customer_id}
    page, position = await merges.list_merges(
        session,
        customer_id=customer_id,
        after=_after(position_after(settings, listing, cursor)),
        limit=limit,
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


def _after(position: list[str] | None) -> tuple[datetime, UUID] | None:
    return None if position is None else (datetime.fromisoformat(position[0]), UUID(position[1]))
