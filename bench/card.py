"""A card with a long history: its 360° view, and its timeline at the top and far down.

Beside it a card of the chain as it comes: what history costs is the difference.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson

from app.core import security
from app.core.config import Settings
from app.queries import timeline
from app.vocabulary import TimelineKind
from app.web.pagination import encode_cursor

ENTRIES = 100_000
"""Of the long card: receipts, contacts, statements of consent, tiers."""
PAGE = 10
FAR_DOWN = 10_000
"""The page that is measured beside the first: it ends with the last entry."""
WARM, TIMES = 10, 200

_ROWS: Mapping[str, str] = {
    "purchase": """
        INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
            source_id, event_id, receipt_key, receipt_number, currency, amount, costed_amount,
            cost, recorded_at)
        SELECT $1, uuidv7(), 'sale', 'posted', now() - n * interval '31 minutes',
            (now() - n * interval '31 minutes')::date, source.store_id, source.id, 'long-' || n,
            'long-' || n, 'long-' || n, 'CNY', 20, 20, 14, now()
        FROM generate_series(1, $2::integer) AS n, source
    """,
    "interaction": """
        INSERT INTO interaction (customer_id, id, channel, direction, occurred_at, business_day,
            subject, cost, version, recorded_at, recorded_by_kind, updated_at)
        SELECT $1, uuidv7(), 'wechat', 'inbound', now() - n * interval '17 minutes',
            (now() - n * interval '17 minutes')::date, 'x', 1, 1, now(), 'system', now()
        FROM generate_series(1, $2::integer) AS n
    """,
    "consent_record": """
        INSERT INTO consent_record (customer_id, id, purpose, channel, state, proof, stated_at,
            recorded_at, actor_kind)
        SELECT $1, uuidv7(), 'marketing', 'sms', 'granted', 'web', now() - n * interval '1 day',
            now(), 'system'
        FROM generate_series(1, $2::integer) AS n
    """,
}
_LINES = """
INSERT INTO purchase_line (customer_id, purchase_id, line_number, category, quantity, unit_price,
    amount)
SELECT customer_id, id, 1, 'category ' || right(receipt_number, 1), 1, 20, 20
FROM purchase WHERE customer_id = $1
"""
_EXPLAIN = """
UPDATE tier_assignment SET explanation = $2 WHERE customer_id = ANY($1::uuid[])
"""
_SIGN_IN = """
WITH person AS (
    INSERT INTO staff (id, username, display_name, role, password_hash, password_changed_at,
        version, created_at, updated_at)
    VALUES (uuidv7(), 'bench', 'Bench', 'manager', 'unusable', now(), 1, now(), now())
    RETURNING id
)
INSERT INTO access_token (id, token_hash, staff_id, created_at, last_used_at, expires_at)
SELECT uuidv7(), $1, id, now(), now(), now() + interval '1 day' FROM person
RETURNING staff_id
"""
_SHARES = {"purchase": 0.3, "interaction": 0.65, "consent_record": 0.05}
"""Of the entries."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The two cards that are compared, and who reads them."""

    usual: UUID
    long: UUID
    far_down: tuple[str, str, str]
    staff_id: UUID
    token: str


async def write_cards(dsn: str) -> Cards:
    """Give one card of the chain a long history; return it with a usual one."""
    connection = await asyncpg.connect(dsn)
    try:
        usual, long = [
            await connection.fetchval(f"SELECT id FROM customer ORDER BY id {order} LIMIT 1")
            for order in ("ASC", "DESC")
        ]
        for table, share in _SHARES.items():
            await connection.execute(_ROWS[table], long, round(ENTRIES * share))
        await connection.execute(_LINES, long)
        policy = await connection.fetchrow("SELECT id, version FROM tier_policy LIMIT 1")
        await connection.execute(_EXPLAIN, [usual, long], _explanation(policy))
        token = security.new_token()
        staff_id = await connection.fetchval(_SIGN_IN, security.hash_secret(token))
        await connection.execute("VACUUM (ANALYZE)")
        # Walking there would take ten thousand requests; the place is the same.
        every = tuple(sorted(TimelineKind))
        before = (FAR_DOWN - 1) * PAGE
        last = (await connection.fetch(timeline.statement(every, None), long, before))[-1]
        far_down = (last["at"].isoformat(), last["kind"], str(last["id"]))
        return Cards(_id(usual), _id(long), far_down, _id(staff_id), token)
    finally:
        await connection.close()


def _explanation(policy: Any) -> str:
    day = "2026-01-01"
    return orjson.dumps(
        {
            "inputs": {
                "as_of": day, "window_from": day, "window_to": day, "window_days": 365,
                "net_spend": "0.00", "refunded": "0.00", "purchases": 0,
            },
            "rule": {
                "method": "threshold", "metric": "net_spend", "level": "small", "at_least": "0.00",
            },
            "policy": {"id": str(policy["id"]), "version": policy["version"], "name": "x"},
            "cause": "initial", "next": None, "keep": None, "sentences": {"en": "x", "zh": "x"},
        }
    ).decode()  # fmt: skip


def _id(found: Any) -> UUID:
    return UUID(str(found))


async def measure_cards(client: httpx.AsyncClient, cards: Cards) -> str:
    """Return the lines of a table: the view and the timeline of both cards."""
    listing = {"list": "timeline", "customer": cards.long, "kinds": [], "actor": cards.staff_id}
    far_down = encode_cursor(Settings(_env_file=None), listing, cards.far_down)
    page = {"limit": str(PAGE)}
    return "\n".join(
        [
            await _line(client, cards, "360° view, a card of the chain", cards.usual, "overview"),
            await _line(
                client, cards, f"360° view, a card of {ENTRIES:,} entries", cards.long, "overview"
            ),
            await _line(
                client, cards, "timeline, a card of the chain", cards.usual, "timeline", page
            ),
            await _line(
                client, cards, f"timeline, page 1 of {ENTRIES:,} entries", cards.long, "timeline",
                page,
            ),
            await _line(
                client, cards, f"timeline, page {FAR_DOWN:,}", cards.long, "timeline",
                {**page, "cursor": far_down},
            ),
        ]
    )  # fmt: skip


async def _line(
    client: httpx.AsyncClient,
    cards: Cards,
    name: str,
    customer_id: UUID,
    what: str,
    parameters: Mapping[str, str] | None = None,
) -> str:
    took = []
    for _ in range(WARM + TIMES):
        began = time.perf_counter()
        answer = await client.get(
            f"/v1/customers/{customer_id}/{what}",
            params=parameters,
            headers={"Authorization": f"Bearer {cards.token}"},
        )
        took.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    if "cursor" in (parameters or {}):
        assert len(answer.json()["items"]) == PAGE
    took = sorted(took[WARM:])
    line = f"| {name} | {statistics.median(took):,.1f} | {took[round(TIMES * 0.95) - 1]:,.1f} |"
    print(line)
    return line
