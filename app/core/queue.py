"""Put jobs on the queue inside the transaction that causes them.

pgqueuer keeps jobs in tables of our own database, so a job appears with the commit that needs it
and disappears with its rollback. The worker (``app.jobs.worker``) runs them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.database import raw_connection


async def enqueue(
    session: AsyncSession,
    entrypoint: str,
    payload: Mapping[str, Any],
    *,
    dedupe_key: str | None = None,
    execute_after: datetime | None = None,
) -> int | None:
    """Queue a job for a worker and return its number; None if the same work already waits.

    ``entrypoint`` is a name of ``app.jobs.registry.JOBS``. ``payload`` becomes JSON: ids, days and
    numbers, never personal data. While a job with the same ``dedupe_key`` waits or runs, another
    is not added. ``execute_after`` is an instant; one that has passed means at once.
    """
    # Here, not above: a service that only answers reads never pays for the import.
    from pgqueuer.queries import Queries

    delay = None if execute_after is None else max(execute_after - clock.now(), timedelta(0))
    queries = Queries.from_asyncpg_connection(await raw_connection(session))
    (job,) = await queries.enqueue(
        entrypoint,
        orjson.dumps(dict(payload)),
        execute_after=delay,
        dedupe_key=dedupe_key,
        on_conflict="skip",
    )
    return job


def read_payload(raw: bytes | None) -> dict[str, Any]:
    """Return what :func:`enqueue` was given.

    Raises:
        ValueError: it is not JSON.
        TypeError: it is not an object.
    """
    payload = orjson.loads(raw or b"{}")
    if not isinstance(payload, dict):
        raise TypeError("a job's payload is a JSON object")
    return payload
