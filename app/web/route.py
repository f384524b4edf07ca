"""The route class of every router: strict JSON, and kept answers of idempotent requests."""

import json
import math
from collections.abc import Callable, Coroutine, Iterator
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import File, Form
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app.core.errors import (
    FieldError,
    InvalidInputError,
    MalformedError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from app.web.findings import pointer_of
from app.web.idempotency import SCOPE_KEY, KeptAnswer

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
MAXIMUM_DEPTH = 64
FORM = "application/x-www-form-urlencoded"
MAXIMUM_PARTS = 20_000
"""Values in a body, but of a signed batch: reading a million of them would make everybody wait."""
_NOTHING_AT_MOST = 64
"""Bytes of an empty object, however it is spaced."""

_SINGLE_HEADERS = (
    "authorization", "x-api-key", "content-type", "idempotency-key", "if-match", "webhook-id",
    "webhook-timestamp", "webhook-signature",
)  # fmt: skip


class _NotFiniteError(ValueError):
    """A number that JSON does not have."""


def _refuse_constant(_name: str) -> Any:
    raise _NotFiniteError


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("An object repeats a key.", detail_zh="同一对象内有重复的键。")
    return result


def parse_json(body: bytes) -> Any:
    """Return the JSON value of a body, strictly.

    Raises:
        UnsupportedMediaTypeError: not UTF-8.
        MalformedError: not JSON, nested deeper than 64, or an object with a repeated key.
        InvalidInputError: NaN, Infinity, a number too long to be read, a NUL character or a lone
            surrogate.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnsupportedMediaTypeError(
            "The body is not UTF-8.", detail_zh="请求正文不是 UTF-8 编码。"
        ) from error
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except _NotFiniteError as error:
        raise _not_finite(()) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedError("The body is not JSON.", detail_zh="请求正文不是 JSON。") from error
    except ValueError as error:
        # Python refuses to read integers of thousands of digits.
        raise _unacceptable_at("", "number", "A number is too long.", "数字过长。") from error
    _check(value, (), suspicious="\\u0000" in text or "\\ud" in text or "\\uD" in text)
    return value


def _check(value: Any, place: tuple[str | int, ...], *, suspicious: bool) -> None:
    """Refuse what JSON's grammar lets through; only suspicious text is read letter by letter."""
    if len(place) > MAXIMUM_DEPTH:
        raise MalformedError("The body is nested too deeply.", detail_zh="请求正文嵌套过深。")
    if isinstance(value, str):
        if suspicious and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
            raise _not_text(place)
    elif isinstance(value, float):
        # 1e999 is read as infinity.
        if not math.isfinite(value):
            raise _not_finite(place)
    elif isinstance(value, dict):
        for key, part in value.items():
            if suspicious:
                _check(key, place, suspicious=True)
            _check(part, (*place, key), suspicious=suspicious)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check(part, (*place, index), suspicious=suspicious)


def _not_finite(place: tuple[str | int, ...]) -> InvalidInputError:
    return _unacceptable_at(
        _pointer(place),
        "finite-number",
        "NaN and Infinity are not numbers.",
        "NaN 与 Infinity 不是数字。",
    )


def _not_text(place: tuple[str | int, ...]) -> InvalidInputError:
    return _unacceptable_at(
        _pointer(place),
        "text",
        "NUL and lone surrogates are not text.",
        "NUL 与孤立代理码位不是文本。",
    )


def _pointer(place: tuple[str | int, ...]) -> str:
    return pointer_of(("body", *place))


def _unacceptable_at(pointer: str, code: str, detail: str, detail_zh: str) -> InvalidInputError:
    return InvalidInputError(
        "Some values are not acceptable.",
        [FieldError(pointer, code, detail, detail_zh)],
        detail_zh="部分内容不符合要求。",
    )


def media_type_of(content_type: str) -> str | None:
    """Return the media type in lower case, or none where a charset other than UTF-8 is named."""
    header = Message()
    header["content-type"] = content_type
    if str(header.get_param("charset", "utf-8")).lower() not in {"utf-8", "utf8"}:
        return None
    return header.get_content_type() if "/" in content_type else None


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is JSON in UTF-8."""
    media_type = media_type_of(content_type) or ""
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def wrong_media_type(wanted: str = "application/json") -> UnsupportedMediaTypeError:
    """Return the refusal of a body that is not of the wanted type in UTF-8."""
    return UnsupportedMediaTypeError(
        f"Send {wanted} in UTF-8.", detail_zh=f"请发送 UTF-8 编码的 {wanted}。"
    )


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Return the names of query parameters of a route and of all that it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _query_names(dependency)


def _check_headers(request: Request) -> None:
    """Refuse what could be read in two ways: a header that may come once and came twice."""
    for name in _SINGLE_HEADERS:
        if len(request.headers.getlist(name)) > 1:
            raise MalformedError(
                f"The header {name} came more than once.",
                code="bad-request",
                detail_zh=f"请求头 {name} 重复出现。",
            )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaTypeError(
            "Send the body as it is, without Content-Encoding.",
            detail_zh="请直接发送正文，不要使用 Content-Encoding。",
        )


def _check_parameters(request: Request, known: set[str] | None) -> None:
    if known is None:
        return
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise InvalidInputError(
            "There are no such parameters.",
            [
                FieldError(
                    pointer_of(("query", name[:100])),
                    "extra-forbidden",
                    "There is no such parameter.",
                    "没有此参数。",
                )
                for name in unknown[:20]
            ],
            detail_zh="没有这些参数。",
        )


class StrictRequest(Request):
    """A request whose JSON is read by :func:`parse_json`."""

    async def json(self) -> Any:
        """Return the body's JSON value, strictly."""
        if not hasattr(self, "_strict_json"):
            self._strict_json = parse_json(await self.body())
        return self._strict_json

    def keep_body(self, body: bytes) -> None:
        """Let :meth:`body` return what was read from the stream."""
        self._body = body


class HuikeRoute(APIRoute):
    """A route that reads strictly and keeps the answers of idempotent requests.

    What it adds runs inside the request's transaction: a kept answer is stored with the change it
    answers for, or not at all.
    """

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        read = self._reader()
        # A route that refuses values refuses names too: a filter that is misspelt, and therefore
        # left out, would answer about everybody.
        parameters = set(_query_names(self.dependant)) if 422 in self.responses else None

        async def handle_strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            _check_address(strict)
            _check_headers(strict)
            _check_parameters(strict, parameters)
            # Read here: FastAPI would turn whatever a reader says into a plain 400.
            await read(strict)
            try:
                response = await handle(strict)
            except KeptAnswer as kept:
                return kept.response()
            keeper = request.scope.get(SCOPE_KEY)
            if keeper is not None:
                await keeper.keep(response)
            return response

        return handle_strictly

    def _reader(self) -> Callable[[StrictRequest], Coroutine[Any, Any, None]]:
        if self.body_field is None:
            # Signed events and files are read by their routes themselves, and described by hand.
            takes_one = "requestBody" in (self.openapi_extra or {})
            return (
                _read_nothing
                if takes_one or not (self.methods or set()) - {"GET", "HEAD"}
                else _refuse_body
            )
        if not isinstance(self.body_field.field_info, Form):
            return _read_json
        # Forms with files are the one kind that comes in parts.
        return _read_parts if isinstance(self.body_field.field_info, File) else _read_form


async def _read_nothing(_request: StrictRequest) -> None:
    pass


async def _refuse_body(request: StrictRequest) -> None:
    """Refuse what would be ignored: who sends ``dry_run`` must not see it done all the same."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _NOTHING_AT_MOST:
            break
    if len(body) > _NOTHING_AT_MOST or body.strip() not in {b"", b"{}"}:
        raise _unacceptable_at(
            "",
            "extra-forbidden",
            "This operation takes no body; nothing was done.",
            "此操作不接受请求正文；未执行任何操作。",
        )
    # It is read once more where a repeated request is told from another one.
    request.keep_body(body)


async def _read_json(request: StrictRequest) -> None:
    content_type = request.headers.get("content-type")
    if content_type is not None and not is_json(content_type):
        raise wrong_media_type()
    body = await request.body()
    if body:
        if content_type is None:
            raise wrong_media_type()
        if body.count(b",") + body.count(b"[") + body.count(b"{") > MAXIMUM_PARTS:
            raise TooLargeError(
                f"The body has more than {MAXIMUM_PARTS} values.",
                detail_zh=f"请求正文中的值超过 {MAXIMUM_PARTS} 个。",
            )
        await request.json()


async def _read_form(request: StrictRequest) -> None:
    if media_type_of(request.headers.get("content-type", FORM)) != FORM:
        raise wrong_media_type(FORM)
    await request.body()
    await _read_parts(request)


async def _read_parts(request: StrictRequest) -> None:
    try:
        await request.form()
    except HTTPException as error:
        raise _unacceptable_at("", "form", "The form can't be read.", "无法读取表单。") from error


def _check_address(request: Request) -> None:
    """Refuse NUL and what is not UTF-8 in the address; decoding would replace it silently."""
    for place, raw in (
        ("path", request.scope.get("raw_path") or b""),
        ("query", request.scope["query_string"]),
    ):
        decoded = unquote_to_bytes(raw)
        if b"\0" in decoded or not _is_utf8(decoded):
            raise _unacceptable_at(
                f"/{place}", "text", "Must be UTF-8 without NUL.", "须为不含 NUL 的 UTF-8。"
            )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
