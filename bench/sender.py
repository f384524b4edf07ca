"""A till of the bench: signs sales, sends them, notes how long each answer took."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import orjson

from app.core import security
from bench.chain import CUSTOMERS, Till


@dataclass
class Measured:
    """Answers by status, and the seconds each took."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """How many were answered with 200 in a second."""
        return self.statuses[200] / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return the time within which this share of the answers came."""
        ordered = sorted(self.taken)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Sender:
    """Sends new sales of random customers of the chain."""

    def __init__(self, client: httpx.AsyncClient, till: Till) -> None:
        self._client, self._till = client, till
        self._key = security.webhook_key(till.secret)
        self._chance, self._numbers = random.Random(7), count(1)

    def sale(self) -> dict[str, Any]:
        """Return a sale of two lines that nobody has sent before."""
        number = next(self._numbers)
        prices = [Decimal(self._chance.randrange(1050, 9050)) / 100 for _ in range(2)]
        return {
            "type": "sale",
            "event_id": f"bench-{number}",
            "occurred_at": datetime.now(UTC).isoformat(),
            "store": self._till.store,
            "receipt_number": f"bench-{number}",
            "currency": "CNY",
            "customer": {
                "kind": "member_number",
                "value": f"HK{self._chance.randrange(1, CUSTOMERS):06}",
            },
            "lines": [
                {
                    "line_number": line,
                    "quantity": "1",
                    "unit_price": str(price),
                    "amount": str(price),
                }
                for line, price in enumerate(prices, start=1)
            ],
            "total": str(sum(prices)),
        }

    async def one_by_one(self, at_once: int, seconds: float) -> Measured:
        """Send sales for some seconds, so many at once."""
        measured = Measured()
        started = time.perf_counter()

        async def send() -> None:
            while time.perf_counter() - started < seconds:
                event = self.sale()
                await self._post(measured, "events", event["event_id"], event)

        await asyncio.gather(*(send() for _ in range(at_once)))
        measured.seconds = time.perf_counter() - started
        return measured

    async def batches(self, size: int, times: int) -> Measured:
        """Send batches one after the other."""
        measured = Measured()
        started = time.perf_counter()
        for number in range(times):
            events: Sequence[dict[str, Any]] = [self.sale() for _ in range(size)]
            await self._post(measured, "events/batch", f"batch-{number}", {"events": events})
        measured.seconds = time.perf_counter() - started
        return measured

    async def _post(self, measured: Measured, path: str, message_id: str, value: Any) -> None:
        body, timestamp = orjson.dumps(value), str(int(time.time()))
        signature = security.sign(self._key, f"{message_id}.{timestamp}.".encode() + body)
        began = time.perf_counter()
        answer = await self._client.post(
            f"/v1/pos/{self._till.code}/{path}",
            content=body,
            headers={
                "content-type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": timestamp,
                "webhook-signature": f"v1,{signature}",
            },
        )
        measured.taken.append(time.perf_counter() - began)
        measured.statuses[answer.status_code] += 1
