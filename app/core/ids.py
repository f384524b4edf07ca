"""Identifiers made by the service."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): unique, and increasing with the time of its making."""
    return uuid7()
