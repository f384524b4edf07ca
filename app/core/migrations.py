"""Alembic, configured in code: the same migrations run in the service, the tests and the checks."""

from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

SCRIPT_FOLDER = Path(__file__).resolve().parents[2] / "alembic"


def alembic_config(url: str, *, service_role: str = "huike_service") -> Config:
    """Return a configuration that migrates the database at ``url`` (postgresql+asyncpg)."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPT_FOLDER))
    config.set_main_option(
        "file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s"
    )
    config.attributes["url"] = url
    config.attributes["service_role"] = service_role
    return config


def newest_revision() -> str:
    """Return the revision that the code expects the database to have."""
    head = ScriptDirectory(str(SCRIPT_FOLDER)).get_current_head()
    assert head is not None
    return head


async def current_revision(url: str) -> str | None:
    """Return the revision a database is at, None when it was never migrated."""
    connection = await asyncpg.connect(plain_dsn(url), timeout=5)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()


def plain_dsn(url: str) -> str:
    """Return an SQLAlchemy URL as a libpq connection string that asyncpg takes."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
