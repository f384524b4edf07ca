"""Rows as one JSON parameter, which ``jsonb_to_recordset`` turns into a set again."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as JSON text; amounts and asyncpg's own UUIDs as text, which columns read."""
    return orjson.dumps(list(rows), default=str).decode()
