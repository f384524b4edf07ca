"""Real databases for tests: a template migrated once, a clone for each worker or test."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from alembic import command
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.core.config import Settings
from app.core.database import Database, mapping_failures
from app.core.embedded_postgres import temporary_server
from app.core.migrations import alembic_config

ADMIN_URL_VARIABLE = "HUIKE_TEST_ADMIN_URL"
OWNER, SERVICE, TEMPLATE = "huike_owner", "huike_service", "huike_template"


def url_for(database: str, user: str | None = None) -> str:
    """Return the address of a database on the test server, as the given role."""
    url = make_url(os.environ[ADMIN_URL_VARIABLE]).set(database=database)
    if user is not None:
        # Roles of the test server have no passwords; it listens on a private socket or loopback.
        url = url.set(username=user, password=os.environ.get("HUIKE_TEST_ROLE_PASSWORD") or None)
    return url.render_as_string(hide_password=False)


async def start_server(stack: AsyncExitStack) -> str:
    """Start the embedded server, or use the one that HUIKE_TEST_DATABASE_URL names."""
    given = os.environ.get("HUIKE_TEST_DATABASE_URL")
    if given:
        return given
    server = await stack.enter_async_context(temporary_server(fsync=False))
    return str(server.url("postgres", "postgres"))


async def _admin() -> "asyncpg.Connection[asyncpg.Record]":
    url = make_url(os.environ[ADMIN_URL_VARIABLE]).set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False))


async def make_template() -> None:
    """Create the two roles and a migrated template database, replacing an older one."""
    import asyncio

    connection = await _admin()
    try:
        password = os.environ.get("HUIKE_TEST_ROLE_PASSWORD")
        for role in (OWNER, SERVICE):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                clause = f" PASSWORD '{password}'" if password else ""
                await connection.execute(f"CREATE ROLE {role} LOGIN{clause}")
        await connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        await connection.execute(
            f"CREATE DATABASE {TEMPLATE} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'"
        )
    finally:
        await connection.close()
    await asyncio.to_thread(command.upgrade, alembic_config(url_for(TEMPLATE, OWNER)), "head")


@asynccontextmanager
async def clone(name: str, template: str = TEMPLATE) -> AsyncIterator[str]:
    """Copy the template under a name for the length of a block; yield the name."""
    connection = await _admin()
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
        try:
            yield name
        finally:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


class RollbackDatabase(Database):
    """A database whose every transaction is a savepoint of one that is rolled back in the end.

    One connection serves all, so transactions of a test run one after the other.
    """

    connection: AsyncConnection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a savepoint that looks like a transaction to whoever uses it."""
        with mapping_failures():
            async with (
                AsyncSession(
                    self.connection,
                    join_transaction_mode="create_savepoint",
                    expire_on_commit=False,
                    autoflush=False,
                    info=self.session_info,
                ) as session,
                session.begin(),
            ):
                yield session


@asynccontextmanager
async def rolled_back(url: str, settings: Settings) -> AsyncIterator[RollbackDatabase]:
    """Yield a database of which nothing remains."""
    database = RollbackDatabase(url, settings)
    try:
        async with database.engine.connect() as connection:
            database.connection = connection
            transaction = await connection.begin()
            yield database
            await transaction.rollback()
    finally:
        await database.close()
