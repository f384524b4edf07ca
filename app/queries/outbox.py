"""Many outbox rows in one statement, for the till's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from app.queries.rows import as_json

_WRITE = """
INSERT INTO outbox_event (id, type, occurred_at, customer_id, subject_id, payload)
SELECT id, type, $2, customer_id, subject_id, payload
FROM jsonb_to_recordset($1::jsonb)
    AS r (id uuid, type text, customer_id uuid, subject_id uuid, payload jsonb)
"""


async def write(
    connection: "asyncpg.Connection[Any]", at: datetime, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write domain events that occurred at ``at``: id, type, customer_id, subject_id, payload."""
    if rows:
        await connection.execute(_WRITE, as_json(rows), at)
