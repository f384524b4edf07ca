"""Do something once at a time, on however many machines."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from app.core.database import mapping_failures
from app.core.dsn import plain_dsn

_LOCK_CLASS: Final = 0x4855494B
_CONNECT_SECONDS: Final = 5.0


@asynccontextmanager
async def alone(database_url: str, name: str) -> AsyncIterator[None]:
    """Wait until nobody else is in a block of this name, then be in it.

    The lock lies on a connection of its own, so it spans transactions and ends with the process,
    come what may.

    Raises:
        UnavailableError: the database can't be reached.
    """
    # Two halves of 32 bits, signed: ours among others' locks, and the name among ours.
    key = zlib.crc32(name.encode()) - 2**31
    with mapping_failures():
        connection = await asyncpg.connect(
            plain_dsn(database_url),
            timeout=_CONNECT_SECONDS,
            server_settings={"application_name": f"huike {name}"},
        )
    try:
        with mapping_failures():
            await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_CLASS, key)
        yield
    finally:
        await connection.close()
