"""Serving and stopping, with a small application of our own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.runtime import StopSignals, bound_socket
from app.core.serving import serve

Send = Callable[[dict[str, Any]], Awaitable[None]]


class State:
    """What FastAPI calls ``app.state``."""

    is_draining = False


class Application:
    """Answers 200; at ``/slow`` once it is let go, at ``/who`` with who asks. Notes the order."""

    def __init__(self) -> None:
        self.state = State()
        self.events: list[str] = []
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.events.append("closed")
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/slow":
            self.begun.set()
            await self.let_go.wait()
            self.events.append("answered")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = scope["client"][0].encode() if scope["path"] == "/who" else b"done"
        await send({"type": "http.response.body", "body": body})


async def test_a_request_that_has_begun_is_answered_before_anything_closes(
    settings: Settings,
) -> None:
    application, signals = Application(), StopSignals()
    listener = bound_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def beside() -> None:
        await signals.stop.wait()
        application.events.append("worker stopped")

    async def ready() -> None:
        application.events.append("ready")

    serving = asyncio.create_task(
        serve(application, settings, listener, signals, beside=beside, on_ready=ready)
    )
    async with httpx.AsyncClient() as client:
        slow = asyncio.create_task(client.get(f"{url}/slow"))
        await asyncio.wait_for(application.begun.wait(), 5)
        while "ready" not in application.events:
            await asyncio.sleep(0.01)
        draining = [application.state.is_draining]
        signals.receive()
        await asyncio.sleep(0.3)
        draining.append(application.state.is_draining)
        assert draining == [False, True]
        assert not serving.done()
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        application.let_go.set()
        answer = await slow
    await asyncio.wait_for(serving, 5)

    assert (answer.status_code, answer.text) == (200, "done")
    assert "server" not in answer.headers
    assert application.events == ["ready", "worker stopped", "answered", "closed"]


async def test_a_request_that_does_not_end_is_cut_off_at_the_limit(settings: Settings) -> None:
    application, signals = Application(), StopSignals()
    listener = bound_socket("127.0.0.1", 0)
    hasty = settings.model_copy(update={"graceful_stop_seconds": 1})
    serving = asyncio.create_task(serve(application, hasty, listener, signals))
    async with httpx.AsyncClient() as client:
        slow = asyncio.create_task(client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/slow"))
        await asyncio.wait_for(application.begun.wait(), 5)
        begun = clock.monotonic_seconds()
        signals.receive()
        await asyncio.wait_for(serving, 5)

        assert 0.9 < clock.monotonic_seconds() - begun < 3
        # What is said to the client of a request cut off is uvicorn's affair; it is told.
        outcome = await asyncio.gather(slow, return_exceptions=True)
    assert not isinstance(outcome[0], asyncio.CancelledError)
    assert "closed" in application.events
    assert "answered" not in application.events


async def test_a_second_signal_waits_for_nobody(settings: Settings) -> None:
    application, signals = Application(), StopSignals()
    listener = bound_socket("127.0.0.1", 0)
    serving = asyncio.create_task(serve(application, settings, listener, signals))
    async with httpx.AsyncClient() as client:
        slow = asyncio.create_task(client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/slow"))
        await asyncio.wait_for(application.begun.wait(), 5)
        signals.receive()
        signals.receive()
        await asyncio.wait_for(serving, 3)
        application.let_go.set()
        await asyncio.gather(slow, return_exceptions=True)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ((), "203.0.113.7", "127.0.0.1"),
        (("10.0.0.0/8",), "203.0.113.7", "127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.7", "203.0.113.7"),
        (("127.0.0.1", "10.0.0.5"), "198.51.100.9, 203.0.113.7, 10.0.0.5", "203.0.113.7"),
    ],
    ids=["nobody is trusted", "another is trusted", "the proxy is trusted", "a chain of proxies"],
)
async def test_a_clients_address_is_believed_to_trusted_proxies_only(
    settings: Settings, trusted: tuple[str, ...], forwarded: str, seen: str
) -> None:
    application, signals = Application(), StopSignals()
    listener = bound_socket("127.0.0.1", 0)
    behind = settings.model_copy(update={"trusted_proxies": trusted})
    serving = asyncio.create_task(serve(application, behind, listener, signals))
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"http://127.0.0.1:{listener.getsockname()[1]}/who",
            headers={"X-Forwarded-For": forwarded},
        )
    signals.receive()
    await asyncio.wait_for(serving, 5)
    assert answer.text == seen


async def test_what_is_no_http_gets_a_problem_document_and_the_next_one_is_served(
    settings: Settings,
) -> None:
    application, signals = Application(), StopSignals()
    listener = bound_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve(application, settings, listener, signals))
    try:
        for line in (b"FOO / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line)
            answer = await reader.read()
            writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b"content-type: application/problem+json\r\n" in head
            document = json.loads(body)
            assert (document["type"], document["status"]) == ("/problems/bad-request", 400)
            assert f"x-request-id: {document['request_id']}".encode() in head
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
    finally:
        signals.stop.set()
        await serving
