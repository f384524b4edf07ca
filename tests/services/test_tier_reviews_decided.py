"""Held upgrades accepted and refused: what follows, and what is not decided twice."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.core import clock
from app.models import AuditEntry, OutboxEvent, TierAssignment
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale
from tests.support.reviews import (
    audited,
    decide,
    fates,
    history,
    keep_signed_in,
    on_days,
    reviews,
    told,
)
from tests.support.shop import Shop
from tests.support.tier_policies import KEEP, draft, night, publish, simulate


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    await calibrate(shop.database, top_gross=Decimal("300.00"))
    return shop


async def test_an_accepted_upgrade_lifts_the_card_and_goes_with_its_purchase(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.send(sold)
    [review] = await reviews(shop, customer_id)

    answer = await decide(shop, review, "accept", note="学校采购", next_level="main")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["reason"]) == ("accepted", "学校采购")
    assert answer.json()["decided_by_id"] == str(shop.world.staff["manager"])
    assert await history(shop, customer_id) == [("small", "initial"), ("main", "reviewed")]
    assert (await shop.tier(customer_id)).purchase_id == review.purchase_id
    assert await told(shop, "tier.changed") == [
        {"before": "small", "after": "main", "cause": "reviewed"}
    ]
    assert (await audited(shop))[1:] == [("staff", "decided", ["reason", "status"])]

    await shop.send(refund(sold))

    assert (await history(shop, customer_id))[2:] == [("small", "reversal")]


async def test_an_accepted_upgrade_whose_purchase_went_back_is_carried_by_the_others(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    first = sale("400.00")
    await shop.send(first)
    second = sale("350.00")
    await shop.send(second)
    await shop.send(refund(first))
    assert await fates(shop, customer_id) == [("small", "ordinary", "open")]
    [review] = await reviews(shop, customer_id)

    assert (await decide(shop, review, "accept")).status_code == 200
    assert await history(shop, customer_id) == [
        ("small", "initial"), ("ordinary", "reviewed"), ("ordinary", "carried"),
    ]  # fmt: skip
    assert len(await told(shop, "tier.changed")) == 1

    # Taking back one of those that carry it ends it.
    await shop.send(refund(second))
    assert await shop.level(customer_id) == "small"


async def test_a_refused_upgrade_is_not_asked_again_while_the_account_is_hollow(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    answer = await decide(shop, review, "refuse", reason="一次性团购")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["reason"]) == ("refused", "一次性团购")

    result = await shop.send(sale("30.00"))

    assert result["tier"]["held_upgrade"] == {
        "level": "ordinary",
        "is_refused": True,
        "explanation": {
            "en": "The upgrade to Ordinary was refused in a review.",
            "zh": "升级为普通客户经复核未通过。",
        },
    }
    assert await fates(shop, customer_id) == [("small", "ordinary", "refused")]
    # A higher level was not refused.
    await shop.send(sale("800.00"))
    assert (await fates(shop, customer_id))[1:] == [("small", "main", "open")]
    await decide(shop, (await reviews(shop, customer_id))[1], "refuse", reason="仍为一次性团购")

    now.advance(timedelta(days=179))
    await shop.send(sale("1.00"))
    assert len(await reviews(shop, customer_id)) == 2
    now.advance(timedelta(days=1))
    await shop.send(sale("1.00"))
    # By now it has bought on four days, but one order is still most of the year.
    assert (await fates(shop, customer_id))[2:] == [("small", "main", "open")]
    assert await shop.level(customer_id) == "small"


async def test_a_refused_card_that_turns_sound_rises(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    await decide(shop, review, "refuse", reason="一次性团购")

    await on_days(shop, "250.00", "250.00", "10.00")

    assert await shop.level(customer_id) == "ordinary"
    assert await fates(shop, customer_id) == [("small", "ordinary", "refused")]


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "open"])
async def test_no_review_keeps_a_card_at_a_level_that_the_policy_does_not_know(
    shop: Shop, *, is_refused: bool
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    if is_refused:
        await decide(shop, review, "refuse", reason="一次性团购")
    policy = await draft(
        shop.client, shop.world, scope="individual", name="Other levels", method="threshold",
        metric="net_spend", window_days=365, keep=KEEP,
        levels=[
            {"level": "key", "at_least": "1000.00"},
            {"level": "important", "at_least": "300.00"},
            {"level": "maintenance", "at_least": "0"},
        ],
    )  # fmt: skip

    shown = await simulate(shop.client, shop.world, policy)
    assert (await publish(shop.client, shop.world, policy)).status_code == 200
    await night(shop.database, shop.settings)

    [mover] = shown["movers"]["up"]
    assert (mover["before"], mover["at_once"], mover["is_hollow"]) == ("small", "important", True)
    assert await history(shop, customer_id) == [("small", "initial"), ("important", "policy")]
    fate = "refused" if is_refused else "lapsed"
    assert await fates(shop, customer_id) == [("small", "ordinary", fate)]


@pytest.mark.parametrize(
    ("verb", "body"),
    [("accept", {}), ("refuse", {"reason": "一次性团购"})],
    ids=["accept", "refuse"],
)
async def test_what_was_decided_is_not_decided_again(
    shop: Shop, verb: str, body: dict[str, str]
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    await decide(shop, review, "refuse", reason="首次判断")
    before = await shop.counts(TierAssignment, AuditEntry, OutboxEvent)

    answer = await decide(shop, review, verb, **body)

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/invalid-transition"
    assert await shop.counts(TierAssignment, AuditEntry, OutboxEvent) == before
    [after] = await reviews(shop, customer_id)
    assert (str(after.status), after.reason) == ("refused", "首次判断")


async def test_a_level_that_the_reviewer_did_not_see_is_not_accepted(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    await shop.send(sale("700.00"))

    answer = await decide(shop, review, "accept", next_level="ordinary")

    assert answer.status_code == 409
    assert await fates(shop, customer_id) == [("small", "main", "open")]
    assert await shop.level(customer_id) == "small"


async def test_what_the_figures_no_longer_earn_is_not_accepted(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    now.advance(timedelta(days=365))
    await keep_signed_in(shop)
    before = await shop.counts(TierAssignment, AuditEntry, OutboxEvent)

    answer = await decide(shop, review, "accept")

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/invalid-transition"
    assert await shop.counts(TierAssignment, AuditEntry, OutboxEvent) == before
    assert await fates(shop, customer_id) == [("small", "ordinary", "open")]
