"""Signatures by the Standard Webhooks scheme: strict about every byte of the headers.

Source: the Standard Webhooks specification 1.0. A signature is ``v1,`` and the base64 of
HMAC-SHA256 over ``{id}.{timestamp}.{body}``; several stand side by side while secrets rotate.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from app.core import security
from app.core.errors import UnauthenticatedError

MAXIMUM_SIGNATURES = 10
_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,10}")
_NOBODYS_KEY = bytes(32)


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int,
) -> str:
    """Return the message's id when one of the secrets signed these very bytes, recently.

    Without any secret the same work is done and refused, so that time does not tell which sources
    there are.

    Raises:
        UnauthenticatedError: ``webhook-signature-invalid``, or with a valid signature
            ``webhook-timestamp``.
    """
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not headers.get(name):
            raise _invalid(
                f"The header {name} is missing: sign as Standard Webhooks say.",
                f"缺少请求头 {name}：请按 Standard Webhooks 规则签名。",
            )
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not _MESSAGE_ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise _invalid()
    given = _signatures(headers.get("webhook-signature", ""))
    message = f"{message_id}.{timestamp}.".encode() + body
    is_valid = False
    for key in [security.webhook_key(secret) for secret in secrets] or [_NOBODYS_KEY]:
        expected = security.sign(key, message).encode()
        for signature in given:
            is_valid |= hmac.compare_digest(signature, expected) and bool(secrets)
    if not is_valid:
        raise _invalid()
    if abs(now.timestamp() - int(timestamp)) > tolerance_seconds:
        raise UnauthenticatedError(
            "The signature's timestamp is too far from this server's time.",
            code="webhook-timestamp",
            detail_zh="签名时间与服务器时间相差过大。",
        )
    return message_id


def _signatures(header: str) -> list[bytes]:
    """Return the ``v1`` signatures of the header, as text; other versions are for others to check.

    They are compared as they stand: base64 has several spellings of the same bytes, and a sender
    writes but one of them.
    """
    parts = (part.partition(",") for part in header.split(" ", MAXIMUM_SIGNATURES))
    return [
        encoded.encode("utf-8", "replace")
        for version, _, encoded in islice(parts, MAXIMUM_SIGNATURES)
        if version == "v1"
    ]


def _invalid(
    detail: str = "None of the source's live secrets signed these bytes.",
    detail_zh: str = "该来源的有效密钥均未签署这些字节。",
) -> UnauthenticatedError:
    return UnauthenticatedError(detail, code="webhook-signature-invalid", detail_zh=detail_zh)
