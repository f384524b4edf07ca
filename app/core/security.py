"""Passwords, tokens, API keys and signatures: made, hashed, compared.

Nothing here stores anything. Tokens and API keys carry enough entropy that SHA-256 is the right
hash for them (OWASP: fast hashes are for random secrets only); passwords get argon2id.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core.errors import UnavailableError

TOKEN_PREFIX = "hkt_"  # noqa: S105 - a public prefix, not a secret
API_KEY_PREFIX = "hkk_"
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - the scheme's public prefix

_API_KEY = re.compile(re.escape(API_KEY_PREFIX) + "([0-9a-f]{64})([0-9a-f]{8})")

_hasher = PasswordHasher()
# argon2 blocks the event loop and takes 64 MiB a call; two at once is what a small machine bears.
_argon2_turns = asyncio.Semaphore(2)
_MOST_WAITING = 20
_waiting = 0


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Wait for a turn; where many wait already, refuse at once rather than at the deadline."""
    global _waiting  # noqa: PLW0603 - one count for the process, read and written on one loop
    if _waiting >= _MOST_WAITING:
        raise UnavailableError(
            "Too many are signing in at this moment.", detail_zh="同时登录的人过多，请稍后重试。"
        )
    _waiting += 1
    try:
        async with _argon2_turns:
            yield
    finally:
        _waiting -= 1


async def hash_password(password: str) -> str:
    """Return an argon2id hash of ``password`` (RFC 9106 low-memory parameters), off the loop."""
    async with _turn():
        return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(password_hash: str, password: str) -> bool:
    """Tell whether ``password`` has this hash; a wrong one takes as long as a right one."""
    async with _turn():
        return await asyncio.to_thread(_verify, password_hash, password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Tell whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def new_token() -> str:
    """Return an opaque access token with 256 bits of entropy."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_api_key() -> str:
    """Return an API key: prefix, 256 random bits in hex, and a CRC-32 that catches typos."""
    body = secrets.token_hex(32)
    return f"{API_KEY_PREFIX}{body}{_checksum(body)}"


def is_well_formed_api_key(key: str) -> bool:
    """Tell whether form and checksum of a key are right, without asking the database."""
    found = _API_KEY.fullmatch(key)
    # The checksum is no secret: it takes no comparison in constant time.
    return found is not None and found[2] == _checksum(found[1])


def api_key_display_prefix(key: str) -> str:
    """Return the part of a key that may be shown again, to tell keys apart."""
    return key[: len(API_KEY_PREFIX) + 8]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a random token or key in hex: what is stored in its place."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_webhook_secret() -> str:
    """Return a Standard Webhooks secret: ``whsec_`` and 32 random bytes in base64."""
    return WEBHOOK_SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def webhook_key(secret: str) -> bytes:
    """Return the bytes of a ``whsec_`` secret.

    Raises:
        ValueError: the secret is not base64 after its prefix.
    """
    encoded = secret.removeprefix(WEBHOOK_SECRET_PREFIX)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a webhook secret is whsec_ followed by base64") from error


def sign(key: bytes, message: bytes) -> str:
    """Return the base64 HMAC-SHA256 of ``message``."""
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
