"""Pure ASGI middleware: what surrounds every request.

From the outside in: identify, log and catch; limit the body; keep the deadline; run the
transaction again when PostgreSQL asks for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from prometheus_client import Counter, Gauge, Histogram

from app.core import clock
from app.core.config import Settings
from app.core.database import MAXIMUM_TRANSACTION_TRIES
from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.web.problems import problem_response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger()

REQUESTS = Counter("huike_http_requests_total", "Requests answered.", ("method", "route", "status"))
DURATIONS = Histogram(
    "huike_http_request_duration_seconds", "Time to the end of the answer.", ("method", "route")
)
IN_PROGRESS = Gauge("huike_http_requests_in_progress", "Requests being answered.")
_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Identify:
    """Give each request an id, log and count it, and answer 500 to what nobody caught.

    An exception that reached uvicorn would make it close the socket without saying so, and the
    client's next request would be reset; so nothing is raised from here.
    """

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_id().hex
        scope["huike.request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = clock.monotonic_seconds()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).extend(
                    [
                        (b"x-request-id", request_id.encode()),
                        (b"x-content-type-options", b"nosniff"),
                    ]
                )
            await send(message)

        IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or 499
        except Exception:
            log.exception("request_failed", path=scope["path"])
            if status == 0:
                await problem_response(scope, "internal-error")(scope, receive, send_with_id)  # type: ignore[arg-type]
        finally:
            IN_PROGRESS.dec()
            seconds = clock.monotonic_seconds() - started
            route = _route_template(scope)
            method = scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
            REQUESTS.labels(method, route, str(status)).inc()
            DURATIONS.labels(method, route).observe(seconds)
            if scope["path"] not in _QUIET:
                log.info(
                    "request_answered",
                    method=method,
                    route=route,
                    status=status,
                    duration_ms=round(seconds * 1000, 1),
                )


def _route_template(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


class _TooLargeError(Exception):
    pass


class LimitBody:
    """Refuse a body over its limit, counted as it arrives, whatever Content-Length says."""

    def __init__(self, app: AsgiApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    def limit_for(self, path: str) -> int:
        """Return the limit in bytes for a path."""
        if path.startswith("/v1/pos/"):
            if path.endswith("/events/batch"):
                return self.settings.batch_limit_bytes
            return self.settings.event_limit_bytes
        return self.settings.body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_for(scope["path"])
        declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(scope, receive, send, limit)
            return
        received = 0
        started = False

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _TooLargeError
            return message

        async def watching(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counting, watching)
        except _TooLargeError:
            if not started:
                await self._refuse(scope, receive, send, limit)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        response = problem_response(
            scope,
            "too-large",
            detail=f"This operation takes {limit} bytes at most.",
            detail_zh=f"此操作的正文上限为 {limit} 字节。",
            members={"limit_bytes": limit},
            headers={"Connection": "close"},
        )
        await response(scope, receive, send)  # type: ignore[arg-type]


class KeepDeadline:
    """Answer 503 when a request takes longer than its deadline and nothing was sent yet."""

    def __init__(self, app: AsgiApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seconds = (
            self.settings.batch_deadline_seconds
            if scope["path"].endswith("/events/batch")
            else self.settings.request_deadline_seconds
        )
        started = False

        async def watching(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await self.app(scope, receive, watching)
        except TimeoutError:
            if started or not limit.expired():
                raise
            response = problem_response(scope, "deadline-exceeded", headers={"Retry-After": "1"})
            await response(scope, receive, send)  # type: ignore[arg-type]


class RunAgain:
    """Run the request again when its transaction collided with another (40001, 40P01)."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived: list[Message] = []
        for attempt in range(1, MAXIMUM_TRANSACTION_TRIES + 1):
            replayed = iter(list(arrived))

            async def receive_again(replayed: Any = replayed) -> Message:
                for message in replayed:
                    return message  # type: ignore[no-any-return]
                message = await receive()
                arrived.append(message)
                return message

            trial = dict(scope)
            try:
                await self.app(trial, receive_again, send)
            except RetryTransactionError:
                log.warning("transaction_retried", attempt=attempt)
                continue
            finally:
                # Routing writes into the scope; the access log outside reads the route from it.
                if "route" in trial:
                    scope["route"] = trial["route"]
            return
        response = problem_response(scope, "contended", headers={"Retry-After": "1"})
        await response(scope, receive, send)  # type: ignore[arg-type]
