"""People, roles, absences, hand-over."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.staff import (
    AbsenceCreate,
    AbsenceRead,
    HandedOver,
    HandOver,
    PasswordReset,
    PasswordWasReset,
    StaffChange,
    StaffCreate,
    StaffCreated,
    StaffRead,
)
from app.services import staff
from app.services.staff import StaffFilter
from app.vocabulary import Permission, Role
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    ShownOnce,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import AbsenceId, OnlyDisabled, StaffId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/staff", tags=["staff"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.STAFF_READ))]
Administrator = Annotated[Actor, Depends(Allow(Permission.STAFF_WRITE))]


@router.post(
    "",
    status_code=201,
    summary="Make an account",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent, Depends(ShownOnce("generated_password"))],
)
async def create_staff(
    body: StaffCreate, actor: Administrator, session: SessionDep, response: Response
) -> StaffCreated:
    """Create a member of staff; without a password one is generated and shown once."""
    created = await staff.create_staff(session, actor, body)
    set_created(response, f"/v1/staff/{created.id}", created.version)
    return created


@router.get("", summary="List staff", responses=problems(*ON_LISTING))
async def list_staff(
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    role: Annotated[Role | None, Query(description="Of this role.")] = None,
    store_id: Annotated[UUID | None, Query(description="Bound to this shop.")] = None,
    is_disabled: OnlyDisabled = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[StaffRead]:
    """List staff of the whole chain by user name."""
    wanted = StaffFilter(role, store_id, is_disabled)
    listing = {"list": "staff", **asdict(wanted)}
    page, position = await staff.list_staff(
        session, wanted, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get("/{staff_id}", summary="Read a member of staff", responses=problems(*ON_READING))
async def get_staff(
    staff_id: StaffId, _: Reader, session: SessionDep, response: Response
) -> StaffRead:
    """Return a member of staff; the ETag is needed to change them."""
    found = await staff.get_staff(session, staff_id)
    set_etag(response, found.version)
    return found


@router.patch(
    "/{staff_id}",
    summary="Change name, role or shops",
    responses=problems(*ON_CHANGING, "invalid-transition"),
)
async def update_staff(
    staff_id: StaffId,
    body: StaffChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> StaffRead:
    """Change the fields that the body names; role and shops are in force at once."""
    changed = await staff.change_staff(session, actor, staff_id, seen_version(if_match), body)
    set_etag(response, changed.version)
    return changed


@router.post(
    "/{staff_id}/disable",
    summary="Disable an account",
    responses=problems(*ON_READING, "invalid-transition"),
)
async def disable_staff(
    staff_id: StaffId, actor: Administrator, session: SessionDep, response: Response
) -> StaffRead:
    """Disable an account and revoke its tokens at once; doing it twice changes nothing."""
    disabled = await staff.disable_staff(session, actor, staff_id)
    set_etag(response, disabled.version)
    return disabled


@router.post("/{staff_id}/enable", summary="Enable an account", responses=problems(*ON_READING))
async def enable_staff(
    staff_id: StaffId, actor: Administrator, session: SessionDep, response: Response
) -> StaffRead:
    """Enable an account; old tokens stay revoked. Doing it twice changes nothing."""
    enabled = await staff.enable_staff(session, actor, staff_id)
    set_etag(response, enabled.version)
    return enabled


@router.post(
    "/{staff_id}/password-reset",
    summary="Reset a password",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found"),
)
async def reset_password(
    staff_id: StaffId,
    body: PasswordReset,
    actor: Administrator,
    session: SessionDep,
    response: Response,
) -> PasswordWasReset:
    """Set a password, or generate one and show it once; the account's tokens are revoked."""
    response.headers["Cache-Control"] = "no-store"
    return await staff.reset_password(session, actor, staff_id, body)


@router.post(
    "/{staff_id}/hand-over",
    summary="Hand over all cards",
    responses=problems(*SIGNED_IN, *ANY_REQUEST, "not-found", "invalid-transition"),
)
async def hand_over_cards(
    staff_id: StaffId, body: HandOver, actor: Administrator, session: SessionDep
) -> HandedOver:
    """Give all cards that a member of staff looks after to another, and tell how many."""
    return await staff.hand_over_cards(session, actor, staff_id, body.to_staff_id)


@router.post(
    "/{staff_id}/absences",
    status_code=201,
    summary="Note an absence",
    responses=problems(*ON_CREATING, "not-found"),
    dependencies=[Idempotent],
)
async def create_absence(
    staff_id: StaffId,
    body: AbsenceCreate,
    actor: Administrator,
    session: SessionDep,
    response: Response,
) -> AbsenceRead:
    """Note the days that a member of staff will be away, both ends included."""
    absence = await staff.create_absence(session, actor, staff_id, body)
    set_created(response, f"/v1/staff/{staff_id}/absences/{absence.id}")
    return AbsenceRead.model_validate(absence)


@router.get(
    "/{staff_id}/absences",
    summary="List absences",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_absences(
    staff_id: StaffId,
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AbsenceRead]:
    """List absences as they were noted; who is bound to shops sees those of colleagues there."""
    listing = {"list": "absences", "staff_id": staff_id}
    page, position = await staff.list_absences(
        session,
        actor,
        staff_id,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(
        items=[AbsenceRead.model_validate(absence) for absence in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(
    "/{staff_id}/absences/{absence_id}",
    summary="Read an absence",
    responses=problems(*ON_READING),
)
async def get_absence(
    staff_id: StaffId, absence_id: AbsenceId, actor: Reader, session: SessionDep
) -> AbsenceRead:
    """Return the days that a member of staff is away."""
    return AbsenceRead.model_validate(await staff.get_absence(session, actor, staff_id, absence_id))


@router.delete(
    "/{staff_id}/absences/{absence_id}",
    status_code=204,
    summary="Take back an absence",
    responses=problems(*ON_READING),
)
async def delete_absence(
    staff_id: StaffId, absence_id: AbsenceId, actor: Administrator, session: SessionDep
) -> None:
    """Take back that a member of staff will be away."""
    await staff.delete_absence(session, actor, staff_id, absence_id)
