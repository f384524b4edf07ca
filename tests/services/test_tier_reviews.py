"""Upgrades of hollow accounts: held at the till, accepted, refused, lapsed; one review a card."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.models import AuditEntry, OutboxEvent, TierAssignment, TierReview
from app.queries import customer_stats
from app.services import nights, tier_nights, tier_reviews
from tests.support import merging
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale, void
from tests.support.import_files import ask, step, upload
from tests.support.shop import Shop
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)


@pytest.fixture
def now() -> clock.FixedClock:
    """A clock that tests move."""
    return clock.FixedClock(NOW)


@pytest.fixture
async def shop(
    now: clock.FixedClock, database: Database, settings: Settings, client: httpx.AsyncClient,
    world: World,
) -> AsyncIterator[Shop]:  # fmt: skip
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    with clock.using(now, everywhere=True):
        await calibrate(database, top_gross=Decimal("300.00"))
        yield Shop(client, world, database, settings)


async def reviews(shop: Shop, customer_id: UUID) -> Sequence[TierReview]:
    """Return a card's reviews, oldest first."""
    async with shop.database.transaction() as session:
        return (
            await session.scalars(
                select(TierReview)
                .where(col(TierReview.customer_id) == customer_id)
                .order_by(col(TierReview.id))
                .execution_options(populate_existing=True)
            )
        ).all()


async def fates(shop: Shop, customer_id: UUID) -> list[tuple[str, str, str]]:
    """Return from which level to which each of a card's reviews is, and what became of it."""
    return [
        (str(one.level), str(one.next_level), str(one.status))
        for one in await reviews(shop, customer_id)
    ]


async def history(shop: Shop, customer_id: UUID) -> list[tuple[str, str]]:
    """Return level and cause of every tier of a card, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.execute(
            select(col(TierAssignment.level), col(TierAssignment.cause))
            .where(col(TierAssignment.customer_id) == customer_id)
            .order_by(
                col(TierAssignment.valid_to).nulls_last(),
                col(TierAssignment.valid_from),
                col(TierAssignment.id),
            )
        )
        return [(str(level), str(cause)) for level, cause in rows]


async def decide(
    shop: Shop, review: TierReview, verb: str, who: str = "manager", **body: Any
) -> httpx.Response:
    """Accept or refuse a review."""
    return await shop.client.post(
        f"/v1/tier-reviews/{review.customer_id}/{review.id}/{verb}",
        headers=shop.world.headers(who),
        json=body,
    )


async def on_days(shop: Shop, *amounts: str, member: str = "HK000001") -> list[dict[str, Any]]:
    """Sell each amount on a day of its own, the last one today; return the events."""
    events = []
    for back, amount in zip(range(len(amounts) - 1, -1, -1), amounts, strict=True):
        at = (clock.now() - timedelta(days=back)).isoformat()
        events.append(sale(amount, member=member, at=at))
        await shop.send(events[-1])
    return events


async def lapse(shop: Shop) -> dict[str, int]:
    """Run a portion of the night's step."""
    async with shop.database.transaction() as session:
        await nights.begin_step(session, TODAY, tier_reviews.STEP, clock.now())
        return dict(await tier_reviews.lapse_outdated(session, shop.settings, TODAY))


async def statements_about_reviews(shop: Shop, events: list[Any]) -> int:
    """Return how many statements about reviews a batch takes, but for the one of every batch."""
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record.query)

    async with shop.database.transaction() as session:
        # One connection serves everything that is rolled back.
        connection = await raw_connection(session)
        connection.add_query_logger(note)
    await shop.batch(events)
    async with shop.database.transaction() as session:
        (await raw_connection(session)).remove_query_logger(note)
    assert seen
    return sum("tier_review" in text and "has_review" not in text for text in seen)


async def keep_signed_in(shop: Shop) -> None:
    """Let tokens last although the clock was moved."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            "UPDATE access_token SET last_used_at = $1, expires_at = $2",
            clock.now(),
            clock.now() + timedelta(days=1),
        )


async def told(shop: Shop, kind: str) -> list[dict[str, Any]]:
    """Return the payloads of the events of a kind that others are told."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(col(OutboxEvent.payload))
            .where(col(OutboxEvent.type) == kind)
            .order_by(col(OutboxEvent.id))
        )
        return list(rows)


async def audited(shop: Shop) -> list[tuple[str, str, list[str]]]:
    """Return what the audit trail says of reviews: who, what, which fields."""
    async with shop.database.transaction() as session:
        rows = await session.execute(
            select(AuditEntry)
            .where(col(AuditEntry.object_type) == "tier_review")
            .order_by(col(AuditEntry.id))
        )
        return [(str(one.actor_kind), str(one.action), one.fields) for (one,) in rows]


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


# --- Decided ----------------------------------------------------------------------------------


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


# --- Lapsed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("take_back", [refund, void], ids=["refund", "void"])
async def test_taking_the_purchase_back_ends_the_review(shop: Shop, take_back: Any) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.send(sold)
    await shop.send(take_back(sold))

    assert await fates(shop, customer_id) == [("small", "main", "lapsed")]
    assert await history(shop, customer_id) == [("small", "initial")]


async def test_taking_a_part_back_asks_about_what_is_still_earned(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.send(sold)
    await shop.send(refund(sold, "500.00", quantity="0.5"))

    assert await fates(shop, customer_id) == [
        ("small", "main", "lapsed"), ("small", "ordinary", "open"),
    ]  # fmt: skip
    assert len(await told(shop, "tier.review_opened")) == 2


async def test_the_night_ends_reviews_that_time_has_outdated(
    shop: Shop, now: clock.FixedClock
) -> None:
    old = await shop.card()
    await shop.send(sale("400.00"))
    now.advance(timedelta(days=365))
    await keep_signed_in(shop)
    new = await shop.card("HK000002")
    await shop.send(sale("400.00", member="HK000002"))
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await customer_stats.rebuild(connection, clock.today(shop.settings.zone), [old])

    assert await lapse(shop) == {"looked_at": 2, "lapsed": 1, "remaining": 0}

    assert await fates(shop, old) == [("small", "ordinary", "lapsed")]
    assert await fates(shop, new) == [("small", "ordinary", "open")]
    assert await lapse(shop) == {"looked_at": 1, "lapsed": 0, "remaining": 0}


async def test_the_night_holds_whom_it_would_lift_and_asks_once(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("290.00"))
    await calibrate(shop.database, top_gross=Decimal("200.00"))
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(
            """UPDATE tier_policy
               SET body = jsonb_set(body, '{levels,1,at_least}', '"250.00"')
               WHERE scope = 'individual'"""
        )

    for _ in range(2):
        async with shop.database.transaction() as session:
            counts = await tier_nights.reconcile(session, shop.settings, TODAY)
        assert (counts["moved"], counts["remaining"]) == (0, 0)
        assert await fates(shop, customer_id) == [("small", "ordinary", "open")]
    [review] = await reviews(shop, customer_id)
    assert review.purchase_id is None
    assert len(await told(shop, "tier.review_opened")) == 1

    assert (await decide(shop, review, "accept")).status_code == 200
    assert await history(shop, customer_id) == [("small", "initial"), ("ordinary", "reviewed")]
    # Sound by now, a refused card would be lifted too; this one is where it should be.
    async with shop.database.transaction() as session:
        counts = await tier_nights.reconcile(session, shop.settings, TODAY)
    assert counts["moved"] == 0


async def test_the_night_lifts_whose_account_is_not_hollow_any_more(shop: Shop) -> None:
    waiting = await shop.card()
    refused = await shop.card("HK000002")
    for member in ("HK000001", "HK000002"):
        await shop.send(sale("400.00", member=member))
    [review] = await reviews(shop, refused)
    await decide(shop, review, "refuse", reason="一次性团购")
    await calibrate(shop.database, top_gross=Decimal("500.00"))

    assert await lapse(shop) == {"looked_at": 1, "lapsed": 1, "remaining": 0}
    async with shop.database.transaction() as session:
        counts = await tier_nights.reconcile(session, shop.settings, TODAY)

    assert counts["moved"] == 2
    for customer_id in (waiting, refused):
        assert await history(shop, customer_id) == [
            ("small", "initial"), ("ordinary", "reconciled"),
        ]  # fmt: skip
    assert await fates(shop, refused) == [("small", "ordinary", "refused")]


async def test_what_is_set_by_hand_ends_the_review_and_holds_no_review_up(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    answer = await shop.client.post(
        f"/v1/customers/{customer_id}/tier-override",
        headers=shop.world.headers(),
        json={"level": "main", "reason": "战略客户", "ends_on": "2026-12-31"},
    )
    assert answer.is_success, answer.text

    assert await fates(shop, customer_id) == [("small", "ordinary", "lapsed")]
    assert (await decide(shop, review, "accept")).status_code == 409
    result = await shop.send(sale("900.00"))
    assert result["tier"]["held_upgrade"] is None
    assert len(await reviews(shop, customer_id)) == 1


async def test_the_night_ends_reviews_of_cards_that_are_not_hollow_any_more(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    await calibrate(shop.database, top_gross=Decimal("500.00"))

    assert await lapse(shop) == {"looked_at": 1, "lapsed": 1, "remaining": 0}
    assert await fates(shop, customer_id) == [("small", "ordinary", "lapsed")]
