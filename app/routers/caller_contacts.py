"""Contacts that come without a card: of callers known by an identity or not at all, and in bulk."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.core.errors import FieldError, HuikeError, InvalidInputError
from app.locale.masking import mask_identity
from app.models import UnattachedInteraction
from app.rules.access import Actor
from app.schemas.common import DAY_SCHEMA, BilingualText, Day
from app.schemas.interactions import (
    AttachRequest,
    AwaitedIdentity,
    CallerContact,
    CallerContactCreate,
    EntryFieldProblem,
    EntryProblem,
    EntryResult,
    InteractionBatch,
    InteractionBatchResult,
    InteractionRead,
    KnownCaller,
    UnreadableEntry,
)
from app.services import interaction_intake, interactions, unattached_interactions
from app.services.interaction_recording import Recorded
from app.vocabulary import Permission
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
from app.web.findings import field_errors
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import AttachedInteractionId, UnattachedInteractionId
from app.web.preconditions import set_etag
from app.web.problems import PROBLEMS
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/interactions", tags=["interactions"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.INTERACTIONS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.INTERACTIONS_WRITE))]
OfStore = Annotated[UUID | None, Query(description="Of this shop.")]

ONE = "/{interaction_id:uuid}"


@router.post(
    "",
    status_code=201,
    summary="Record a contact with whoever called",
    responses=problems(*ON_CREATING),
    dependencies=[Idempotent],
)
async def create_caller_contact(
    body: CallerContactCreate,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> CallerContact:
    """Record a contact with the customer who has the identity, or keep it until there is one.

    A contact that is kept joins the card that gets its identity, or the one it is attached to.
    """
    recorded, awaited = await interaction_intake.record_caller_contact(
        session, actor, settings, body
    )
    if recorded.customer_id is None:
        set_created(response, f"{router.prefix}/{recorded.id}")
    else:
        path = f"/v1/customers/{recorded.customer_id}/interactions/{recorded.id}"
        set_created(response, path, 1)
    awaits = None if awaited is None else (str(awaited.kind), awaited.system, awaited.value)
    return _contact(recorded.row, recorded.id, awaits, recorded, actor)


@router.post(
    "/batch",
    summary="Record many contacts at once",
    responses=problems(*SIGNED_IN, *ANY_REQUEST),
)
async def record_interaction_batch(
    body: InteractionBatch, actor: Writer, session: SessionDep, settings: SettingsDep
) -> InteractionBatchResult:
    """Take up to 200 entries of a service desk; each is recorded or refused for itself.

    An entry's id belongs to the caller: sent again, with the same content, it is answered with its
    first result; with another content it is refused as a `conflict`.
    """
    entries = body.read()
    readable = [one for one in entries if not isinstance(one, UnreadableEntry)]
    outcomes = iter(await interaction_intake.record_batch(session, actor, settings, readable))
    return InteractionBatchResult(
        results=[
            _result(
                one.entry_id,
                _unreadable(one) if isinstance(one, UnreadableEntry) else next(outcomes),
            )
            for one in entries
        ]
    )


@router.get("/next-steps", summary="List open next steps", responses=problems(*ON_LISTING))
async def list_next_steps(
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    staff_id: Annotated[UUID | None, Query(description="Of this member of staff.")] = None,
    store_id: OfStore = None,
    until: Annotated[
        Day | None, DAY_SCHEMA, Query(description="Due by this day; the overdue ones too.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[InteractionRead]:
    """Return contacts whose next step is not done, by the day it is due."""
    listing = {"list": "next-steps", "staff": staff_id, "store": store_id, "until": until}
    page, position = await interactions.list_next_steps(
        session,
        staff_id=staff_id,
        store_id=store_id,
        until=until,
        after=position_after(settings, listing, cursor),
        limit=limit,
    )
    return Page(
        items=[InteractionRead.model_validate(one) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get("/unattached", summary="List contacts without a card", responses=problems(*ON_LISTING))
async def list_unattached_interactions(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    store_id: OfStore = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CallerContact]:
    """Return contacts with callers whose card is not known (yet), newest first."""
    listing = {"list": "unattached-interactions", "store": store_id}
    page, position = await unattached_interactions.list_unattached(
        session,
        store_id=store_id,
        after=position_after(settings, listing, cursor),
        limit=limit,
    )
    return Page(
        items=[_kept(one, actor) for one in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(ONE, summary="Read a contact by its id", responses=problems(*ON_READING, "card-erased"))
async def get_unattached_interaction(
    interaction_id: UnattachedInteractionId,
    actor: Reader,
    session: SessionDep,
    response: Response,
) -> CallerContact:
    """Return a contact; once it has a card, `customer_id` and `Content-Location` say which."""
    found = await unattached_interactions.find_caller_contact(session, interaction_id)
    if isinstance(found, UnattachedInteraction):
        return _kept(found, actor)
    response.headers["Content-Location"] = (
        f"/v1/customers/{found.customer_id}/interactions/{found.id}"
    )
    return CallerContact.model_validate(
        {**found.model_dump(), "customer": None, "awaits": None}, extra="ignore"
    )


@router.post(
    f"{ONE}/attach",
    summary="Attach a contact to a card",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found", "card-merged", "card-erased"),
)
async def attach_interaction(
    interaction_id: AttachedInteractionId,
    body: AttachRequest,
    actor: Writer,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> InteractionRead:
    """Say whose contact it was; safe to repeat."""
    found = await unattached_interactions.attach_interaction(
        session, actor, settings, interaction_id, body.customer_id
    )
    set_etag(response, found.version)
    return InteractionRead.model_validate(found)


def _kept(kept: UnattachedInteraction, actor: Actor) -> CallerContact:
    awaits = None
    if kept.awaits_kind is not None:
        awaits = (kept.awaits_kind, kept.awaits_system or "", kept.awaits_value or "")
    return _contact(kept.body, kept.id, awaits, None, actor)


def _contact(
    row: Any,
    interaction_id: UUID,
    awaits: tuple[str, str, str] | None,
    recorded: Recorded | None,
    actor: Actor,
) -> CallerContact:
    fields = {name: row[name] for name in CallerContact.model_fields if name in row}
    caller = recorded.caller if recorded and actor.may(Permission.CUSTOMERS_READ) else None
    return CallerContact.model_validate(
        {
            **fields,
            "id": interaction_id,
            "customer": caller and KnownCaller.model_validate(caller),
            "customer_id": recorded and recorded.customer_id,
            "awaits": awaits
            and AwaitedIdentity.model_validate(
                {
                    "kind": awaits[0],
                    "system": awaits[1] or None,
                    "value": mask_identity(awaits[0], awaits[2]),
                }
            ),
        }
    )


def _unreadable(entry: UnreadableEntry) -> InvalidInputError:
    return InvalidInputError(
        "Some values are not acceptable.",
        field_errors(entry.errors),
        detail_zh="部分内容不符合要求。",
    )


def _result(entry_id: str, outcome: Recorded | HuikeError) -> EntryResult:
    if isinstance(outcome, Recorded):
        return EntryResult(
            entry_id=entry_id,
            status="stored",
            interaction_id=outcome.id,
            customer_id=outcome.customer_id,
            problem=None,
        )
    kind = PROBLEMS[outcome.code]
    found = outcome.errors if isinstance(outcome, InvalidInputError) else ()
    return EntryResult(
        entry_id=entry_id,
        status="refused",
        interaction_id=None,
        customer_id=None,
        problem=EntryProblem(
            type=f"/problems/{outcome.code}",
            title=BilingualText(en=kind.title, zh=kind.title_zh),
            detail=BilingualText(en=outcome.detail, zh=outcome.detail_zh),
            errors=[_part(part) for part in found],
        ),
    )


def _part(part: FieldError) -> EntryFieldProblem:
    return EntryFieldProblem(
        pointer=part.pointer,
        code=part.code,
        detail=BilingualText(en=part.detail, zh=part.detail_zh or part.detail),
    )
