"""A shop on a database: its clerk makes cards, its tills send events, its books are looked into."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import CustomerStats, PosEvent, Purchase, Source, TierAssignment
from app.services import statistics
from app.vocabulary import ReceiptRule, SourceMode
from tests.support.world import World, send_batch, send_event


@dataclass
class Shop:
    """What a test of posting does and looks at, one line each."""

    client: httpx.AsyncClient
    world: World
    database: Database
    settings: Settings

    async def card(self, member: str = "HK000001", **fields: Any) -> UUID:
        """Create a card with a member number."""
        answer = await self.client.post(
            "/v1/customers",
            headers=self.world.headers("manager"),
            json={
                "kind": "individual",
                "name": "顾念书",
                "identities": [{"kind": "member_number", "value": member}],
                **fields,
            },
        )
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def send(self, event: dict[str, Any], source: str = "till-1") -> dict[str, Any]:
        """Send an event that is taken, applied or not; return its result."""
        answer = await send_event(self.client, self.world, event, source)
        assert answer.status_code in {200, 202}, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def batch(self, events: Sequence[Any], source: str = "till-1") -> list[dict[str, Any]]:
        """Send a batch; return the results."""
        answer = await send_batch(self.client, self.world, list(events), source)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def replay(self, event: dict[str, Any], source: str = "till-1") -> dict[str, Any]:
        """Replay a stored event; return it as it stands then."""
        answer = await self.client.post(
            f"/v1/pos/{source}/events/{event['event_id']}/replay", headers=self.world.headers()
        )
        assert answer.status_code == 200, answer.text
        stored: dict[str, Any] = answer.json()
        return stored

    async def read_event(self, event: dict[str, Any], source: str = "till-1") -> dict[str, Any]:
        """Return a stored event as it stands."""
        answer = await self.client.get(
            f"/v1/pos/{source}/events/{event['event_id']}", headers=self.world.headers()
        )
        assert answer.status_code == 200, answer.text
        stored: dict[str, Any] = answer.json()
        return stored

    async def change_source(self, code: str = "till-1", **values: Any) -> None:
        """Change how a source is set up, as an administrator would."""
        async with self.database.transaction() as session:
            await session.execute(update(Source).where(col(Source.code) == code).values(**values))

    async def use_receipt_rule(self, rule: ReceiptRule, code: str = "till-1") -> None:
        """Let a till reuse its receipt numbers daily or yearly, or never."""
        await self.change_source(code, receipt_rule=rule)

    async def use_mode(self, mode: SourceMode, code: str = "till-1") -> None:
        """Put a till into test mode, or back into earnest."""
        await self.change_source(code, mode=mode)

    async def stats(self, customer_id: UUID) -> CustomerStats:
        """Return a card's statistics."""
        async with self.database.transaction() as session:
            return (
                await session.scalars(
                    select(CustomerStats).where(col(CustomerStats.customer_id) == customer_id)
                )
            ).one()

    async def net(self, customer_id: UUID) -> Decimal:
        """Return a card's net spend of the rolling window, as its statistics have it."""
        return (await self.stats(customer_id)).net_365

    async def tier(self, customer_id: UUID) -> TierAssignment:
        """Return the tier a card holds."""
        async with self.database.transaction() as session:
            return (
                await session.scalars(
                    select(TierAssignment).where(
                        col(TierAssignment.customer_id) == customer_id,
                        col(TierAssignment.valid_to).is_(None),
                    )
                )
            ).one()

    async def level(self, customer_id: UUID) -> str:
        """Return the code of the tier a card holds."""
        return str((await self.tier(customer_id)).level)

    async def purchases(self, customer_id: UUID) -> Sequence[Purchase]:
        """Return a card's receipts, oldest first."""
        async with self.database.transaction() as session:
            return (
                await session.scalars(
                    select(Purchase)
                    .where(col(Purchase.customer_id) == customer_id)
                    .order_by(col(Purchase.occurred_at), col(Purchase.id))
                )
            ).all()

    async def statuses(self) -> dict[str, int]:
        """Return how many events stand in each status."""
        async with self.database.transaction() as session:
            rows = await session.execute(
                select(col(PosEvent.status), func.count()).group_by(col(PosEvent.status))
            )
            return {str(status): count for status, count in rows}

    async def count(self, table: type[SQLModel]) -> int:
        """Return how many rows a table has."""
        async with self.database.transaction() as session:
            return await session.scalar(select(func.count()).select_from(table)) or 0

    async def counts(self, *tables: type[SQLModel]) -> dict[str, int]:
        """Return how many rows each of these tables has."""
        return {str(table.__tablename__): await self.count(table) for table in tables}

    async def wrong_statistics(self) -> int:
        """Return how many rows of statistics a full aggregation would write differently."""
        async with self.database.transaction() as session:
            today = clock.today(self.settings.zone)
            return (await statistics.check(session, today))["different"]
