"""Alembic, configured in code: the same migrations run in the service, the tests and the checks."""

from pathlib import Path

from alembic.config import Config

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
