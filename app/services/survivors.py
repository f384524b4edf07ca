"""The id of a merged card goes on answering: which card it leads to."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import survivors


async def surviving_id(session: AsyncSession, customer_id: UUID) -> UUID:
    """Return the card that an id leads to: itself unless it was merged, also where it is none."""
    found = await survivors.survivors_of(await raw_connection(session), [customer_id])
    return found.get(customer_id, customer_id)
