"""How Alembic reaches the database: asyncpg, like everything else, as the owner role."""

import asyncio
from typing import Any

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.models import metadata

config = context.config
# pgqueuer keeps its own tables, enum and trigger; a migration installs them, the models don't
# know them.
FOREIGN_PREFIX = "pgqueuer"
MIGRATION_LOCK = 0x4855494B45


def include_name(name: str | None, type_: str, _parents: Any) -> bool:
    """Leave pgqueuer's tables out of comparisons."""
    return not (type_ == "table" and name is not None and name.startswith(FOREIGN_PREFIX))


def configure(**arguments: Any) -> None:
    """Give both modes the same options."""
    context.configure(
        target_metadata=metadata,
        include_name=include_name,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        **arguments,
    )


def run_offline() -> None:
    """Print the SQL instead of running it."""
    configure(url="postgresql://", literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: sa.Connection) -> None:
    """Run on a connection, one migrator at a time: others wait for the lock."""
    connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    try:
        configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        if connection.in_transaction():
            connection.rollback()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


async def run_online() -> None:
    """Open the one connection that migrates."""
    engine = create_async_engine(config.attributes["url"], poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run_on)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())
