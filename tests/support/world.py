"""A small chain for tests: two stores, staff of every role, an API client, a till."""

import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import insert

from app.core import clock, security
from app.core.database import Database
from app.core.ids import new_id
from app.models import (
    AccessToken,
    ApiClient,
    ApiKey,
    Source,
    SourceSecret,
    Staff,
    StaffStore,
    Store,
)
from app.vocabulary import Permission, ReceiptRule, Role, SourceKind, SourceMode

ALL_DAY = [["00:00", "24:00"]]
OPENING_HOURS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ALL_DAY)


@dataclass
class World:
    """Ids and credentials of the small chain; ``stores`` by code, ``staff`` by role or name."""

    stores: dict[str, UUID] = field(default_factory=dict)
    staff: dict[str, UUID] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    sources: dict[str, UUID] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    api_key: str = ""
    keys_made: int = 0

    def headers(self, who: str = "manager", **more: str) -> dict[str, str]:
        """Return headers that sign in somebody, and a fresh Idempotency-Key."""
        self.keys_made += 1
        return {
            "Authorization": f"Bearer {self.tokens[who]}",
            "Idempotency-Key": f"key-{self.keys_made}",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }


async def build_world(database: Database) -> World:
    """Write the small chain: S01 and S02; one of each role bound to S01 where roles are bound."""
    world = World()
    now = clock.now()
    stamps = {"created_at": now, "updated_at": now}
    async with database.transaction() as session:
        for code in ("S01", "S02"):
            world.stores[code] = new_id()
            await session.execute(
                insert(Store).values(
                    id=world.stores[code], code=code, name=f"Store {code}",
                    opening_hours=OPENING_HOURS, is_active=True, version=1, **stamps,
                )
            )  # fmt: skip
        people = [(str(role), role, "S01") for role in Role] + [("clerk2", Role.CLERK, "S02")]
        for username, role, store in people:
            staff_id, token = new_id(), security.new_token()
            world.staff[username], world.tokens[username] = staff_id, token
            await session.execute(
                insert(Staff).values(
                    id=staff_id, username=username, display_name=username.title(), role=role,
                    password_hash="unusable", password_changed_at=now, version=1, **stamps,
                )
            )  # fmt: skip
            await session.execute(
                insert(AccessToken).values(
                    id=new_id(), token_hash=security.hash_secret(token), staff_id=staff_id,
                    created_at=now, last_used_at=now, expires_at=now + timedelta(days=7),
                )
            )  # fmt: skip
            if role in (Role.STORE_MANAGER, Role.CLERK, Role.SERVICE):
                await session.execute(
                    insert(StaffStore).values(staff_id=staff_id, store_id=world.stores[store])
                )
        client_id, world.api_key = new_id(), security.new_api_key()
        await session.execute(
            insert(ApiClient).values(
                id=client_id, name="web page", version=1, **stamps,
                scopes=[str(Permission.CUSTOMERS_READ), str(Permission.CUSTOMERS_WRITE)],
            )
        )  # fmt: skip
        await session.execute(
            insert(ApiKey).values(
                id=new_id(), client_id=client_id, slot=1, created_at=now,
                prefix=security.api_key_display_prefix(world.api_key),
                key_hash=security.hash_secret(world.api_key),
            )
        )  # fmt: skip
        for code, store in (("till-1", "S01"), ("till-2", "S02")):
            source_id, secret = new_id(), security.new_webhook_secret()
            world.sources[code], world.secrets[code] = source_id, secret
            await session.execute(
                insert(Source).values(
                    id=source_id, code=code, name=code, kind=SourceKind.TILL,
                    store_id=world.stores[store], mode=SourceMode.LIVE,
                    receipt_rule=ReceiptRule.EVER, currency="CNY", is_active=True, version=1,
                    **stamps,
                )
            )  # fmt: skip
            await session.execute(
                insert(SourceSecret).values(
                    id=new_id(), source_id=source_id, slot=1, secret=secret, created_at=now
                )
            )
    return world


def signed(
    secret: str, message_id: str, body: bytes, timestamp: int | None = None
) -> dict[str, str]:
    """Return the headers of a body signed by the Standard Webhooks scheme, made by hand."""
    seconds = int(clock.now().timestamp()) if timestamp is None else timestamp
    message = f"{message_id}.{seconds}.".encode() + body
    digest = hmac.new(security.webhook_key(secret), message, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
        "content-type": "application/json",
    }


async def send_event(
    client: httpx.AsyncClient, world: World, event: dict[str, Any], source: str = "till-1"
) -> httpx.Response:
    """Sign an event with the till's secret and send it."""
    body = json.dumps(event).encode()
    return await client.post(
        f"/v1/pos/{source}/events",
        content=body,
        headers=signed(world.secrets[source], event["event_id"], body),
    )


async def send_batch(
    client: httpx.AsyncClient, world: World, events: list[Any], source: str = "till-1"
) -> httpx.Response:
    """Sign a batch of events with the till's secret and send it."""
    body = json.dumps({"events": events}).encode()
    return await client.post(
        f"/v1/pos/{source}/events/batch",
        content=body,
        headers=signed(world.secrets[source], f"batch-{new_id()}", body),
    )
