"""The id of a merged card goes on answering: which card it leads to."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.core.errors import GoneError
from app.queries import survivors
from app.vocabulary import CustomerStatus


async def surviving_id(session: AsyncSession, customer_id: UUID) -> UUID:
    """Return the card that an id leads to: itself unless it was merged, also where it is none.

    Raises:
        GoneError: it leads to a person whose data were erased (410 ``card-erased``).
    """
    found = await survivors.find_survivor(await raw_connection(session), customer_id)
    if found is None:
        return customer_id
    survivor_id, status = found
    if status is CustomerStatus.ERASED:
        raise card_erased()
    return survivor_id


def card_erased() -> GoneError:
    """Return the error for a card whose person's data were erased."""
    return GoneError("The person's data were erased.", detail_zh="该客户的个人数据已删除。")
