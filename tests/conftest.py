"""Fixtures: a server once a run, a clone of the template for each worker, a rollback each test."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.core.logging import configure_logging
from app.main import create_app
from app.services import reports
from tests.support import databases
from tests.support.shop import Shop
from tests.support.world import World, build_world


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that controls the run; workers inherit its address."""
    configure_logging("json", "WARNING")
    if hasattr(config, "workerinput") or databases.ADMIN_URL_VARIABLE in os.environ:
        return
    if config.option.collectonly:
        return
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    try:
        os.environ[databases.ADMIN_URL_VARIABLE] = loop.run_until_complete(
            databases.start_server(stack)
        )
        loop.run_until_complete(databases.make_template())
    except BaseException:
        loop.run_until_complete(stack.aclose())
        raise

    def stop() -> None:
        os.environ.pop(databases.ADMIN_URL_VARIABLE, None)
        loop.run_until_complete(stack.aclose())
        loop.close()

    config.add_cleanup(stop)


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Name this worker's databases."""
    return f"huike_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"


@pytest.fixture(scope="session")
def worker_database(worker_name: str) -> Iterator[str]:
    """Clone the template for this worker."""
    loop = asyncio.new_event_loop()
    context = databases.clone(worker_name)
    loop.run_until_complete(context.__aenter__())
    yield worker_name
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()


@pytest.fixture(autouse=True)
def reports_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no busy machine leave to a worker what a test asks for; some tests set it otherwise."""
    monkeypatch.setattr(reports, "AT_ONCE_SECONDS", 60.0)


@pytest.fixture
def settings() -> Settings:
    """The defaults, whatever the environment says."""
    return Settings(_env_file=None)


@pytest.fixture
async def database(worker_database: str, settings: Settings) -> AsyncIterator[Database]:
    """A database as the service's own role; everything is rolled back at the end of the test."""
    url = databases.url_for(worker_database, databases.SERVICE)
    async with databases.rolled_back(url, settings) as rolled_back:
        yield rolled_back


@pytest.fixture
async def fresh_database(worker_name: str, settings: Settings) -> AsyncIterator[Database]:
    """A clone of one's own, where commits are real and transactions run side by side."""
    async with databases.clone(f"{worker_name}_{new_id().hex[-12:]}") as name:
        database = Database(databases.url_for(name, databases.SERVICE), settings)
        yield database
        await database.close()


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    """A session whose work is rolled back at the end of the test."""
    async with database.transaction() as opened:
        yield opened


@pytest.fixture
async def world(database: Database) -> World:
    """The small chain, in the database that is rolled back."""
    return await build_world(database)


@pytest.fixture
async def client(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service over the database that is rolled back."""
    async with client_of(database, settings) as opened:
        yield opened


class _Client(httpx.AsyncClient):
    """A client that gives its application back for the next test when it is closed."""

    def __init__(self, application: FastAPI) -> None:
        transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url="http://testserver")
        self._application: FastAPI | None = application

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(exc_type, exc_value, traceback)
        if self._application is not None:
            _idle_applications[self._application.state.settings].append(self._application)
            self._application = None


_idle_applications: dict[Settings, list[FastAPI]] = defaultdict(list)


def client_of(database: Database, settings: Settings) -> httpx.AsyncClient:
    """Return a client that calls an application over ``database`` in this process.

    Making an application takes longer than most tests, so one that is idle is used again.
    """
    idle = _idle_applications[settings]
    application = idle.pop() if idle else create_app(settings, database)
    application.state.database = database
    return _Client(application)


@pytest.fixture
def now() -> clock.FixedClock:
    """A clock that tests move."""
    return clock.FixedClock(datetime(2026, 11, 21, 6, 30, tzinfo=UTC))


@pytest.fixture
async def shop(
    now: clock.FixedClock, database: Database, settings: Settings, client: httpx.AsyncClient,
    world: World,
) -> AsyncIterator[Shop]:  # fmt: skip
    """The small chain at a fixed instant, in the database that is rolled back."""
    with clock.using(now, everywhere=True):
        yield Shop(client, world, database, settings)
