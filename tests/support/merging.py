"""Cards merged over the API, and everything that cards own as it lies in the database."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.core.database import Database
from app.queries.customer_tables import CUSTOMER_TABLES, OnMerge
from tests.support.world import World

# What a version of a card leaves behind, whoever made it and however it was undone.
_OF_VERSIONS = {"customer": ("version", "updated_at")}


async def plan(
    client: httpx.AsyncClient,
    world: World,
    survivor: Any,
    losers: Iterable[Any],
    who: str = "manager",
    **more: Any,
) -> dict[str, Any]:
    """Return the plan of a merge."""
    body = {"surviving_id": str(survivor), "loser_ids": [str(one) for one in losers], **more}
    answer = await client.post("/v1/merges/plan", json=body, headers=world.headers(who))
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def carry_out(
    client: httpx.AsyncClient, world: World, planned: dict[str, Any], **more: Any
) -> httpx.Response:
    """Send a plan back to be carried out."""
    body = {name: planned[name] for name in ("surviving_id", "loser_ids", "fingerprint")}
    return await client.post("/v1/merges", json=body | more, headers=world.headers())


async def merge(
    client: httpx.AsyncClient, world: World, survivor: Any, losers: Iterable[Any]
) -> dict[str, Any]:
    """Plan a merge and carry it out; return what was done."""
    answer = await carry_out(client, world, await plan(client, world, survivor, losers))
    assert answer.status_code == 201, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def undo(client: httpx.AsyncClient, world: World, done: dict[str, Any]) -> dict[str, Any]:
    """Undo a merge; return what was done."""
    answer = await client.post(f"/v1/merges/{done['id']}/undo", headers=world.headers())
    assert answer.status_code == 200, answer.text
    ended: dict[str, Any] = answer.json()
    return ended


async def dump(database: Database, *customer_ids: Any) -> dict[str, list[str]]:
    """Return every row that these cards own or that names them, as text, table by table.

    Left out is what tells of the cards' versions: those only ever go up.
    """
    ids = [UUID(str(one)) for one in customer_ids]
    rows: dict[str, list[str]] = {}
    async with database.transaction() as session:
        for table in CUSTOMER_TABLES:
            if table.on_merge is OnMerge.STAYS:
                continue
            key = "id" if table.name == "customer" else "customer_id"
            without = "".join(f" - '{name}'" for name in _OF_VERSIONS.get(table.name, ()))
            found = await session.execute(
                text(
                    f"SELECT (to_jsonb(t){without})::text AS row FROM {table.name} AS t"
                    f" WHERE {key} = ANY(:ids) ORDER BY 1"
                ),
                {"ids": ids},
            )
            rows[table.name] = list(found.scalars())
    return rows


async def totals(database: Database) -> dict[str, Any]:
    """Return what no merge may change: receipts, lines, money, contacts, over the chain."""
    async with database.transaction() as session:
        found = await session.execute(
            text(
                "SELECT (SELECT count(*) FROM purchase) AS receipts,"
                " (SELECT count(*) FROM purchase_line) AS lines,"
                " (SELECT count(*) FROM receipt WHERE purchase_id IS NOT NULL) AS numbers,"
                " (SELECT sum(CASE WHEN kind = 'sale' THEN amount ELSE -amount END)"
                "  FROM purchase WHERE status = 'posted') AS net,"
                " (SELECT sum(net) FROM customer_stats) AS net_of_statistics,"
                " (SELECT count(*) FROM interaction) AS interactions,"
                " (SELECT count(*) FROM identity WHERE customer_id IS NOT NULL) AS identities"
            )
        )
        return dict(found.mappings().one())
