"""One tree of errors for the whole service.

::

    HuikeError                      carries a stable ``code``; nothing branches on its text
    ├── NotFoundError               404 not-found
    ├── GoneError                   410 card-erased
    ├── ForbiddenError              403 forbidden
    ├── UnauthenticatedError        401 unauthenticated, webhook-signature-invalid, …
    ├── ConflictError               409 conflict, invalid-transition, possible-duplicate, …
    ├── PreconditionFailedError     412 precondition-failed (with the fields that differ)
    ├── PreconditionRequiredError   428 precondition-required
    ├── InvalidInputError           422 validation, invalid-cursor (with pointers)
    ├── MalformedError              400 malformed-json, idempotency-key-required
    ├── TooLargeError               413 too-large
    ├── UnsupportedMediaTypeError   415 unsupported-media-type
    ├── RateLimitedError            429 rate-limited (with seconds to wait)
    └── UnavailableError            503, a code for each cause (with seconds to wait)

``web.problems`` holds the one table that turns a code into a status and titles in both languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one part of the input.

    ``pointer`` is a JSON pointer (RFC 6901) into the body, or ``/query/name``, ``/path/name`` or
    ``/header/name``. ``code`` is stable; ``detail`` never repeats the value that was sent, and
    ``detail_zh`` is the same sentence in Chinese.
    """

    pointer: str
    code: str
    detail: str
    detail_zh: str | None = None


class HuikeError(Exception):
    """Base of everything the service refuses, with a stable code and an English detail.

    ``detail_zh`` is the same sentence in Chinese; ``members`` are further members of the problem
    document, named as they appear in it.
    """

    code: str = "internal-error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        detail_zh: str | None = None,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.detail_zh = detail_zh or detail
        self.code = code or type(self).code
        self.members = dict(members or {})
        self.headers = dict(headers or {})


class NotFoundError(HuikeError):
    """There is no such thing, or not for this caller."""

    code = "not-found"


class GoneError(HuikeError):
    """There was such a thing; what it said was erased, for good."""

    code = "card-erased"


class ForbiddenError(HuikeError):
    """The caller is known and may not do this."""

    code = "forbidden"


class UnauthenticatedError(HuikeError):
    """The caller has not shown who they are."""

    code = "unauthenticated"


class ConflictError(HuikeError):
    """The request contradicts what is stored; ``errors`` say where, if it is in the body."""

    code = "conflict"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        detail_zh: str | None = None,
        members: Mapping[str, object] | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(detail, code=code, detail_zh=detail_zh, members=members)
        self.errors = tuple(errors)


class PreconditionFailedError(HuikeError):
    """``If-Match`` names a version that is no longer the current one."""

    code = "precondition-failed"


class PreconditionRequiredError(HuikeError):
    """``If-Match`` is missing where a change needs it."""

    code = "precondition-required"


class InvalidInputError(HuikeError):
    """The input is well formed and not acceptable; ``errors`` say where and why."""

    code = "validation"

    def __init__(
        self,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        code: str | None = None,
        detail_zh: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, detail_zh=detail_zh)
        self.errors = tuple(errors)


class MalformedError(HuikeError):
    """The request cannot be read at all."""

    code = "malformed-json"


class TooLargeError(HuikeError):
    """The body is longer than this operation takes."""

    code = "too-large"


class UnsupportedMediaTypeError(HuikeError):
    """The body is of a type or an encoding this operation does not read."""

    code = "unsupported-media-type"


class RateLimitedError(HuikeError):
    """Too many attempts; ``retry_after_seconds`` says when the next one is welcome."""

    code = "rate-limited"

    def __init__(self, detail: str, *, retry_after_seconds: int, detail_zh: str | None = None):
        super().__init__(
            detail, detail_zh=detail_zh, headers={"Retry-After": str(retry_after_seconds)}
        )


class UnavailableError(HuikeError):
    """The service cannot do it now; nothing was half-done, and trying again is right."""

    code = "unavailable"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retry_after_seconds: int = 1,
        detail_zh: str | None = None,
    ):
        super().__init__(
            detail,
            code=code,
            detail_zh=detail_zh,
            headers={"Retry-After": str(retry_after_seconds)},
        )


class RetryTransactionError(Exception):
    """PostgreSQL asks for the whole transaction to be run again (40001, 40P01).

    The retry middleware and :func:`app.core.database.retrying` answer it by doing so.
    """
