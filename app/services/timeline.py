"""A card's timeline, and its 360° view: everything that is known, to who may know it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.core.errors import ForbiddenError
from app.queries import timeline
from app.rules.access import Actor
from app.services.changes import page_of
from app.services.purchases import require_card
from app.vocabulary import Permission, TimelineKind


async def list_timeline(
    session: AsyncSession,
    actor: Actor,
    customer_id: UUID,
    kinds: Sequence[TimelineKind],
    *,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """Return a page of a card's entries, newest first, and where the next one begins.

    Without ``kinds`` it is everything that the actor may read.

    Raises:
        NotFoundError: no such card.
        ForbiddenError: a kind was asked for that the actor may not read.
    """
    needs = {branch.kind: branch.needs for branch in timeline.BRANCHES}
    for kind in kinds:
        require(actor, needs[kind])
    readable = [kind for kind, permission in needs.items() if actor.may(permission)]
    place = None
    if after is not None:
        place = (datetime.fromisoformat(after[0]), TimelineKind(after[1]), UUID(after[2]))
    rows = await timeline.list_entries(
        await raw_connection(session), customer_id, kinds or readable, place, limit + 1
    )
    if not rows:
        await require_card(session, customer_id)
    return page_of(rows, limit, lambda row: [row["at"].isoformat(), row["kind"], str(row["id"])])


def require(actor: Actor, permission: Permission) -> None:
    """Let pass who has a permission that a part of an answer needs.

    Raises:
        ForbiddenError: they lack it.
    """
    if not actor.may(permission):
        raise ForbiddenError(
            f"This needs the permission {permission}.",
            detail_zh=f"此操作需要权限：{permission.label.zh}。",
            members={"permission": str(permission)},
        )
