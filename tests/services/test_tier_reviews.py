"""Upgrades of hollow accounts are held: at the till, and wherever receipts come from."""

from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import raw_connection
from tests.support import merging
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale
from tests.support.import_files import ask, step, upload
from tests.support.reviews import (
    audited,
    decide,
    fates,
    history,
    lapse,
    on_days,
    reviews,
    statements_about_reviews,
    told,
)
from tests.support.shop import Shop


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    await calibrate(shop.database, top_gross=Decimal("300.00"))
    return shop


# --- At the till ------------------------------------------------------------------------------


async def test_a_sale_that_would_lift_a_hollow_card_is_held_and_says_so(shop: Shop) -> None:
    customer_id = await shop.card()
    event = sale("1200.00")

    result = await shop.send(event)

    tier = result["tier"]
    assert (tier["before"], tier["after"], tier["changed"]) == ("small", "small", False)
    assert tier["held_upgrade"] == {
        "level": "main",
        "is_refused": False,
        "explanation": {
            "en": "The upgrade to Main waits for a review.",
            "zh": "升级为主要客户须经复核，暂未生效。",
        },
    }
    assert "升级" not in result["greeting"]["zh"]
    [review] = await reviews(shop, customer_id)
    assert (str(review.level), str(review.next_level), str(review.status)) == (
        "small", "main", "open",
    )  # fmt: skip
    assert str(review.purchase_id) == result["purchase_id"]
    assert review.is_severe
    assert review.evidence["signs"] == ["one_big_order", "few_days"]
    assert [one["number"] for one in review.evidence["conditions"]] == [
        None, "0.0100", "0.00", "1200.00", "1",
    ]  # fmt: skip
    assert await history(shop, customer_id) == [("small", "initial")]
    assert await told(shop, "tier.review_opened") == [
        {"level": "small", "next_level": "main", "signs": ["one_big_order", "few_days"]}
    ]
    assert await told(shop, "tier.changed") == []
    assert await audited(shop) == [("system", "created", [])]
    # The first answer stands, whatever becomes of the review.
    await decide(shop, review, "accept")
    assert await shop.send(event) == result


async def test_a_card_whose_turnover_is_sound_rises_and_nobody_is_asked(shop: Shop) -> None:
    customer_id = await shop.card()
    await on_days(shop, "90.00", "90.00", "90.00", "90.00")

    assert await history(shop, customer_id) == [("small", "initial"), ("ordinary", "upgrade")]
    assert await reviews(shop, customer_id) == []


async def test_a_policy_without_a_calibration_holds_nobody(shop: Shop) -> None:
    answer = await shop.client.post(
        "/v1/customers",
        headers=shop.world.headers(),
        json={
            "kind": "organization",
            "name": "新华小学",
            "identities": [{"kind": "member_number", "value": "ORG1"}],
        },
    )
    customer_id = UUID(answer.json()["id"])
    result = await shop.send(sale("90000.00", member="ORG1"))

    assert result["tier"]["changed"]
    assert result["tier"]["held_upgrade"] is None
    assert await reviews(shop, customer_id) == []


async def test_only_cards_that_are_about_to_rise_cost_statements(shop: Shop) -> None:
    for number in range(6):
        await shop.card(f"HK00000{number}")
    # Too little to rise for some; three more rise, hollow or not, in the same transaction.
    quiet = [sale("20.00", member=f"HK00000{number}") for number in range(3)]
    one = [sale("400.00", member="HK000003")]
    more = [sale("400.00", member=f"HK00000{number}") for number in (0, 1, 2, 4, 5)]
    counts = [await statements_about_reviews(shop, events) for events in (quiet, one, more)]
    assert counts[0] == 0
    # What stands, and what is opened, for one card as for five.
    assert counts[1:] == [2, 2]


async def test_a_waiting_card_that_earns_more_waits_for_more_in_the_same_review(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    first = await shop.send(sale("400.00"))
    [before] = await reviews(shop, customer_id)
    again = await shop.send(sale("100.00"))
    assert again["tier"]["held_upgrade"]["level"] == "ordinary"
    [same] = await reviews(shop, customer_id)
    assert (same.id, str(same.next_level)) == (before.id, "ordinary")
    # The purchase that earned the level stays the one that did; the evidence is of now.
    assert str(same.purchase_id) == first["purchase_id"]
    assert same.evidence["gross"] == "500.00"

    last = await shop.send(sale("700.00"))

    [after] = await reviews(shop, customer_id)
    assert (after.id, str(after.level), str(after.next_level)) == (before.id, "small", "main")
    assert str(after.purchase_id) == last["purchase_id"]
    assert after.opened_at == before.opened_at
    assert len(await told(shop, "tier.review_opened")) == 1
    assert await shop.level(customer_id) == "small"


async def test_each_receipt_of_a_batch_is_told_what_it_would_have_earned(shop: Shop) -> None:
    customer_id = await shop.card()
    results = await shop.batch([sale("100.00"), sale("300.00"), sale("700.00")])

    assert [
        one["tier"]["held_upgrade"] and one["tier"]["held_upgrade"]["level"] for one in results
    ] == [None, "ordinary", "main"]
    assert {one["tier"]["after"] for one in results} == {"small"}
    assert await fates(shop, customer_id) == [("small", "main", "open")]


async def test_a_card_that_turns_sound_rises_and_its_review_lapses(shop: Shop) -> None:
    customer_id = await shop.card()
    await on_days(shop, "400.00")
    assert await fates(shop, customer_id) == [("small", "ordinary", "open")]

    await on_days(shop, "250.00", "250.00", "10.00")

    assert await shop.level(customer_id) == "ordinary"
    assert await fates(shop, customer_id) == [("small", "ordinary", "lapsed")]
    assert await audited(shop) == [("system", "created", []), ("system", "changed", ["status"])]


async def test_a_sale_and_its_return_in_one_batch_ask_nobody(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.batch([sold, refund(sold)])

    assert await shop.level(customer_id) == "small"
    assert await reviews(shop, customer_id) == []


async def test_a_test_sale_holds_nothing_and_says_what_it_would(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.change_source(mode="test")
    result = await shop.send(sale("1200.00"))

    assert result["status"] == "test"
    assert result["tier"]["held_upgrade"]["level"] == "main"
    assert await reviews(shop, customer_id) == []


async def test_answers_given_before_upgrades_were_held_are_given_again(shop: Shop) -> None:
    await shop.card()
    event = sale("20.00")
    result = await shop.send(event)
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute("UPDATE pos_event SET answer = answer #- '{tier,held_upgrade}'")
    assert await shop.send(event) == result


# --- Not at the till --------------------------------------------------------------------------


async def test_receipts_that_waited_for_their_card_lift_no_hollow_one(shop: Shop) -> None:
    await shop.send(sale("1200.00"))

    customer_id = await shop.card()

    assert await fates(shop, customer_id) == [("small", "main", "open")]
    assert await history(shop, customer_id) == [("small", "initial")]


async def test_an_import_lifts_no_hollow_card_and_undoing_it_ends_the_review(shop: Shop) -> None:
    customer_id = await shop.card()
    sound = await shop.card("HK000002")
    rows = ["小票号,日期,会员卡号,商品编码,书名,数量,单价,实付"]
    rows.append("R1,2026-11-01 10:00:00,HK000001,B1,红楼梦,1,1200.00,1200.00")
    rows += [
        f"R{day},2026-11-{day:02} 10:00:00,HK000002,B1,红楼梦,1,300.00,300.00"
        for day in range(2, 6)
    ]
    client, world, database, settings = shop.client, shop.world, shop.database, shop.settings
    job = await upload(client, world, "\n".join(rows).encode(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await step(client, world, database, settings, await ask(client, world, job, "run"))

    assert (job["status"], job["written"]["upgrades"]) == ("done", 1)
    assert await shop.level(sound) == "main"
    assert await history(shop, customer_id) == [("small", "initial")]
    assert await fates(shop, customer_id) == [("small", "main", "open")]

    job = await step(client, world, database, settings, await ask(client, world, job, "undo"))

    assert job["status"] == "undone"
    assert await fates(shop, customer_id) == [("small", "main", "lapsed")]


async def test_merging_a_waiting_card_lifts_nobody_past_its_review(shop: Shop) -> None:
    waiting = await shop.card()
    await shop.send(sale("400.00"))
    other = await shop.card("HK000002", name="顾念书二")
    await shop.send(sale("20.00", member="HK000002"))

    await merging.merge(shop.client, shop.world, waiting, [other])

    assert await shop.level(waiting) == "small"
    assert await fates(shop, waiting) == [("small", "ordinary", "open")]
    [review] = await reviews(shop, waiting)
    assert (await decide(shop, review, "accept")).status_code == 200
    assert await shop.level(waiting) == "ordinary"


async def test_cards_that_are_hollow_together_rise_by_no_merge(shop: Shop) -> None:
    await calibrate(shop.database, top_gross=Decimal("1000.00"))
    customer_id = await shop.card()
    other = await shop.card("HK000002", name="顾念书二")
    for member in ("HK000001", "HK000002"):
        await shop.send(sale("600.00", member=member))
    assert await shop.level(customer_id) == "ordinary"

    await merging.merge(shop.client, shop.world, customer_id, [other])
    assert await history(shop, customer_id) == [("small", "initial"), ("ordinary", "upgrade")]
    assert await reviews(shop, customer_id) == []

    await shop.send(sale("1.00"))
    assert await fates(shop, customer_id) == [("ordinary", "main", "open")]


async def test_a_waiting_card_that_is_merged_away_leaves_a_review_that_the_night_ends(
    shop: Shop,
) -> None:
    waiting = await shop.card()
    await shop.send(sale("400.00"))
    other = await shop.card("HK000002", name="顾念书二")
    done = await merging.merge(shop.client, shop.world, other, [waiting])
    assert await fates(shop, waiting) == [("small", "ordinary", "open")]

    assert await lapse(shop) == {"looked_at": 1, "lapsed": 1, "remaining": 0}
    assert await fates(shop, waiting) == [("small", "ordinary", "lapsed")]

    # Taken apart, it is asked about again when it is next about to rise.
    await merging.undo(shop.client, shop.world, done)
    await shop.send(sale("1.00"))
    assert await fates(shop, waiting) == [
        ("small", "ordinary", "lapsed"), ("small", "ordinary", "open"),
    ]  # fmt: skip
    assert await shop.level(waiting) == "small"
