"""Fields that the chain adds to its cards."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from app.rules.access import Actor
from app.schemas.custom_fields import CustomFieldChange, CustomFieldCreate, CustomFieldRead
from app.services import custom_fields
from app.vocabulary import CustomerKind, Permission
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
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import FieldId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.problems import prefers_chinese
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/custom-fields", tags=["custom fields"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Administrator = Annotated[Actor, Depends(Allow(Permission.CUSTOM_FIELDS_WRITE))]
MOVING = (
    *SIGNED_IN, "not-found", "invalid-transition", "precondition-failed", "validation",
    "precondition-required", "internal-error", "unavailable",
)  # fmt: skip


class SchemaResponse(JSONResponse):
    """A JSON Schema."""

    media_type = "application/schema+json"


@router.post(
    "",
    status_code=201,
    summary="Add a custom field",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent],
)
async def create_custom_field(
    body: CustomFieldCreate, actor: Administrator, session: SessionDep, response: Response
) -> CustomFieldRead:
    """Add a field to the cards of a kind; kind, code and type stay for ever."""
    field = await custom_fields.create_custom_field(session, actor, body)
    set_created(response, f"/v1/custom-fields/{field.id}", field.version)
    return field


@router.get("", summary="List custom fields", responses=problems(*ON_LISTING))
async def list_custom_fields(
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    kind: Annotated[CustomerKind | None, Query(description="Of these cards.")] = None,
    is_archived: Annotated[
        bool | None, Query(description="True: only those out of use; false: only those in use.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CustomFieldRead]:
    """List fields by kind, in the order of the form."""
    listing = {"list": "custom-fields", "kind": kind, "is_archived": is_archived}
    page, position = await custom_fields.list_custom_fields(
        session,
        kind=kind,
        is_archived=is_archived,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get(
    "/schema",
    summary="Read the JSON Schema of custom values",
    response_class=SchemaResponse,
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def get_custom_field_schema(
    _: Reader,
    session: SessionDep,
    request: Request,
    response: Response,
    kind: Annotated[CustomerKind, Query(description="Of these cards.")],
) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `custom` on a new card, to build a form from.

    Titles are in the reader's language (`Accept-Language`); `x-labels` has both, `x-section` the
    part of the form, `x-order` the place in it. Bounds of days stand as `formatMinimum` and
    `formatMaximum`.
    """
    chinese = prefers_chinese(request.headers.get("accept-language"))
    response.headers["Content-Language"] = "zh" if chinese else "en"
    response.headers["Vary"] = "Accept-Language"
    return await custom_fields.get_schema(session, kind, chinese=chinese)


@router.get("/{field_id:uuid}", summary="Read a custom field", responses=problems(*ON_READING))
async def get_custom_field(
    field_id: FieldId, _: Reader, session: SessionDep, response: Response
) -> CustomFieldRead:
    """Return a field, in use or not; its ETag is needed to change it."""
    field = await custom_fields.get_custom_field(session, field_id)
    set_etag(response, field.version)
    return field


@router.patch(
    "/{field_id:uuid}",
    summary="Change a custom field",
    responses=problems(*ON_CHANGING, "conflict"),
)
async def update_custom_field(
    field_id: FieldId,
    body: CustomFieldChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> CustomFieldRead:
    """Change what the body names; a choice that a card has can be relabelled, not left out."""
    seen = seen_version(if_match)
    field = await custom_fields.change_custom_field(session, actor, field_id, seen, body)
    set_etag(response, field.version)
    return field


@router.post(
    "/{field_id:uuid}/archive", summary="Put a custom field out of use",
    responses=problems(*MOVING),
)  # fmt: skip
async def archive_custom_field(
    field_id: FieldId,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> CustomFieldRead:
    """Put a field out of use; its values stay on cards and can be read and taken away."""
    seen = seen_version(if_match)
    field = await custom_fields.archive_custom_field(session, actor, field_id, seen)
    set_etag(response, field.version)
    return field


@router.post(
    "/{field_id:uuid}/restore", summary="Put a custom field into use again",
    responses=problems(*MOVING),
)  # fmt: skip
async def restore_custom_field(
    field_id: FieldId,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> CustomFieldRead:
    """Put a field into use again, with the definition and the values that it had."""
    seen = seen_version(if_match)
    field = await custom_fields.restore_custom_field(session, actor, field_id, seen)
    set_etag(response, field.version)
    return field
