"""Contacts for tests: recorded over the API, counted in the database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from app.core import clock
from app.core.database import Database
from app.models import (
    AccessToken,
    AuditEntry,
    CustomerServiceStats,
    IdempotencyKey,
    Identity,
    Interaction,
    InteractionChange,
    InteractionEntry,
    OutboxEvent,
    UnattachedInteraction,
)
from tests.support.world import World

FAR_AWAY = datetime(2030, 1, 1, tzinfo=UTC)
CONTACT_TABLES: tuple[type[SQLModel], ...] = (
    Interaction,
    InteractionChange,
    InteractionEntry,
    UnattachedInteraction,
    CustomerServiceStats,
    Identity,
    AuditEntry,
    OutboxEvent,
    IdempotencyKey,
)
"""Every table that a contact writes to."""


def contact(**fields: Any) -> dict[str, Any]:
    """Return the body of a call from a customer, with these fields."""
    return {"channel": "phone", "direction": "inbound", "subject": "询问到货", **fields}


async def contact_counts(database: Database) -> dict[str, int]:
    """Return how many rows each table that contacts write to has: equal counts, nothing written."""
    async with database.transaction() as session:
        return {
            str(table.__tablename__): await session.scalar(select(func.count()).select_from(table))
            or 0
            for table in CONTACT_TABLES
        }


async def record(
    client: httpx.AsyncClient,
    world: World,
    customer_id: UUID | str,
    who: str = "manager",
    **fields: Any,
) -> dict[str, Any]:
    """Record a contact with a card over the API; return its body."""
    answer = await client.post(
        f"/v1/customers/{customer_id}/interactions",
        headers=world.headers(who),
        json=contact(**fields),
    )
    assert answer.status_code == 201, answer.text
    recorded: dict[str, Any] = answer.json()
    return recorded


async def call(
    client: httpx.AsyncClient, world: World, who: str = "manager", **fields: Any
) -> dict[str, Any]:
    """Record a contact with whoever called; return its body."""
    answer = await client.post(
        "/v1/interactions", headers=world.headers(who), json=contact(**fields)
    )
    assert answer.status_code == 201, answer.text
    recorded: dict[str, Any] = answer.json()
    return recorded


async def keep_signed_in(database: Database) -> None:
    """Let nobody's sign-in run out, however far the clock was moved."""
    async with database.transaction() as session:
        await session.execute(
            update(AccessToken).values(last_used_at=clock.now(), expires_at=FAR_AWAY)
        )


async def service_stats(database: Database, customer_id: UUID | str) -> CustomerServiceStats | None:
    """Return what a card's contacts have cost, as its row says."""
    async with database.transaction() as session:
        found: CustomerServiceStats | None = await session.scalar(
            select(CustomerServiceStats)
            .where(col(CustomerServiceStats.customer_id) == UUID(str(customer_id)))
            .execution_options(populate_existing=True)
        )
        return found
