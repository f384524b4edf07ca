"""Who has been told that they will lose a level."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.queries import tier_notices as queries
from app.queries.tier_notices import NoticeFilters
from app.schemas.common import LabelledCode
from app.schemas.tier_notices import TierNoticeRead, TierNoticeReason
from app.services.changes import page_of


async def list_notices(
    session: AsyncSession, filters: NoticeFilters, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[TierNoticeRead], list[Any] | None]:
    """Return a page of notices, newest first, and where the next one starts if there is one."""
    found = await queries.list_notices(session, filters, after, limit + 1)
    page, position = page_of(found, limit, lambda row: [row[0].noticed_on, row[0].id])
    return [
        TierNoticeRead(
            id=notice.id,
            customer_id=notice.customer_id,
            home_store_id=home_store_id,
            owner_staff_id=owner_staff_id,
            level=LabelledCode.of(notice.level),
            next_level=LabelledCode.of(notice.next_level),
            status=notice.status,
            noticed_on=notice.noticed_on,
            falls_on=notice.falls_on,
            closed_at=notice.closed_at,
            reason=TierNoticeReason.model_validate(notice.explanation),
        )
        for notice, home_store_id, owner_staff_id in page
    ], position
