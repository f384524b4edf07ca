"""The receipts of an import that a tier can depend on move a card as all of them would."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.queries.import_settlement import CountedFrom, telling_purchases
from app.queries.imports import event_of
from app.rules.tier_policies import Policy
from app.rules.tiering import Held, Step, follow
from app.vocabulary import PolicyMethod, TierLevel
from tests.support.world import World

TODAY = date(2026, 11, 21)
FIRST_DAY = TODAY - timedelta(days=364)
IMPORT_ID = UUID(int=7)
SCORES = [Decimal(0), Decimal(1000), Decimal(5000)]
POLICY = Policy.of(
    UUID(int=1),
    1,
    "p",
    PolicyMethod.THRESHOLD,
    {
        "metric": "net_spend",
        "window_days": 365,
        "levels": [
            {"level": level, "at_least": str(score)}
            for level, score in zip(("small", "ordinary", "main"), SCORES, strict=True)
        ],
        "keep": {"factor": "0.90", "hold_days": 180, "notice_days": 30},
    },
    None,
)
LEVELS = ["small", "ordinary", "main"]
CARDS = """
INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on, version,
    created_at, updated_at)
SELECT id, 'individual', 'active', 'A', false, 'store', current_date, 1, now(), now()
FROM unnest($1::uuid[]) AS c (id)
"""
TIERS = """
INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id, policy_version, valid_from,
    explanation)
SELECT c.id, gen_random_uuid(), $2, 'initial', p.id, p.version, now(), '{}'
FROM unnest($1::uuid[]) AS c (id), tier_policy AS p
WHERE p.scope = 'individual' AND p.status = 'active'
"""
PURCHASES = """
INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id, source_id,
    event_id, receipt_key, receipt_number, refund_of_id, currency, amount, costed_amount, cost,
    recorded_at)
SELECT r.customer_id, r.id, r.kind, 'posted', r.at, r.at::date, s.store_id, s.id, r.event,
    r.id::text, r.id::text, r.refunds, 'CNY', r.amount, 0, 0, now()
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, id uuid, kind text, at timestamptz,
    event text, refunds uuid, amount numeric), source AS s WHERE s.code = 'till-1'
"""


def bought(
    customer_id: UUID,
    day: date,
    amount: int,
    *,
    refunds: UUID | None = None,
    event: str | None = None,
) -> dict[str, Any]:
    """Return a receipt; below zero it is a refund. Without an event it is one of the import's."""
    return {
        "customer_id": customer_id,
        "id": new_id(),
        "kind": "sale" if amount >= 0 else "refund",
        "at": datetime(day.year, day.month, day.day, 4, tzinfo=UTC),
        "event": event or event_of(IMPORT_ID),
        "refunds": refunds,
        "amount": abs(amount),
    }


async def told_of(
    database: Database,
    rows: Sequence[Mapping[str, Any]],
    scores: Sequence[Decimal] = SCORES,
    held: str | None = None,
) -> list[tuple[UUID, UUID | None, UUID | None, Decimal]]:
    """Write cards with their receipts; return what a tier can depend on."""
    cards = sorted({row["customer_id"] for row in rows})
    async with database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(CARDS, cards)
        if held is not None:
            await connection.execute(TIERS, cards, held)
        await connection.execute(PURCHASES, orjson.dumps(list(rows)).decode())
        rule = CountedFrom(FIRST_DAY, LEVELS[: len(scores)], scores)
        return await telling_purchases(connection, IMPORT_ID, cards, {"individual": rule})


async def test_of_receipts_without_refunds_those_are_told_that_reach_a_level_and_the_last(
    database: Database, world: World
) -> None:
    card = UUID(int=100)
    days = [TODAY - timedelta(days=400 - 20 * number) for number in range(8)]
    rows = [
        bought(card, days[0], 9000),  # Before the window: counts for nothing.
        bought(card, days[2], 600, event="till"),
        bought(card, days[3], 300),
        bought(card, days[4], 100),  # 1000 with what a till sold.
        bought(card, days[5], -500),
        bought(card, days[6], 700),
        bought(card, days[7], 10),
    ]
    assert await told_of(database, rows) == [
        (card, rows[0]["id"], None, Decimal(0)),
        (card, rows[3]["id"], None, Decimal(400)),
        (card, rows[6]["id"], None, Decimal(210)),
    ]


async def test_a_card_that_nothing_can_move_is_told_without_a_receipt(
    database: Database, world: World
) -> None:
    stays, rises, falls = (UUID(int=number) for number in (100, 101, 102))
    day = TODAY - timedelta(days=9)
    rows = [
        bought(stays, day, 4000),
        bought(stays, TODAY, 999),
        bought(rises, day, 4000),
        bought(rises, TODAY, 1000),
        bought(falls, day, 100),
    ]
    rows.append(bought(falls, TODAY, -100, refunds=rows[4]["id"]))
    assert await told_of(database, rows, held="ordinary") == [
        (stays, None, None, Decimal(999)),
        (rises, rows[2]["id"], None, Decimal(4000)),
        (rises, rows[3]["id"], None, Decimal(1000)),
        (falls, rows[4]["id"], None, Decimal(100)),
        (falls, rows[5]["id"], rows[4]["id"], Decimal(-100)),
    ]


async def test_where_scores_are_no_sums_the_last_receipt_stands_for_all(
    database: Database, world: World
) -> None:
    card = UUID(int=100)
    rows = [bought(card, TODAY - timedelta(days=9 - number), 5000) for number in range(3)]
    assert await told_of(database, rows, []) == [
        (card, rows[0]["id"], None, Decimal(5000)),
        (card, rows[2]["id"], None, Decimal(10000)),
    ]


async def test_a_card_whose_sale_is_refunded_is_told_with_every_receipt(
    database: Database, world: World
) -> None:
    card = UUID(int=100)
    rows = [bought(card, TODAY - timedelta(days=9 - number), 2000) for number in range(3)]
    rows.append(bought(card, TODAY, -2000, refunds=rows[0]["id"]))
    assert await told_of(database, rows) == [
        (card, row["id"], row["refunds"], Decimal(-2000 if row["refunds"] else 2000))
        for row in rows
    ]


def moves(net_before: Decimal, steps: Sequence[Step]) -> list[tuple[Any, ...]]:
    """Return what moved a card that holds the lowest level."""
    held = Held(TierLevel.SMALL, TODAY)
    return [
        (outcome.before, outcome.held.level, outcome.held.purchase_id, outcome.cause)
        for outcome in follow(POLICY, net_before, held, steps)
        if outcome.cause is not None
    ]


async def test_what_is_told_moves_cards_as_all_receipts_do(
    database: Database, world: World
) -> None:
    chance = random.Random(20261121)
    rows: list[dict[str, Any]] = []
    for number in range(300):
        card = UUID(int=1000 + number)
        sales: list[UUID] = []
        for _ in range(chance.randint(1, 12)):
            day = TODAY - timedelta(days=chance.randint(0, 400))
            amount = chance.choice((50, 400, 1000, 2500, 4000)) * chance.choice((1, 1, 1, -1))
            refunded = None
            if number % 3 == 0 and amount < 0 and sales:
                refunded = chance.choice(sales)
            event = "till" if chance.random() < 0.2 else None
            row = bought(card, day, amount, refunds=refunded, event=event)
            rows.append(row)
            if amount > 0:
                sales.append(row["id"])
    told: dict[UUID, list[Step]] = {}
    for card, purchase, refunds, adds in await told_of(database, rows, held="small"):
        steps = told.setdefault(card, [])
        if purchase is not None:
            steps.append(Step(purchase, adds, refunds))

    moved = 0
    for card, steps in told.items():
        own = sorted(
            (r for r in rows if r["customer_id"] == card), key=lambda r: (r["at"], r["id"])
        )
        signed = [
            (row, Decimal(row["amount"] if row["kind"] == "sale" else -row["amount"]))
            for row in own
            if row["at"].date() >= FIRST_DAY or row["event"] != "till"
        ]
        every = [
            Step(row["id"], adds if row["at"].date() >= FIRST_DAY else Decimal(0), row["refunds"])
            for row, adds in signed
            if row["event"] != "till"
        ]
        before = sum((adds for row, adds in signed if row["event"] == "till"), Decimal(0))
        if steps:
            assert sum(step.adds for step in steps) == sum(step.adds for step in every)
        assert moves(before, steps) == moves(before, every)
        moved += len(moves(before, every))
    assert moved > 100
    assert sum(not steps for steps in told.values()) > 30
    assert sum(map(len, told.values())) < sum(row["event"] != "till" for row in rows) * 0.8
