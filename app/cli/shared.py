"""What the commands share: settings, a run to its end, a database."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from app.core.config import Settings
    from app.core.database import Database
    from app.core.runtime import Addresses, StopSignals


def read_settings(*, host: str | None = None, port: int | None = None) -> "Settings":
    """Read the settings; what the command line says wins."""
    from pydantic import ValidationError

    from app.core.config import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"huike: HUIKE_{name}: {problem['msg']}", file=sys.stderr)
        raise typer.Exit(1) from None
    given = {"host": host, "port": port}
    return settings.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )


def run_work(settings: "Settings", work: Callable[["StopSignals"], Awaitable[None]]) -> None:
    """Run a command's work on uvloop; end with a sentence and exit code 1 where one will do."""
    import uvloop

    from app.core.config import UnsafeSettingsError
    from app.core.embedded_postgres import EmbeddedPostgresError
    from app.core.errors import HuikeError
    from app.core.logging import configure_logging
    from app.core.runtime import CannotStartError, until_signalled

    configure_logging(settings.log_format, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_signalled(work))
    except (
        CannotStartError, EmbeddedPostgresError, HuikeError, OSError, UnsafeSettingsError
    ) as error:  # fmt: skip
        print(f"huike: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


@asynccontextmanager
async def open_database(settings: "Settings") -> AsyncIterator["Database"]:
    """Open the configured database, its tables being what the code expects.

    Raises:
        CannotStartError: there is no embedded database in the data folder: made here, an empty
            one would only hide that this is the wrong folder.
    """
    from app.core.runtime import CannotStartError, prepared_database

    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        raise CannotStartError(
            f"There is no database in {settings.data_dir.absolute()}. Call this where `huike run` "
            "was called, name the folder with HUIKE_DATA_DIR, set HUIKE_DATABASE_URL, or make one "
            "here with `huike migrate`."
        )
    async with prepared_database(settings) as addresses, opened(addresses, settings) as database:
        yield database


@asynccontextmanager
async def opened(addresses: "Addresses", settings: "Settings") -> AsyncIterator["Database"]:
    """Open the database for work that may take minutes."""
    from app.core.database import Database

    database = Database(addresses.service, settings, statement_timeout_seconds=15 * 60)
    try:
        yield database
    finally:
        await database.close()


def from_environment(name: str) -> str | None:
    """Read a variable that is no setting of the service, from the places where settings are."""
    from dotenv import dotenv_values

    return os.environ.get(name) or dotenv_values(".env").get(name) or None


def base_url_of(settings: "Settings") -> str:
    return f"http://{settings.host}:{settings.port}"
