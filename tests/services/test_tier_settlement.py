"""Cards moved by policies of every method where receipts come in: at once, and explained."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from app.core.database import raw_connection
from app.queries import tier_figures
from app.services import pos_intake
from tests.support import merging
from tests.support.events import refund, sale, void
from tests.support.postings import received
from tests.support.shop import Shop

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
FOUR = [
    {"level": "key", "top_percent": "5"},
    {"level": "important", "top_percent": "20"},
    {"level": "general", "top_percent": "60"},
    {"level": "maintenance", "top_percent": "100"},
]
COMPOSITE: dict[str, Any] = {
    "indicators": [
        {"indicator": "net_spend", "weight": "0.50"},
        {"indicator": "frequency", "weight": "0.25"},
        {"indicator": "breadth", "weight": "0.25"},
        {"indicator": "complaints", "weight": "0.20"},
    ],
    "window_days": 365,
    "levels": FOUR,
    "keep": KEEP,
}
CUTS = {"key": "80", "important": "50", "general": "20", "maintenance": "0"}
KNOTS = {
    "net_spend": [str(10 * n) for n in range(1, 101)],
    "frequency": [str(n) for n in range(1, 101)],
    "breadth": [str(n) for n in range(1, 101)],
}


async def use(
    shop: Shop,
    method: str,
    body: dict[str, Any],
    cuts: dict[str, str] | None = None,
    knots: dict[str, list[str]] | None = None,
) -> None:
    """Let another policy be in force for individuals."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        policy_id = await connection.fetchval(
            """UPDATE tier_policy SET method = $1, body = $2
               WHERE scope = 'individual' AND status = 'active' RETURNING id""",
            method,
            orjson.dumps(body).decode(),
        )
        if cuts is not None:
            calibration = {"as_of": "2026-11-01", "customers": 500, "cuts": cuts}
            await connection.execute(
                """INSERT INTO tier_calibration (policy_id, fingerprint, as_of, customers, body,
                                                 created_at)
                   VALUES ($1, 'x', '2026-11-01', 500, $2, $3)""",
                policy_id,
                orjson.dumps({**calibration, "knots": knots or {}}).decode(),
                NOW,
            )


async def tier_of(shop: Shop, customer_id: UUID) -> dict[str, Any]:
    """Return a card's tier as a front end reads it."""
    answer = await shop.client.get(
        f"/v1/customers/{customer_id}/tier", headers=shop.world.headers()
    )
    assert answer.status_code == 200, answer.text
    tier: dict[str, Any] = answer.json()
    return tier


async def test_a_composite_policy_moves_a_card_at_the_till_and_tells_each_indicator(
    shop: Shop,
) -> None:
    await use(shop, "composite", COMPOSITE, CUTS, KNOTS)
    customer_id = await shop.card()
    assert (await shop.tier(customer_id)).level == "maintenance"

    small = await shop.send(sale("350.00"))
    assert (small["tier"]["before"], small["tier"]["after"]) == ("maintenance", "maintenance")
    assert (small["tier"]["score"], small["tier"]["unit"]) == ("17.7500", "points")
    # Of four weights one has no source: 0.5 x 35 + 0.25 x 1 + 0.25 x 0.
    sold = sale("600.00")
    big = await shop.send(sold)
    assert (big["tier"]["after"], big["tier"]["score"]) == ("general", "47.7500")
    assert big["tier"]["net_spend"] == "950.00"
    assert big["tier"]["next"] == {"level": "important", "missing": "2.2500", "spend": "50.00"}

    tier = await tier_of(shop, customer_id)
    assert tier["purchase_id"] == big["purchase_id"]
    told = tier["explanation"]["inputs"]["indicators"]
    assert [
        (one["indicator"], one["value"], one["percentile"], one["weight"], one["points"])
        for one in told
    ] == [
        ("net_spend", "950.00", 95, "0.5000", "47.5000"),
        ("frequency", "1", 1, "0.2500", "0.2500"),
        ("breadth", "0", 0, "0.2500", "0.0000"),
        ("complaints", None, None, "0.0000", "0.0000"),
    ]
    assert [one["absence"] for one in told] == [None, None, None, "no_source"]
    assert tier["explanation"]["rule"]["calibrated_on"] == "2026-11-01"
    assert tier["today"]["score"] == tier["explanation"]["score"] == "47.7500"
    assert (tier["keep"]["at_least"], tier["keep"]["evaluated_on"]) == ("18.0000", "2027-06-01")

    back = await shop.send(refund(sold))
    assert (back["tier"]["before"], back["tier"]["after"]) == ("general", "maintenance")


async def test_a_batch_under_a_composite_policy_is_judged_after_its_last_receipt(
    shop: Shop,
) -> None:
    await use(shop, "composite", COMPOSITE, CUTS, KNOTS)
    customer_id = await shop.card()
    mistaken = sale("900.00")
    results = await shop.batch([sale("400.00"), mistaken, void(mistaken), sale("100.00")])
    assert [result["tier"]["score"] for result in results] == ["25.2500"] * 4
    assert (await shop.level(customer_id)) == "general"
    tier = await shop.tier(customer_id)
    assert str(tier.purchase_id) == results[3]["purchase_id"]


async def test_days_with_a_purchase_lift_a_card_and_no_amount_does(shop: Shop) -> None:
    levels = [{"level": "main", "at_least": "3"}, {"level": "small", "at_least": "0"}]
    body = {"metric": "frequency", "window_days": 30, "levels": levels, "keep": KEEP}
    await use(shop, "threshold", body)
    customer_id = await shop.card()
    first = await shop.send(sale("5000.00", at="2026-10-22T10:00:00+08:00"))
    assert (first["tier"]["score"], first["tier"]["unit"]) == ("0", "days")
    for day in ("2026-10-23", "2026-10-23", "2026-11-20"):
        result = await shop.send(sale("1.00", at=f"{day}T10:00:00+08:00"))
    assert (result["tier"]["score"], result["tier"]["after"]) == ("2", "small")
    assert result["tier"]["next"] == {"level": "main", "missing": "1", "spend": None}
    result = await shop.send(sale("1.00"))
    assert (result["tier"]["score"], result["tier"]["after"]) == ("3", "main")
    keep = (await tier_of(shop, customer_id))["keep"]
    assert (keep["at_least"], keep["still_counting"], keep["spend"]) == ("3", "0", None)


async def test_net_spend_of_another_window_is_followed_receipt_by_receipt(shop: Shop) -> None:
    levels = [
        {"level": "main", "at_least": "500"},
        {"level": "ordinary", "at_least": "200"},
        {"level": "small", "at_least": "0"},
    ]
    body = {"metric": "net_spend", "window_days": 30, "levels": levels, "keep": KEEP}
    await use(shop, "threshold", body)
    customer_id = await shop.card()
    results = await shop.batch(
        [
            sale("9000.00", at="2026-10-22T10:00:00+08:00"),
            sale("250.00", at="2026-10-23T10:00:00+08:00"),
            sale("300.00"),
        ]
    )
    assert [(one["tier"]["score"], one["tier"]["after"]) for one in results] == [
        ("0.00", "small"), ("250.00", "ordinary"), ("550.00", "main"),
    ]  # fmt: skip
    assert (await tier_of(shop, customer_id))["explanation"]["inputs"]["window_days"] == 30


async def test_a_share_policy_moves_by_its_cut(shop: Shop) -> None:
    body = {
        "metric": "gross_spend", "share_of": "value", "window_days": 365, "keep": KEEP,
        "levels": [
            {"level": "main", "top_percent": "80"}, {"level": "small", "top_percent": "100"},
        ],
    }  # fmt: skip
    await use(shop, "share", body, {"main": "812.50", "small": "0"})
    customer_id = await shop.card()
    result = await shop.send(sale("812.49"))
    assert result["tier"]["next"] == {"level": "main", "missing": "0.01", "spend": "0.01"}
    assert (await shop.send(sale("0.01")))["tier"]["after"] == "main"
    assert (
        "达到 2026-11-01 前 80% 的起点 812.50"
        in ((await tier_of(shop, customer_id))["explanation"]["sentences"]["zh"])
    )


async def statements_of(shop: Shop, events: list[dict[str, Any]]) -> list[str]:
    """Return the statements that taking these events in runs on the database."""
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record.query)

    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        connection.add_query_logger(note)
        try:
            await pos_intake.take_events(
                session, shop.settings, [received(shop.world, event) for event in events]
            )
        finally:
            connection.remove_query_logger(note)
    return seen


async def test_only_what_statistics_do_not_hold_costs_a_statement_more(shop: Shop) -> None:
    for number in range(20):
        await shop.card(f"HK{number:06}")

    def sales(count: int) -> list[dict[str, Any]]:
        return [sale("5.00", member=f"HK{number:06}") for number in range(count)]

    usual = len(await statements_of(shop, sales(1)))
    without = {**COMPOSITE, "indicators": COMPOSITE["indicators"][:2]}
    await use(shop, "composite", without, CUTS, KNOTS)
    # Levels of the other policy give way once.
    await shop.batch(sales(20))
    assert len(await statements_of(shop, sales(1))) == usual
    await use(shop, "composite", COMPOSITE)
    one, many = await statements_of(shop, sales(1)), await statements_of(shop, sales(20))
    assert len(one) == len(many) == usual + 1


async def test_the_figures_of_a_merge_are_those_the_card_then_has(shop: Shop) -> None:
    await use(shop, "composite", COMPOSITE, CUTS, KNOTS)
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    lines: list[dict[str, Any]] = [
        {
            "line_number": place, "sku": f"B{place}", "quantity": "1", "unit_price": "100.00",
            "amount": "100.00", "category": category,
        }
        for place, category in enumerate(("小说", "童书"), 1)
    ]  # fmt: skip
    two: dict[str, Any] = {"lines": lines, "total": "200.00"}
    await shop.send(sale(member="HK1", **two))
    await shop.send(sale(member="HK2", **two))
    await shop.send(sale("90.00", member="HK2", at="2026-11-20T10:00:00+08:00"))
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        together = await tier_figures.joint(connection, 365, TODAY, [survivor, loser])
    # Days on which both bought, and categories that both bought, count once.
    assert (together.purchases, together.purchase_days, together.breadth) == (3, 2, 2)
    assert str(together.net_spend) == "490.00"

    done = await merging.merge(shop.client, shop.world, survivor, [loser])

    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        found = await tier_figures.of_cards(connection, 365, TODAY, [survivor], is_current=True)
        assert found[survivor] == together
        nobody = await tier_figures.joint(connection, 365, TODAY, [loser])
        assert (nobody.purchases, str(nobody.net_spend)) == (0, "0")
    # 0.5 x 49 + 0.25 x 2 + 0.25 x 2, where each had at most 14.75 by itself.
    assert await shop.level(survivor) == "general"
    assert (await shop.tier(survivor)).explanation["score"] == "25.5000"
    await merging.undo(shop.client, shop.world, done)
    assert [await shop.level(one) for one in (survivor, loser)] == ["maintenance"] * 2
