"""Pure ASGI middleware: what surrounds every request.

From the outside in: :class:`Identify`, :class:`AllowOrigins`, :class:`CatchFailures`,
:class:`AnswerHead`, :class:`LimitBody`, :class:`KeepDeadline`, :class:`RunAgain`.
"""

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import clock
from app.core.config import Settings
from app.core.database import MAXIMUM_TRANSACTION_TRIES, contended
from app.core.errors import RetryTransactionError, TooLargeError
from app.core.ids import new_id
from app.web.problems import problem_response, response_for

log = structlog.get_logger()

REQUESTS = Counter("huike_http_requests_total", "Requests answered.", ("method", "route", "status"))
DURATIONS = Histogram(
    "huike_http_request_duration_seconds", "Time to the end of the answer.", ("method", "route")
)
IN_PROGRESS = Gauge("huike_http_requests_in_progress", "Requests being answered.")
# What a client that went away, or a stop that could not wait, leaves without a status.
UNANSWERED = 499

_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DRAIN_SECONDS = 2.0
_DRAIN_TIMES_LIMIT = 4
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    # Pages say what they need themselves; everything else needs nothing.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


class Identify:
    """Give each request an id, count and log it, and send the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_id().hex
        scope["huike.request_id"] = request_id
        started = clock.monotonic_seconds()
        status = UNANSWERED

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete_headers(message, scope, request_id)
            await send(message)

        IN_PROGRESS.inc()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_headers)
            finally:
                IN_PROGRESS.dec()
                _note(scope, status, clock.monotonic_seconds() - started)


def _complete_headers(message: Message, scope: Scope, request_id: str) -> None:
    """Add what the response has not said itself."""
    headers = list(message.get("headers", ()))
    said = {name.lower() for name, _ in headers}
    wanted = dict(_SECURITY_HEADERS)
    if scope["path"].startswith("/v1/"):
        # Answers are about people: no cache keeps them.
        wanted[b"cache-control"] = b"no-store"
    headers += [(name, value) for name, value in wanted.items() if name not in said]
    message["headers"] = [*headers, (b"x-request-id", request_id.encode())]


def _note(scope: Scope, status: int, seconds: float) -> None:
    """Count and log a request by its route's template: an address may name a person."""
    route = str(getattr(scope.get("route"), "path", "unmatched"))
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


class AllowOrigins(CORSMiddleware):
    """Let the web pages of configured origins call; refuse a preflight as everything is refused."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        super().__init__(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Idempotency-Key", "If-Match", "Prefer", "X-API-Key"),
            expose_headers=(
                "Content-Disposition", "ETag", "Idempotency-Replayed", "Location",
                "Preference-Applied", "Retry-After", "X-Request-Id",
            ),
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                answer = self.preflight_response(headers)
                if answer.status_code >= 400:
                    answer = problem_response(
                        scope, "origin-not-allowed", headers={"Vary": answer.headers["vary"]}
                    )
                await answer(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


class CatchFailures:
    """Answer 500 to what nobody caught.

    An exception that reached uvicorn would make it close the socket without saying so, and the
    client's next request would be reset; so nothing is raised from here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watched = _Watched(send)
        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            # Nobody is there to be told.
            return
        except Exception:
            log.exception("request_failed")
            if not watched.has_started:
                await problem_response(scope, "internal-error")(scope, receive, send)


class _Watched:
    """A ``send`` that remembers whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        self.has_started = True
        await self._send(message)


class AnswerHead:
    """Answer HEAD as GET is answered, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_no_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_no_body)
        finally:
            _tell_route(as_get, scope)


class _BodyTooLargeError(Exception):
    """The limit was passed while the body was read."""


class LimitBody:
    """Refuse a body over its limit, counted as it arrives, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    def limit_bytes(self, path: str) -> int:
        """Return the limit for a path."""
        if path.startswith("/v1/pos/"):
            if path.endswith("/events/batch"):
                return self.settings.batch_limit_bytes
            return self.settings.event_limit_bytes
        if path == "/v1/interactions/batch":
            return self.settings.batch_limit_bytes
        if is_upload(path):
            return self.settings.import_limit_bytes
        return self.settings.body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_bytes(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if _is_more(declared, limit):
            await self._refuse(scope, receive, send, limit, is_more_to_come=True)
            return
        received = 0
        is_more_to_come = True
        watched = _Watched(send)

        async def receive_counted() -> Message:
            nonlocal received, is_more_to_come
            message = await receive()
            received += len(message.get("body", b""))
            is_more_to_come = message.get("more_body", False)
            if received > limit:
                raise _BodyTooLargeError
            return message

        try:
            await self.app(scope, receive_counted, watched)
        except _BodyTooLargeError:
            if watched.has_started:
                raise
            await self._refuse(scope, receive, send, limit, is_more_to_come=is_more_to_come)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, limit: int, *, is_more_to_come: bool
    ) -> None:
        """Answer, and take in some of what the client still sends before the connection closes.

        A connection closed on unread bytes is reset, and the client would never see the answer.
        """
        response = response_for(
            scope,
            TooLargeError(
                f"This operation takes {limit} bytes at most.",
                detail_zh=f"此操作的正文上限为 {limit} 字节。",
                members={"limit_bytes": limit},
                headers={"Connection": "close"},
            ),
        )

        async def send_unfinished(message: Message) -> None:
            await send({**message, "more_body": True} if "body" in message else message)

        await response(scope, receive, send_unfinished)
        if is_more_to_come:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await _drain(receive, limit * _DRAIN_TIMES_LIMIT)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_more(declared: str, limit: int) -> bool:
    """Tell whether a Content-Length is over the limit; the server has refused what is no number."""
    return (
        declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > limit)
    )


async def _drain(receive: Receive, at_most_bytes: int) -> None:
    while at_most_bytes > 0:
        message = await receive()
        if not message.get("more_body", False):
            return
        at_most_bytes -= len(message.get("body", b""))


class KeepDeadline:
    """Answer 503 when a request takes longer than its deadline and nothing was sent yet.

    An answer that has begun is cut off, and the connection closed: its end does not look like one.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    def deadline_seconds(self, path: str) -> float:
        """Return the deadline for a path."""
        if path.endswith("/events/batch"):
            return self.settings.batch_deadline_seconds
        if path.startswith("/v1/exports/"):
            # As long as the list and the client's line are; no transaction is open meanwhile.
            return self.settings.export_deadline_seconds
        if is_upload(path):
            return self.settings.upload_deadline_seconds
        return self.settings.request_deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watched = _Watched(send)
        limit = asyncio.timeout(self.deadline_seconds(scope["path"]))
        try:
            async with limit:
                await self.app(scope, receive, watched)
        except TimeoutError:
            if watched.has_started or not limit.expired():
                raise
            response = problem_response(scope, "deadline-exceeded", headers={"Retry-After": "1"})
            await response(scope, receive, send)


def is_upload(path: str) -> bool:
    """Tell whether a path takes files, which are too long to be kept or read twice."""
    return path.startswith("/v1/imports/") and path.endswith("/file")


class RunAgain:
    """Run the request again when its transaction collided with another (40001, 40P01)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if is_upload(scope["path"]):
            await self._run_once(scope, receive, send)
            return
        arrived: list[Message] = []
        for attempt in range(1, MAXIMUM_TRANSACTION_TRIES + 1):
            trial = dict(scope)
            try:
                await self.app(trial, _replaying(arrived, receive), send)
            except RetryTransactionError:
                log.warning("transaction_retried", attempt=attempt)
            else:
                return
            finally:
                _tell_route(trial, scope)
        await response_for(scope, contended())(scope, receive, send)

    async def _run_once(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except RetryTransactionError:
            await response_for(scope, contended())(scope, receive, send)


def _replaying(arrived: list[Message], receive: Receive) -> Receive:
    """Return a ``receive`` that begins with what has arrived, and adds to it."""
    position = 0

    async def receive_again() -> Message:
        nonlocal position
        if position == len(arrived):
            arrived.append(await receive())
        position += 1
        return arrived[position - 1]

    return receive_again


def _tell_route(inner: MutableMapping[str, Any], outer: MutableMapping[str, Any]) -> None:
    """Hand outwards what routing wrote into a copy of the scope: the access log names the route."""
    if "route" in inner:
        outer["route"] = inner["route"]
