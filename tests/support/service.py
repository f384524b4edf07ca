"""A service that really listens: for whatever talks to it from outside this process or loop."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx
from sqlalchemy import update
from sqlmodel import col

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database
from app.core.runtime import StopSignals, bound_socket
from app.core.serving import serve
from app.main import create_app
from app.models import ImportJob, Staff
from app.vocabulary import ActorKind, ImportKind, ImportStatus, OnExisting
from tests.support import databases
from tests.support.calibrations import calibrate
from tests.support.events import sale
from tests.support.world import World, build_world, send_event

PASSWORD = "neun-Igel-im-Garten"
"""Of every member of staff of a running service."""
MEMBER_NUMBER = "HK000888"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class RunningService:
    """Where it listens, who may sign in, and the card of a customer who bought once.

    ``held`` are cards whose upgrade is held with their reviews, by the ids of the document's
    examples.
    """

    url: str
    world: World
    customer_id: UUID
    held: Mapping[str, str]


@contextmanager
def running_service(database_name: str) -> Iterator[RunningService]:
    """Serve the small world on loopback, over a clone of the template, in a thread of its own."""
    ready: Future[RunningService] = Future()
    stop: Future[tuple[asyncio.AbstractEventLoop, StopSignals]] = Future()

    def run() -> None:
        try:
            asyncio.run(_serve(database_name, ready, stop))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="huike-under-test")
    thread.start()
    try:
        yield ready.result(_START_SECONDS)
    finally:
        if stop.done():
            loop, signals = stop.result()
            loop.call_soon_threadsafe(signals.receive)
        thread.join()


async def _serve(
    database_name: str,
    ready: "Future[RunningService]",
    stop: "Future[tuple[asyncio.AbstractEventLoop, StopSignals]]",
) -> None:
    settings = Settings(_env_file=None)
    async with databases.clone(database_name) as name:
        database = Database(databases.url_for(name, databases.SERVICE), settings)
        world = await build_world(database)
        async with database.transaction() as session:
            await session.execute(
                update(Staff)
                .where(col(Staff.id).in_(world.staff.values()))
                .values(password_hash=await security.hash_password(PASSWORD))
            )
            session.add_all(_imports_of_the_examples())
        listener = bound_socket("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        signals = StopSignals()

        async def once_it_answers() -> None:
            async with httpx.AsyncClient(base_url=url) as client:
                customer_id = await _customer_who_bought(client, world)
                await calibrate(database)
                held = await _held_upgrades(client, world)
            stop.set_result((asyncio.get_running_loop(), signals))
            ready.set_result(RunningService(url, world, customer_id, held))

        try:
            await serve(
                create_app(settings, database), settings, listener, signals,
                on_ready=once_it_answers,
            )  # fmt: skip
        finally:
            await database.close()


def _imports_of_the_examples() -> list[ImportJob]:
    """Return imports with the ids that the API document shows, one of each state it speaks of."""
    states = {
        "19": ImportStatus.AWAITING_FILE, "1a": ImportStatus.CHECKED,
        "1b": ImportStatus.CHECKED, "1c": ImportStatus.DONE,
    }  # fmt: skip
    now = clock.now()
    return [
        ImportJob(
            id=UUID(f"0193a1c2-d3e4-7f00-8000-0000000000{place}"), kind=ImportKind.CARDS,
            status=status, on_existing=OnExisting.SKIP, file_name="a.csv", columns=[], mapping={},
            sample=[], counts={}, created_by_kind=ActorKind.SYSTEM, created_at=now, updated_at=now,
        )
        for place, status in states.items()
    ]  # fmt: skip


async def _customer_who_bought(client: httpx.AsyncClient, world: World) -> UUID:
    answer = await client.post(
        "/v1/customers",
        headers=world.headers("manager"),
        json={
            "kind": "individual",
            "name": "王小明",
            "home_store_id": str(world.stores["S01"]),
            "identities": [{"kind": "member_number", "value": MEMBER_NUMBER}],
        },
    )
    answer.raise_for_status()
    bought = await send_event(client, world, sale("1040.00", member=MEMBER_NUMBER))
    bought.raise_for_status()
    return UUID(answer.json()["id"])


async def _held_upgrades(client: httpx.AsyncClient, world: World) -> dict[str, str]:
    """Return cards of whom one big purchase was too much to be believed, and their reviews."""
    held: dict[str, str] = {}
    for place, member in (("cd", "HK000889"), ("ef", "HK000890")):
        answer = await client.post(
            "/v1/customers",
            headers=world.headers("manager"),
            json={
                "kind": "individual",
                "name": f"周采购{place}",
                "identities": [{"kind": "member_number", "value": member}],
            },
        )
        answer.raise_for_status()
        bought = await send_event(client, world, sale("1200.00", member=member))
        bought.raise_for_status()
        listed = await client.get("/v1/tier-reviews?limit=1", headers=world.headers("manager"))
        [review] = listed.json()["items"]
        example = "0193a1c2-d3e4-7f00-8000-00000000c00"
        held |= {example + place[0]: answer.json()["id"], example + place[1]: review["id"]}
    return held
