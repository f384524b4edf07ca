"""Write made-up cards with the levels they held, as a chain's history lies in the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.core import clock
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import TierPolicy
from app.vocabulary import CustomerKind, PolicyMethod, PolicyStatus, TierLevel

KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30, "grace_days": 0}
FOUR_LEVELS: dict[str, Any] = {
    "indicators": [{"indicator": "net_spend", "weight": "1"}],
    "window_days": 365,
    "levels": [
        {"level": "key", "top_percent": "5"},
        {"level": "important", "top_percent": "20"},
        {"level": "general", "top_percent": "60"},
        {"level": "maintenance", "top_percent": "100"},
    ],
    "keep": KEEP,
}


@dataclass(frozen=True, slots=True)
class Held:
    """A level that a card held from an instant until just before another, or until now."""

    level: TierLevel
    policy_id: UUID
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class MadeHistory:
    """A card and the levels it held, oldest first."""

    kind: CustomerKind
    home_store_id: UUID | None
    held: Sequence[Held]


def three_levels(window_days: int = 365) -> dict[str, Any]:
    """Return the body of a policy with the default three levels."""
    return {
        "metric": "net_spend",
        "window_days": window_days,
        "levels": [
            {"level": "main", "at_least": "1000.00"},
            {"level": "ordinary", "at_least": "300.00"},
            {"level": "small", "at_least": "0.00"},
        ],
        "keep": KEEP,
    }


async def write_policy(
    database: Database,
    body: dict[str, Any],
    version: int,
    method: PolicyMethod,
    *,
    kind: CustomerKind = CustomerKind.INDIVIDUAL,
    activated_at: datetime | None = None,
    retired_at: datetime | None = None,
) -> UUID:
    """Write a policy that is in force no longer, or never was; return its id."""
    policy_id = new_id()
    async with database.transaction() as session:
        await session.execute(
            insert(TierPolicy).values(
                id=policy_id, scope=kind, version=version, name=f"Version {version}",
                status=PolicyStatus.RETIRED, method=method, body=body,
                effective_on=date(2026, 1, 1), created_at=clock.now(), revision=1,
                activated_at=activated_at, retired_at=retired_at,
            )
        )  # fmt: skip
    return policy_id


async def write_histories(database: Database, cards: Sequence[MadeHistory]) -> list[UUID]:
    """Write cards with their histories; return their ids in the order of the cards."""
    now = clock.now()
    ids = [new_id() for _ in cards]
    async with database.transaction() as session:
        connection = await raw_connection(session)
        await connection.copy_records_to_table(
            "customer",
            records=[
                (card_id, str(card.kind), "active", "顾念书", False, "import", card.home_store_id,
                 date(2026, 1, 1), 1, now, now)
                for card_id, card in zip(ids, cards, strict=True)
            ],
            columns=("id", "kind", "status", "name", "birth_month_is_leap", "origin",
                     "home_store_id", "registered_on", "version", "created_at", "updated_at"),
        )  # fmt: skip
        await connection.copy_records_to_table(
            "tier_assignment",
            records=[
                (card_id, new_id(), str(one.level), "reconciled", one.policy_id, 1,
                 one.valid_from, one.valid_to, "{}")
                for card_id, card in zip(ids, cards, strict=True)
                for one in card.held
            ],
            columns=("customer_id", "id", "level", "cause", "policy_id", "policy_version",
                     "valid_from", "valid_to", "explanation"),
        )  # fmt: skip
    return ids
