"""Files for imports: brought in over the API, worked on as a worker does."""

from typing import Any
from uuid import UUID

import httpx

from app.core.config import Settings
from app.core.database import Database
from app.jobs.imports import advance
from tests.support.world import World


async def upload(
    client: httpx.AsyncClient, world: World, content: bytes, **body: Any
) -> dict[str, Any]:
    """Begin an import and send its file; return the import."""
    made = await client.post(
        "/v1/imports",
        headers=world.headers("manager"),
        json={"file_name": "file.csv", **body},
    )
    assert made.status_code == 201, made.text
    answer = await client.put(
        f"{made.headers['location']}/file",
        headers={**world.headers("manager"), "Content-Type": "application/octet-stream"},
        content=content,
    )
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def step(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings, job: Any
) -> dict[str, Any]:
    """Do what the import waits for; return it as it is then."""
    await advance(database, settings, UUID(job["id"]))
    answer = await client.get(f"/v1/imports/{job['id']}", headers=world.headers("manager"))
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def ask(
    client: httpx.AsyncClient, world: World, job: Any, verb: str, status: int = 200
) -> dict[str, Any]:
    """Ask for the import to be run, cancelled or undone."""
    answer = await client.post(f"/v1/imports/{job['id']}/{verb}", headers=world.headers("manager"))
    assert answer.status_code == status, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def report(client: httpx.AsyncClient, world: World, job: Any) -> dict[str, Any]:
    """Return the import's report."""
    answer = await client.get(f"/v1/imports/{job['id']}/report", headers=world.headers("manager"))
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read
