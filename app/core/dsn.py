"""Addresses of databases, as SQLAlchemy and as asyncpg spell them."""

from typing import Final

SQLALCHEMY_SCHEME: Final = "postgresql+asyncpg://"
_PLAIN_SCHEME: Final = "postgresql://"


def plain_dsn(url: str) -> str:
    """Return an address of ours for asyncpg, which knows nothing of SQLAlchemy's drivers."""
    return url.replace(SQLALCHEMY_SCHEME, _PLAIN_SCHEME, 1)
