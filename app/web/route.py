"""The route class of every router: strict JSON, and kept answers of idempotent requests."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.core.errors import (
    FieldError,
    InvalidInputError,
    MalformedError,
    UnsupportedMediaTypeError,
)
from app.web.idempotency import SCOPE_KEY, KeptAnswer

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
MAXIMUM_DEPTH = 64


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
        InvalidInputError: NaN, Infinity, a NUL character or a lone surrogate.
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
        raise _unacceptable("", "finite-number", "NaN and Infinity are not numbers.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedError("The body is not JSON.", detail_zh="请求正文不是 JSON。") from error
    _check(value, "", 0, suspicious="\\u0000" in text or "\\ud" in text or "\\uD" in text)
    return value


def _check(value: Any, pointer: str, depth: int, *, suspicious: bool) -> None:
    if depth > MAXIMUM_DEPTH:
        raise MalformedError("The body is nested too deeply.", detail_zh="请求正文嵌套过深。")
    if isinstance(value, str):
        if suspicious and ("\0" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value)):
            raise _unacceptable(pointer, "text", "NUL and lone surrogates are not text.")
    elif isinstance(value, dict):
        for key, part in value.items():
            if suspicious:
                _check(key, pointer, depth, suspicious=True)
            name = key.replace("~", "~0").replace("/", "~1")
            _check(part, f"{pointer}/{name}", depth + 1, suspicious=suspicious)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check(part, f"{pointer}/{index}", depth + 1, suspicious=suspicious)


def _unacceptable(pointer: str, code: str, detail: str) -> InvalidInputError:
    return InvalidInputError(
        "Some values are not acceptable.",
        [FieldError(pointer.encode("utf-8", "replace").decode(), code, detail)],
        detail_zh="部分值不可接受。",
    )


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is JSON in UTF-8."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if not (media_type == "application/json" or media_type.endswith("+json")):
        return False
    charset = parameters.replace(" ", "").replace('"', "").lower()
    return not charset or charset == "charset=utf-8"


def wrong_media_type() -> UnsupportedMediaTypeError:
    """Return the refusal of a body that is not JSON in UTF-8."""
    return UnsupportedMediaTypeError(
        "Send application/json in UTF-8.", detail_zh="请发送 UTF-8 编码的 application/json。"
    )


class StrictRequest(Request):
    """A request whose JSON is read by :func:`parse_json`."""

    async def json(self) -> Any:
        """Return the body's JSON value, strictly."""
        if not hasattr(self, "_strict_json"):
            self._strict_json = parse_json(await self.body())
        return self._strict_json


class HuikeRoute(APIRoute):
    """A route that reads JSON strictly and keeps the answers of idempotent requests.

    What it adds runs inside the request's transaction: a kept answer is stored with the change it
    answers for, or not at all.
    """

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        takes_json = (
            self.body_field is not None and "Form" not in type(self.body_field.field_info).__name__
        )

        async def handle_strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            if takes_json and not is_json(strict.headers.get("content-type", "")):
                raise wrong_media_type()
            if takes_json and await strict.body():
                # Read here: FastAPI would turn what our reader says into a plain 400.
                await strict.json()
            try:
                response = await handle(strict)
            except KeptAnswer as kept:
                return kept.response()
            keeper = request.scope.get(SCOPE_KEY)
            if keeper is not None:
                await keeper.keep(response)
            return response

        return handle_strictly
