"""``ETag`` and ``If-Match``: nobody overwrites what they have not seen."""

import re
from typing import Annotated

from fastapi import Header, Response

from app.core.errors import PreconditionFailedError, PreconditionRequiredError

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description='The `ETag` of the version you have seen. Required; `"v3"` for version 3.',
        json_schema_extra={"example": '"v1"'},
    ),
]
_ETAG = re.compile(r'"v([1-9][0-9]{0,8})"')


def etag(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"v{version}"'


def set_etag(response: Response, version: int) -> None:
    """Send the version with the response."""
    response.headers["ETag"] = etag(version)


def seen_version(if_match: str | None) -> int:
    """Return the version that the client has seen.

    Raises:
        PreconditionRequiredError: no ``If-Match``.
        PreconditionFailedError: it is no tag of ours, so it can match nothing. Weak tags, lists
            and ``*`` are none: whoever changes something has seen one version of it.
    """
    if if_match is None:
        raise PreconditionRequiredError(
            "Send the ETag of the version you have seen as If-Match.",
            detail_zh="请把您所读版本的 ETag 作为 If-Match 发送。",
        )
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionFailedError(
            'If-Match is not a tag of this object: send one ETag with its quotes, such as "v1".',
            detail_zh='If-Match 与该对象不符：请发送一个含引号的 ETag，如 "v1"。',
            members={"changed_fields": []},
        )
    return int(found.group(1))
