"""Contacts with a customer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.common import DAY_SCHEMA, Day
from app.schemas.interactions import (
    InteractionChangeRead,
    InteractionCreate,
    InteractionRead,
    InteractionUpdate,
)
from app.services import interaction_intake, interactions
from app.services.interactions import InteractionFilters
from app.vocabulary import Channel, Direction, InteractionOutcome, Permission
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId, InteractionId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["interactions"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.INTERACTIONS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.INTERACTIONS_WRITE))]

OF_CARD = "/{customer_id:uuid}/interactions"
ONE = f"{OF_CARD}/{{interaction_id:uuid}}"
NOT_IN_USE = ("card-merged", "card-erased")


def _filters(
    channel: Annotated[Channel | None, Query(description="By this way.")] = None,
    direction: Annotated[Direction | None, Query(description="Begun by this side.")] = None,
    outcome: Annotated[InteractionOutcome | None, Query(description="With this outcome.")] = None,
    occurred_from: Annotated[
        Day | None, DAY_SCHEMA, Query(description="The first day that counts.")
    ] = None,
    occurred_to: Annotated[
        Day | None, DAY_SCHEMA, Query(description="The last day that counts.")
    ] = None,
) -> InteractionFilters:
    return InteractionFilters(channel, direction, outcome, occurred_from, occurred_to)


@router.post(
    OF_CARD,
    status_code=201,
    summary="Record an interaction",
    responses=problems(*ON_CREATING, "not-found", *NOT_IN_USE),
    dependencies=[Idempotent],
)
async def create_interaction(
    customer_id: CustomerId,
    body: InteractionCreate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> InteractionRead:
    """Record a contact with a customer; any shop's staff may, with any card."""
    recorded = await interaction_intake.record_interaction(
        session, actor, settings, customer_id, body
    )
    found = await interactions.get_interaction(session, customer_id, recorded.id)
    set_created(response, f"/v1/customers/{customer_id}/interactions/{found.id}", found.version)
    return InteractionRead.model_validate(found)


@router.get(
    OF_CARD, summary="A customer's interactions", responses=problems(*ON_LISTING, "not-found")
)
async def list_interactions(
    customer_id: ReadCustomerId,
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    filters: Annotated[InteractionFilters, Depends(_filters)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[InteractionRead]:
    """Return contacts with a customer, newest first."""
    listing = {"list": "interactions", "customer": customer_id, "filters": repr(filters)}
    page, position = await interactions.list_interactions(
        session,
        settings,
        customer_id,
        filters,
        after=position_after(settings, listing, cursor),
        limit=limit,
    )
    return Page(
        items=[InteractionRead.model_validate(one) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(ONE, summary="Read an interaction", responses=problems(*ON_READING, "card-erased"))
async def get_interaction(
    customer_id: ReadCustomerId,
    interaction_id: InteractionId,
    _: Reader,
    session: SessionDep,
    response: Response,
) -> InteractionRead:
    """Return a contact; its ETag is needed to correct it."""
    found = await interactions.get_interaction(session, customer_id, interaction_id)
    set_etag(response, found.version)
    return InteractionRead.model_validate(found)


@router.patch(ONE, summary="Correct an interaction", responses=problems(*ON_CHANGING, *NOT_IN_USE))
async def update_interaction(
    customer_id: CustomerId,
    interaction_id: InteractionId,
    body: InteractionUpdate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> InteractionRead:
    """Change what is sent: who recorded it within the edit window, leaders at any time.

    Another channel or duration is priced anew, at the prices of this moment.
    """
    found = await interactions.update_interaction(
        session, actor, settings, customer_id, interaction_id, seen_version(if_match), body
    )
    set_etag(response, found.version)
    return InteractionRead.model_validate(found)


@router.post(
    f"{ONE}/next-step-done",
    summary="Say that the next step was done",
    responses=problems(*ON_CHANGING, *NOT_IN_USE, "invalid-transition"),
)
async def finish_next_step(
    customer_id: CustomerId,
    interaction_id: InteractionId,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
    if_match: IfMatch = None,
) -> InteractionRead:
    """Close the next step of a contact; it leaves the list of open steps."""
    found = await interactions.finish_next_step(
        session, actor, settings, customer_id, interaction_id, seen_version(if_match)
    )
    set_etag(response, found.version)
    return InteractionRead.model_validate(found)


@router.get(
    f"{ONE}/changes",
    summary="Read an interaction's history",
    responses=problems(*ON_LISTING, "not-found", "card-erased"),
)
async def list_interaction_changes(
    customer_id: ReadCustomerId,
    interaction_id: InteractionId,
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[InteractionChangeRead]:
    """Return who corrected what, from what to what, newest first."""
    listing = {"list": "interaction-changes", "interaction": interaction_id}
    page, position = await interactions.list_interaction_changes(
        session, customer_id, interaction_id, position_after(settings, listing, cursor), limit
    )
    return Page(
        items=[InteractionChangeRead.model_validate(one) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )
