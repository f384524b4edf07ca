"""Who did what."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.rules.access import Actor
from app.schemas.audit import AuditEntryRead
from app.services import audit
from app.services.audit import AuditFilter
from app.vocabulary import Action, Instant, Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=HuikeRoute)


@router.get("", summary="Read the audit trail", responses=problems(*ON_LISTING))
async def list_audit_entries(
    _: Annotated[Actor, Depends(Allow(Permission.AUDIT_READ))],
    session: SessionDep,
    settings: SettingsDep,
    object_type: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z][a-z_]{0,40}$", description="What it was done to.", examples=["store"]
        ),
    ] = None,
    object_id: Annotated[UUID | None, Query(description="The one object.")] = None,
    actor_id: Annotated[UUID | None, Query(description="Who did it.")] = None,
    action: Annotated[Action | None, Query(description="What was done.")] = None,
    since: Annotated[Instant | None, Query(alias="from", description="From this instant.")] = None,
    until: Annotated[
        Instant | None, Query(alias="to", description="Up to this instant, which is left out.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditEntryRead]:
    """List what was done, newest first: names of fields, never values."""
    wanted = AuditFilter(object_type, object_id, actor_id, action, since, until)
    listing = {"list": "audit", **asdict(wanted)}
    page, position = await audit.list_audit_entries(
        session, wanted, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=[AuditEntryRead.model_validate(entry) for entry in page],
        next_cursor=next_cursor(settings, listing, position),
    )
