"""Migrations: up from nothing, down and up again, no drift, and each role with its own rights."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

import app.models  # noqa: F401 - the tables register themselves with the metadata
from app.core.database import metadata
from app.core.dsn import plain_dsn
from app.core.ids import new_id
from app.core.migrations import alembic_config
from app.core.runtime import current_revision, revisions
from app.models.columns import CodeColumn
from tests.support import databases

LAYOUT = """
SELECT table_name, column_name, data_type, is_nullable, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
ORDER BY 1, ordinal_position
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 ORDER BY 1, 2
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
CHECKS = """
SELECT conrelid::regclass::text AS table_name, conname, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""
LEFT_OVERS = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm', 'S') AND relname <> 'alembic_version'
UNION ALL
SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
UNION ALL
SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


async def as_role(name: str, role: str) -> "asyncpg.Connection[Any]":
    """Connect to a database as one of the two roles."""
    return await asyncpg.connect(plain_dsn(databases.url_for(name, role)))


@pytest.fixture
async def empty_database(worker_name: str) -> AsyncIterator[str]:
    """A database that no migration has seen."""
    name = f"{worker_name}_{new_id().hex[-12:]}"
    async with databases.clone(name, template="template0"):
        yield name


@pytest.fixture
async def migrated_database(worker_name: str) -> AsyncIterator[str]:
    """A clone of the template, which every test's database is."""
    async with databases.clone(f"{worker_name}_{new_id().hex[-12:]}") as name:
        yield name


@asynccontextmanager
async def refused() -> AsyncIterator[None]:
    """Expect PostgreSQL to refuse for lack of rights."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        yield


def config_of(name: str) -> Config:
    """Return Alembic's configuration for a database, as its owner; it prints nothing."""
    config = alembic_config(databases.url_for(name, databases.OWNER))
    config.stdout = io.StringIO()
    return config


async def layout_of(name: str) -> list[list[tuple[Any, ...]]]:
    """Return columns, constraints and indexes."""
    connection = await as_role(name, databases.OWNER)
    try:
        return [
            [tuple(row) for row in await connection.fetch(query)]
            for query in (LAYOUT, CONSTRAINTS, INDEXES)
        ]
    finally:
        await connection.close()


async def test_up_from_nothing_down_and_up_again_without_drift(empty_database: str) -> None:
    config, url = config_of(empty_database), databases.url_for(empty_database, databases.OWNER)
    assert await current_revision(url) is None
    await asyncio.to_thread(command.upgrade, config, "head")
    assert await current_revision(url) == revisions()[-1]
    first = await layout_of(empty_database)
    assert {row[0] for row in first[0]} >= set(metadata.tables)
    await asyncio.to_thread(command.check, config)

    await asyncio.to_thread(command.downgrade, config, "base")
    connection = await as_role(empty_database, databases.OWNER)
    try:
        assert [row[0] for row in await connection.fetch(LEFT_OVERS)] == []
    finally:
        await connection.close()

    await asyncio.to_thread(command.upgrade, config, "head")
    assert await layout_of(empty_database) == first


async def test_every_code_column_is_checked_for_the_codes_of_its_vocabulary(
    migrated_database: str,
) -> None:
    # Alembic does not see a changed CHECK.
    connection = await as_role(migrated_database, databases.OWNER)
    try:
        definitions = {row["conname"]: row["definition"] for row in await connection.fetch(CHECKS)}
    finally:
        await connection.close()
    compared = 0
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, CodeColumn):
                definition = definitions[f"ck_{table.name}_{column.name}"]
                codes = {part.split("'")[1] for part in definition.split("::text") if "'" in part}
                assert codes == {str(code) for code in column.type.vocabulary}, column
                compared += 1
    assert compared >= 20


async def test_the_service_can_work_and_can_neither_alter_tables_nor_the_audit_trail(
    migrated_database: str,
) -> None:
    connection = await as_role(migrated_database, databases.SERVICE)
    try:
        for statement in (
            "ALTER TABLE customer ADD COLUMN odd text",
            "DROP TABLE customer_stats",
            "TRUNCATE customer",
            "CREATE TABLE odd (id integer)",
            "CREATE INDEX odd ON customer (note)",
            "UPDATE audit_entry SET action = action",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
            "UPDATE alembic_version SET version_num = '0001'",
            "DELETE FROM alembic_version",
            f"SET ROLE {databases.OWNER}",
        ):
            async with refused():
                await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM audit_entry") == 0
        for table in set(metadata.tables) - {"audit_entry"}:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                assert await connection.fetchval(
                    "SELECT has_table_privilege($1, $2)", table, right
                ), (table, right)
        assert await connection.fetchval("SELECT has_table_privilege('audit_entry', 'INSERT')")
    finally:
        await connection.close()


async def test_a_table_that_a_later_migration_adds_is_the_services_to_use(
    migrated_database: str,
) -> None:
    owner = await as_role(migrated_database, databases.OWNER)
    await owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, note text)")
    await owner.close()
    service = await as_role(migrated_database, databases.SERVICE)
    try:
        await service.execute("INSERT INTO later (note) VALUES ('kept')")
        assert await service.fetchval("SELECT note FROM later") == "kept"
    finally:
        await service.close()


async def test_the_job_queue_is_installed_and_the_services_to_use(migrated_database: str) -> None:
    service = await as_role(migrated_database, databases.SERVICE)
    try:
        names = {
            row[0]
            for row in await service.fetch(
                "SELECT relname FROM pg_class WHERE relname LIKE 'pgqueuer%' AND relkind = 'r'"
            )
        }
        assert {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules"} <= names
        for name in sorted(names):
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                assert await service.fetchval("SELECT has_table_privilege($1, $2)", name, right)
    finally:
        await service.close()


async def test_each_scope_begins_with_its_policy_in_force(migrated_database: str) -> None:
    service = await as_role(migrated_database, databases.SERVICE)
    try:
        rows = await service.fetch(
            "SELECT scope, version, status, body ->> 'window_days' FROM tier_policy ORDER BY scope"
        )
        assert [tuple(row) for row in rows] == [
            ("individual", 1, "active", "365"), ("organization", 1, "active", "365"),
        ]  # fmt: skip
    finally:
        await service.close()
