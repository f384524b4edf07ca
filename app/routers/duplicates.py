"""Cards that look like one customer's: the work list, decisions, scans."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.queries.duplicate_list import PairFilters
from app.rules.access import Actor
from app.schemas.duplicates import (
    Duplicate,
    DuplicateComparison,
    DuplicateDecision,
    ScanQueued,
    ScanRequest,
)
from app.services import duplicate_decisions
from app.vocabulary import DuplicateState, Permission
from app.web.answers import ON_LISTING, ON_READING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import PairedCardId
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(tags=["duplicates"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Merger = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_MERGE))]
PAIR = "/v1/duplicates/{first_id:uuid}/{second_id:uuid}"


@router.get("/v1/duplicates", summary="List cards that look alike", responses=problems(*ON_LISTING))
async def list_duplicates(
    _actor: Merger,
    session: SessionDep,
    settings: SettingsDep,
    state: Annotated[
        DuplicateState, Query(description="Those to be looked at, or those decided on.")
    ] = DuplicateState.OPEN,
    min_score: Annotated[
        int | None, Query(ge=0, le=1000, description="From this score on, in thousandths.")
    ] = None,
    home_store_id: Annotated[
        UUID | None, Query(description="Pairs with a card of this shop.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Duplicate]:
    """List pairs of cards, the likeliest first; what is one customer's is merged by a plan.

    `POST /v1/merges/plan` with both ids shows what a merge would do.
    """
    filters = PairFilters(state=state, min_score=min_score, home_store_id=home_store_id)
    listing = {"list": "duplicates", **asdict(filters)}
    items, position = await duplicate_decisions.list_duplicates(
        session, filters, position_after(settings, listing, cursor), limit
    )
    return Page(items=items, next_cursor=next_cursor(settings, listing, position))


@router.get(PAIR, summary="Compare two cards side by side", responses=problems(*ON_READING))
async def get_duplicate(
    first_id: PairedCardId, second_id: PairedCardId, _actor: Merger, session: SessionDep
) -> DuplicateComparison:
    """Return both cards and why they look alike; the order of the ids is free.

    Any two cards can be compared; those that nothing has paired yet have no `found_at`.
    """
    return await duplicate_decisions.get_duplicate(session, first_id, second_id)


@router.post(
    f"{PAIR}/decision",
    summary="Decide whether two cards are one customer's",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found"),
)
async def decide_duplicate(
    first_id: PairedCardId,
    second_id: PairedCardId,
    body: DuplicateDecision,
    actor: Merger,
    session: SessionDep,
) -> Duplicate:
    """Write down what somebody found out; it can be decided anew, and said twice.

    Cards that are `different` refuse each other no more, and no scan brings them up again. Those
    that are the `same` are merged by `POST /v1/merges/plan` and `POST /v1/merges`.
    """
    return await duplicate_decisions.decide(session, actor, first_id, second_id, body)


@router.post(
    "/v1/duplicates/scan",
    status_code=202,
    summary="Look for cards that look alike",
    responses=problems(*SIGNED_IN, *ANY_REQUEST),
)
async def scan_duplicates(body: ScanRequest, _actor: Merger, session: SessionDep) -> ScanQueued:
    """Have a worker compare the cards that were changed since the last scan, or all of them.

    Every night does the same for changed cards.
    """
    is_queued = await duplicate_decisions.queue_scan(session, full=body.full)
    return ScanQueued(is_queued=is_queued, is_full=body.full)


@router.get(
    "/v1/customers/{customer_id:uuid}/duplicates",
    summary="List cards that look like this one",
    responses=problems(*ON_READING, "invalid-cursor"),
)
async def list_customer_duplicates(
    customer_id: ReadCustomerId,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    state: Annotated[
        DuplicateState | None, Query(description="Those to be looked at, or those decided on.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Duplicate]:
    """List the pairs that a card is in, the likeliest first, decided ones too."""
    listing = {"list": "customer-duplicates", "customer_id": customer_id, "state": state}
    items, position = await duplicate_decisions.list_card_duplicates(
        session, customer_id, state, position_after(settings, listing, cursor), limit
    )
    return Page(items=items, next_cursor=next_cursor(settings, listing, position))
