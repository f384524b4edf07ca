"""Any history of sales, merges and undone merges: each receipt has one owner, figures are right."""

import random
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from tests.support.cards import create_card
from tests.support.contacts import contact
from tests.support.events import refund, sale, void
from tests.support.merging import dump, merge, plan, totals, undo
from tests.support.shop import Shop
from tests.support.world import World

CARDS, STEPS = 5, 30
# Rows that name a card other than the one that owns what they are about, and cards without one
# current tier: there are none, whatever happened.
_ASTRAY = """
SELECT 'receipt of another' FROM receipt AS r JOIN purchase AS p ON p.id = r.purchase_id
WHERE r.customer_id IS DISTINCT FROM p.customer_id
UNION ALL SELECT 'event of another' FROM pos_event AS e JOIN purchase AS p ON p.id = e.purchase_id
WHERE e.customer_id IS DISTINCT FROM p.customer_id
UNION ALL SELECT 'identity of another' FROM identity AS i JOIN customer_identity AS c
    ON c.kind = i.kind AND c.system = i.system AND c.value = i.value
WHERE i.customer_id IS DISTINCT FROM c.customer_id
UNION ALL SELECT 'two owners' FROM purchase GROUP BY id HAVING count(*) > 1
UNION ALL SELECT 'left with a merged card' FROM customer AS c
    JOIN purchase AS p ON p.customer_id = c.id WHERE c.status = 'merged'
UNION ALL SELECT 'interaction left with a merged card' FROM customer AS c
    JOIN interaction AS p ON p.customer_id = c.id WHERE c.status = 'merged'
UNION ALL SELECT 'tiers: ' || count(t.id) || ' of ' || c.status
FROM customer AS c
LEFT JOIN tier_assignment AS t ON t.customer_id = c.id AND t.valid_to IS NULL
GROUP BY c.id, c.status HAVING count(t.id) <> CASE c.status WHEN 'merged' THEN 0 ELSE 1 END
UNION ALL SELECT 'two primaries' FROM customer_identity WHERE is_primary
GROUP BY customer_id, kind HAVING count(*) > 1
UNION ALL SELECT 'gap in tiers' FROM tier_assignment AS t JOIN customer AS c ON c.id = t.customer_id
WHERE c.status <> 'merged' AND t.valid_to IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM tier_assignment AS next
    WHERE next.customer_id = t.customer_id AND next.id <> t.id AND next.valid_from = t.valid_to)
"""


class Chance:
    """A chain to which things happen at random, and what is known of it."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.random = shop, random.Random(seed)
        self.ids: list[str] = []
        self.sales: list[dict[str, Any]] = []
        self.merges: list[dict[str, Any]] = []
        self.leads_to: dict[str, str] = {}

    @property
    def standing(self) -> list[str]:
        """Cards that were not merged into others."""
        return [one for one in self.ids if one not in self.leads_to]

    async def found(self) -> None:
        """Create the cards."""
        for number in range(CARDS):
            card = await create_card(
                self.shop.client,
                self.shop.world,
                name=f"客户{number}",
                note=self.random.choice([None, f"note {number}"]),
                identities=[{"kind": "member_number", "value": f"HK{number}", "is_primary": True}],
            )
            self.ids.append(card["id"])

    async def sell(self) -> None:
        """Sell to somebody, by a number or an id, merged or not."""
        number = self.random.randrange(CARDS)
        amount = self.random.choice(["20.00", "180.00", "350.00", "700.00"])
        event = (
            sale(amount, member=f"HK{number}")
            if self.random.random() < 0.5
            else sale(amount, customer={"id": self.ids[number]})
        )
        result = await self.shop.send(event)
        assert result["status"] == "applied", result
        assert result["customer"]["id"] in self.standing
        self.sales.append(event)

    async def take_back(self) -> None:
        """Refund or void one of the sales; it may have been already."""
        if self.sales:
            original = self.random.choice(self.sales)
            await self.shop.send(self.random.choice([refund, void])(original))

    async def speak(self) -> None:
        """Record a contact with somebody."""
        one = self.random.choice(self.standing)
        answer = await self.shop.client.post(
            f"/v1/customers/{one}/interactions",
            headers=self.shop.world.headers(),
            json=contact(duration_seconds=60),
        )
        assert answer.status_code == 201, answer.text

    async def ask(self) -> None:
        """Write down what somebody says of consent."""
        one = self.random.choice(self.standing)
        answer = await self.shop.client.post(
            f"/v1/customers/{one}/consents",
            headers=self.shop.world.headers(),
            json={
                "statements": [
                    {
                        "purpose": self.random.choice(["marketing", "survey"]),
                        "channel": self.random.choice(["any", "sms"]),
                        "state": self.random.choice(["granted", "withdrawn"]),
                        "proof": "spoken",
                    }
                ]
            },
        )
        assert answer.status_code == 201, answer.text

    async def merge(self) -> None:
        """Merge some cards, and, every other time, look whether its end brings all back."""
        if len(self.standing) < 3:
            return
        survivor, *losers = self.random.sample(self.standing, self.random.choice([2, 2, 3]))
        before, sums = await dump(self.shop.database, survivor, *losers), await self.totals()
        planned = await plan(self.shop.client, self.shop.world, survivor, losers)
        done = await merge(self.shop.client, self.shop.world, survivor, losers)
        assert await self.totals() == sums
        assert done["customer"]["tier"]["code"] == planned["tier"]["level"]
        read = await self.shop.client.get(
            f"/v1/customers/{losers[0]}/statistics", headers=self.shop.world.headers()
        )
        assert read.json() == planned["statistics"]
        if self.random.random() < 0.5:
            await undo(self.shop.client, self.shop.world, done)
            assert await dump(self.shop.database, survivor, *losers) == before
            assert await self.totals() == sums
        else:
            self.merges.append(done)
            self.leads_to |= dict.fromkeys(losers, survivor)

    async def part(self) -> None:
        """Undo the last merge, whatever has happened since."""
        if self.merges:
            done, sums = self.merges.pop(), await self.totals()
            await undo(self.shop.client, self.shop.world, done)
            assert await self.totals() == sums
            for one in done["loser_ids"]:
                del self.leads_to[one]

    async def totals(self) -> dict[str, Any]:
        """Return what merges do not change."""
        return await totals(self.shop.database)

    async def check(self) -> None:
        """Look for what must never be."""
        async with self.shop.database.transaction() as session:
            assert list((await session.execute(text(_ASTRAY))).scalars()) == []
        assert await self.shop.wrong_statistics() == 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_is_merged_and_parted_in_whatever_order(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings, seed: int
) -> None:
    chance = Chance(Shop(client, world, database, settings), seed)
    await chance.found()
    steps = [
        chance.sell, chance.sell, chance.sell, chance.take_back, chance.speak, chance.ask,
        chance.merge, chance.merge, chance.part,
    ]  # fmt: skip
    for _ in range(STEPS):
        await chance.random.choice(steps)()
    await chance.check()
    while chance.merges:
        await chance.part()
    await chance.check()
    assert sorted(chance.standing) == sorted(chance.ids)
    assert {UUID(one) for one in chance.ids} == {UUID(one) for one in chance.standing}
