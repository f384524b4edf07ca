"""Cards for tests: created over the API, counted in the database."""

from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select
from sqlmodel import SQLModel

from app.core.database import Database
from app.models import (
    AuditEntry,
    Customer,
    CustomerChange,
    CustomerIdentity,
    IdempotencyKey,
    Identity,
    OutboxEvent,
    TierAssignment,
)
from tests.support.world import World

CARD_TABLES: tuple[type[SQLModel], ...] = (
    Customer,
    CustomerIdentity,
    Identity,
    CustomerChange,
    TierAssignment,
    AuditEntry,
    OutboxEvent,
    IdempotencyKey,
)
"""Every table that a change of a card writes to."""


async def row_counts(database: Database) -> dict[str, int]:
    """Return how many rows each table that cards write to has: equal counts, nothing written."""
    async with database.transaction() as session:
        return {
            str(table.__tablename__): await session.scalar(select(func.count()).select_from(table))
            or 0
            for table in CARD_TABLES
        }


async def create_card(
    client: httpx.AsyncClient, world: World, who: str = "manager", **fields: Any
) -> dict[str, Any]:
    """Create an individual's card over the API, with these fields; return its body."""
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(who),
        json={"kind": "individual", "name": "王小明", **fields},
    )
    assert answer.status_code == 201, answer.text
    card: dict[str, Any] = answer.json()
    return card


async def read_card(
    client: httpx.AsyncClient, world: World, customer_id: str | UUID
) -> dict[str, Any]:
    """Return a card's body as it is now."""
    answer = await client.get(f"/v1/customers/{customer_id}", headers=world.headers())
    assert answer.status_code == 200, answer.text
    card: dict[str, Any] = answer.json()
    return card


def seen(world: World, card: dict[str, Any], who: str = "manager") -> dict[str, str]:
    """Return headers of somebody who has seen this version of the card."""
    return world.headers(who, If_Match=f'"v{card["version"]}"')


def pointers_of(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return pointer and code of everything that a problem document finds wrong."""
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
