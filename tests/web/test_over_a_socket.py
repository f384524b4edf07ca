"""The same over real connections: what a client sees on the wire, and what it leaves behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.runtime import bound_socket
from app.web.dependencies import SessionDep
from tests.web.probes import app_with, assert_problem, probe_router


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """Serve an application on a free port of loopback; yield the port."""
    with bound_socket("127.0.0.1", 0) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


@dataclass
class Wire:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response with a Content-Length."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return (
            int(head[0].split(" ")[1]),
            headers,
            await self.reader.readexactly(int(headers.get("content-length", "0"))),
        )


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *headers, "", "")).encode()


async def test_after_an_unhandled_exception_the_connection_serves_the_next_request(
    database: Database, settings: Settings
) -> None:
    router = probe_router()

    @router.get("/bug")
    async def fail() -> None:
        raise KeyError

    async with served(app_with(database, settings, router)) as port, wire(port) as client:
        for _ in range(3):
            await client.send(request("GET", "/v1/probe/bug"))
            status, headers, body = await client.answer()
            assert (status, headers["content-type"]) == (500, "application/problem+json")
            assert headers["x-request-id"].encode() in body
            assert "connection" not in headers
        await client.send(request("GET", "/health/live"))
        status, _, body = await client.answer()
        assert (status, body) == (200, b'{"status":"ok"}')


async def test_a_head_request_gets_headers_and_the_connection_goes_on(
    database: Database, settings: Settings
) -> None:
    async with served(app_with(database, settings)) as port, wire(port) as client:
        await client.send(request("HEAD", "/health/live"), request("GET", "/health/live"))
        head = (await client.reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200")
        assert "content-length: 15\r\n" in head
        assert (await client.answer())[2] == b'{"status":"ok"}'


CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


async def test_a_chunked_flood_is_refused_while_it_arrives(
    database: Database, settings: Settings
) -> None:
    async with served(app_with(database, settings)) as port, wire(port) as client:
        # 1 MB is the limit: 32 pieces of 64 KB are two of them, and the end never comes.
        await client.send(
            request(
                "POST", "/v1/customers/lookup", "Content-Type: application/json",
                "Transfer-Encoding: chunked",
            ),
            *[CHUNK] * 32,
            b"0\r\n\r\n",
        )  # fmt: skip
        status, headers, body = await client.answer()
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert headers["connection"] == "close"
    assert b'"limit_bytes":1000000' in body


async def test_a_declared_flood_is_refused_and_the_client_that_sends_it_all_reads_why(
    database: Database, settings: Settings
) -> None:
    async with served(app_with(database, settings)) as port, wire(port) as client:
        size = 3_000_000
        await client.send(
            request(
                "POST", "/v1/customers/lookup", "Content-Type: application/json",
                f"Content-Length: {size}",
            ),
            b" " * size,
        )  # fmt: skip
        status, _, body = await client.answer()
        assert status == 413
        assert b"/problems/too-large" in body
        assert await client.reader.read() == b""


async def test_an_ordinary_client_reads_the_refusal_of_a_flood(
    database: Database, settings: Settings
) -> None:
    async with (
        served(app_with(database, settings)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = await client.post(
            "/v1/pos/till-1/events",
            content=b" " * 200_000,
            headers={"Content-Type": "application/json"},
        )
        assert assert_problem(answer, 413, "too-large")["limit_bytes"] == 64_000
        assert (await client.get("/health/live")).status_code == 200


async def test_a_client_that_leaves_gives_its_connection_back_to_the_pool(
    fresh_database: Database, settings: Settings
) -> None:
    router, entered, let_go = probe_router(), asyncio.Event(), asyncio.Event()

    @router.get("/hold")
    async def hold(session: SessionDep) -> None:
        await session.execute(text("SELECT 1"))
        entered.set()
        await let_go.wait()

    pool = fresh_database.engine.pool
    async with served(app_with(fresh_database, settings, router)) as port:
        async with wire(port) as client:
            await client.send(request("GET", "/v1/probe/hold"))
            await entered.wait()
            assert pool.checkedout() == 1  # type: ignore[attr-defined]  # QueuePool's
        let_go.set()
        while pool.checkedout():  # type: ignore[attr-defined]  # QueuePool's
            await asyncio.sleep(0.01)
        async with wire(port) as client:
            await client.send(request("GET", "/health/ready"))
            assert (await client.answer())[0] == 200


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(
    fresh_database: Database, settings: Settings
) -> None:
    async with served(app_with(fresh_database, settings)) as port:
        async with wire(port) as client:
            await client.send(
                request(
                    "POST", "/v1/customers/lookup", "Content-Type: application/json",
                    "Content-Length: 100",
                ),
                b"{",
            )  # fmt: skip
        async with wire(port) as client:
            await client.send(request("GET", "/health/ready"))
            assert (await client.answer())[0] == 200
    assert fresh_database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool's


@pytest.mark.parametrize("attempt", ["/v1/%zz", "/v1/customers/../../etc", "//v1/me", "/v1/me%00"])
async def test_odd_addresses_are_refused_as_problems(
    database: Database, settings: Settings, attempt: str
) -> None:
    async with served(app_with(database, settings)) as port, wire(port) as client:
        await client.send(request("GET", attempt))
        status, headers, _ = await client.answer()
    assert 400 <= status < 500
    assert headers["content-type"] == "application/problem+json"
