"""Contacts of a file: written to the cards they are of, or kept for cards that are awaited."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.models import ImportJob
from app.queries import customer_service_stats, customer_stats, import_rows, imports, interactions
from app.queries.purchase_ingest import resolve_identities
from app.vocabulary import CustomerStatus

ROWS_AT_ONCE: Final = 5_000
CARDS_AT_ONCE: Final = 2_000
_EMPTY: Final = dict.fromkeys(
    ("duration_seconds", "text", "outcome", "next_step", "next_step_on", "store_id", "staff_id",
     "contact_id", "purchase_id")
)  # fmt: skip


async def write_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[int | None, Mapping[str, int]]:
    """Write the next contacts, but for the figures of their cards.

    Raises:
        RetryTransactionError: a customer moved at this very moment; run it again.
    """
    del settings
    connection = await raw_connection(session)
    rows = await import_rows.next_rows(connection, job.id, job.position, ROWS_AT_ONCE)
    if not rows:
        return None, {}
    now = clock.now()
    bodies: dict[int, dict[str, Any]] = {row["row_number"]: dict(row["body"]) for row in rows}
    keys = {
        number: (body.pop("who_kind"), body.pop("who_system"), body.pop("who_value"))
        for number, body in bodies.items()
        if "who_kind" in body
    }
    owners = await resolve_identities(connection, sorted(set(keys.values())), now)
    cards = {owner for owner in owners.values() if owner is not None}
    locked = await interactions.lock_cards(connection, sorted(cards))
    # A card that was looked up was in use; it may have been merged or erased since.
    gone = {CustomerStatus.MERGED, CustomerStatus.ERASED}
    if any(card["status"] in gone for card in locked.values()):
        raise RetryTransactionError
    attached, unattached, items = [], [], []
    for number, body in bodies.items():
        key = keys.get(number)
        owner = owners.get(key) if key else None
        row = {
            **_EMPTY, **body, "version": 1, "recorded_at": now, "updated_at": now,
            "recorded_by_kind": job.created_by_kind, "recorded_by_id": job.created_by_id,
        }  # fmt: skip
        interaction_id = new_id()
        if owner is not None:
            attached.append({"customer_id": owner, "id": interaction_id, **row})
        else:
            unattached.append(
                {
                    "id": interaction_id,
                    "awaits_kind": key[0] if key else None,
                    "awaits_system": key[1] if key else None,
                    "awaits_value": key[2] if key else None,
                    "occurred_at": row["occurred_at"],
                    "store_id": row["store_id"],
                    "recorded_at": now,
                    "body": row,
                }
            )
        items.append(
            {"position": number, "object_id": interaction_id, "customer_id": owner,
             "key": "\t".join(key) if key else None, "before": None}
        )  # fmt: skip
    await interactions.write(connection, attached, unattached)
    await import_rows.write_items(connection, job.id, items)
    return rows[-1]["row_number"], {
        "rows": len(rows),
        "rows_seen": len(rows),
        "waiting_contacts": sum(row["awaits_kind"] is not None for row in unattached),
        "no-customer": sum(row["awaits_kind"] is None for row in unattached),
    }


async def settle_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[UUID | None, Mapping[str, int]]:
    """Bring the cost to serve of the next cards up to date."""
    connection = await raw_connection(session)
    cards = await imports.touched_cards(connection, job.id, job.settled_to, CARDS_AT_ONCE)
    if not cards:
        return None, {}
    await customer_stats.lock_cards(connection, cards)
    await customer_service_stats.refresh(connection, clock.today(settings.zone), cards)
    return cards[-1], {}
