"""Serve an application with uvicorn, and stop it in order: drain, finish, close."""

import asyncio
import contextlib
import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.config import Settings
from app.core.ids import new_id
from app.core.runtime import StopSignals

log = structlog.get_logger()

_KEEP_ALIVE_SECONDS = 20
_READY_TRIES = 100
_READY_PAUSE_SECONDS = 0.1
_PROBE_SECONDS = 5.0


class _Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, answering what is no HTTP with a problem document like all the others."""

    def send_400_response(self, msg: str) -> None:
        """Refuse and close. ``msg`` is the parser's; nothing of the request is repeated."""
        request_id = new_id().hex
        body = orjson.dumps(
            {
                "type": "/problems/bad-request",
                "title": "The request cannot be understood",
                "status": 400,
                "detail": "The request line or a header is not as HTTP wants it.",
                "instance": "",
                "request_id": request_id,
            }
        )
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            "x-content-type-options: nosniff\r\ncache-control: no-store\r\n"
            "connection: close\r\n\r\n"
        )
        log.info("request_unreadable", request_id=request_id)
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """Uvicorn without its own idea of signals, saying when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn's way ends the process before the database is let go."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and say so."""
        await super().startup(sockets)
        self.listens.set()


async def serve(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    signals: StopSignals,
    *,
    beside: Callable[[], Awaitable[None]] | None = None,
    on_ready: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer requests on a bound socket until a signal, then finish those that have begun.

    ``app`` is a FastAPI application; ``app.state.is_draining`` turns true at the signal. ``beside``
    runs in the same process from the first answer on, and ends by itself when ``signals.stop`` is
    set. ``on_ready`` is called once ``/health/ready`` answers 200.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            # Start and stop are told by our own events.
            log_level="warning",
            access_log=False,
            server_header=False,
            # Anybody can send X-Forwarded-For; sign-in counts by address.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=settings.graceful_stop_seconds,
        )
    )
    host, port = listener.getsockname()[:2]
    signals.defer()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(_stop_on_signal(app, server, signals))
    afterwards = asyncio.create_task(_once_it_listens(server, host, port, beside, on_ready))
    try:
        await serving
    finally:
        signals.stop.set()
        stopping.cancel()
        # What runs beside ends at the stop event; only a callback that still waits is broken off.
        if not server.listens.is_set():
            afterwards.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await afterwards
        log.info("service_stopped")


async def _stop_on_signal(app: Any, server: uvicorn.Server, signals: StopSignals) -> None:
    await signals.stop.wait()
    log.info("service_stopping")
    app.state.is_draining = True
    server.should_exit = True
    await signals.hurry.wait()
    server.force_exit = True


async def _once_it_listens(
    server: _Server,
    host: str,
    port: int,
    beside: Callable[[], Awaitable[None]] | None,
    on_ready: Callable[[], Awaitable[None]] | None,
) -> None:
    await server.listens.wait()
    log.info("service_listening", host=host, port=port)
    async with asyncio.TaskGroup() as group:
        if beside is not None:
            group.create_task(_run(beside))
        if on_ready is not None and await asyncio.to_thread(_becomes_ready, host, port):
            await on_ready()


async def _run(beside: Callable[[], Awaitable[None]]) -> None:
    await beside()


def _becomes_ready(host: str, port: int) -> bool:
    """Ask the service itself, as any client would, until it says that it is ready."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    for _ in range(_READY_TRIES):
        connection = http.client.HTTPConnection(address, port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.client.OK:
                return True
        except OSError:
            return False
        finally:
            connection.close()
        time.sleep(_READY_PAUSE_SECONDS)
    return False
