"""Many audit entries in one statement, for the till's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from app.queries.rows import as_json

_WRITE = """
INSERT INTO audit_entry
    (id, at, actor_kind, actor_id, action, object_type, object_id, fields, request_id)
SELECT id, $2, actor_kind, actor_id, action, object_type, object_id, fields, $3
FROM jsonb_to_recordset($1::jsonb) AS r (
    id uuid, actor_kind text, actor_id uuid, action text, object_type text, object_id uuid,
    fields text[])
"""


async def write(
    connection: "asyncpg.Connection[Any]",
    at: datetime,
    request_id: str | None,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Write who did what: id, actor, action, object, names of fields, never values."""
    if rows:
        await connection.execute(_WRITE, as_json(rows), at, request_id)
