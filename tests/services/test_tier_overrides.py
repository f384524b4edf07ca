"""Levels set by hand: who may, until when, what leaves them alone, and how they end."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.core.ids import new_id
from app.models import AuditEntry, OutboxEvent, TierAssignment, TierNotice, TierReview
from app.queries import tier_nights as night_queries
from app.services import tier_nights, tier_overrides
from app.vocabulary import DomainEvent, TierLevel
from tests.support import merging
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale
from tests.support.shop import Shop

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
GIVEN = {"level": "main", "reason": "常年团购，约定保级", "ends_on": "2026-12-31"}


async def post(
    shop: Shop, customer_id: UUID, body: dict[str, Any], who: str = "manager", path: str = ""
) -> httpx.Response:
    """Set a level by hand, or end that."""
    return await shop.client.post(
        f"/v1/customers/{customer_id}/tier-override{path}",
        json=body,
        headers=shop.world.headers(who),
    )


async def set_level(shop: Shop, customer_id: UUID, **changes: Any) -> dict[str, Any]:
    """Set a level by hand; return the tier as it stands then."""
    answer = await post(shop, customer_id, {**GIVEN, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/customers/{customer_id}/tier"
    tier: dict[str, Any] = answer.json()
    return tier


async def end(shop: Shop, customer_id: UUID) -> dict[str, Any]:
    """End what was set by hand; return the tier as it stands then."""
    answer = await post(shop, customer_id, {"reason": "约定取消"}, path="/end")
    assert answer.status_code == 200, answer.text
    tier: dict[str, Any] = answer.json()
    return tier


async def history(shop: Shop, customer_id: UUID) -> list[tuple[str, str]]:
    """Return level and cause of every tier of a card, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(TierAssignment)
            .where(col(TierAssignment.customer_id) == customer_id)
            .order_by(
                col(TierAssignment.valid_to).nulls_last(),
                col(TierAssignment.valid_from),
                col(TierAssignment.id),
            )
        )
        return [(str(row.level), str(row.cause)) for row in rows]


async def run_night(shop: Shop, as_of: date) -> dict[str, int]:
    """End the overrides that are over by a day."""
    async with shop.database.transaction() as session:
        return dict(await tier_overrides.end_overrides(session, shop.settings, as_of))


async def told(shop: Shop) -> list[dict[str, Any]]:
    """Return what others were told about tiers, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(OutboxEvent)
            .where(col(OutboxEvent.type) == DomainEvent.TIER_CHANGED)
            .order_by(col(OutboxEvent.id))
        )
        return [row.payload for row in rows]


async def notice_and_review(shop: Shop, customer_id: UUID) -> None:
    """Let a fall be announced and an upgrade wait."""
    async with shop.database.transaction() as session:
        tier = (
            await session.scalars(
                select(TierAssignment).where(
                    col(TierAssignment.customer_id) == customer_id,
                    col(TierAssignment.valid_to).is_(None),
                )
            )
        ).one()
        connection = await raw_connection(session)
        await night_queries.give_notices(
            connection,
            NOW,
            [
                {
                    "customer_id": customer_id,
                    "id": new_id(),
                    "policy_id": tier.policy_id,
                    "level": "ordinary",
                    "next_level": "small",
                    "noticed_on": TODAY,
                    "falls_on": date(2027, 1, 1),
                    "explanation": {},
                }
            ],
        )
        await connection.execute(
            """INSERT INTO tier_review (customer_id, id, policy_id, level, next_level, evidence,
                                        is_severe, status, opened_at)
               VALUES ($1, $2, $3, 'ordinary', 'main', '{}', false, 'open', $4)""",
            customer_id,
            new_id(),
            tier.policy_id,
            NOW,
        )


async def test_a_level_set_by_hand_says_by_whom_why_and_until_when(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))

    tier = await set_level(shop, customer_id)

    assert (tier["level"]["code"], tier["cause"]["code"]) == ("main", "override")
    assert tier["override"] == {
        "ends_on": "2026-12-31",
        "set_by_id": str(shop.world.staff["manager"]),
        "set_by_name": "Manager",
        "reason": "常年团购，约定保级",
    }
    assert tier["keep"] is None
    assert tier["explanation"]["sentences"] == tier["today"]["sentences"]
    assert tier["explanation"]["sentences"] == {
        "en": "Main: net spend from 2025-11-22 to 2026-11-21 is 400.00; set by hand until"
        " 2026-12-31; the figures alone would give Ordinary (policy version 1).",
        "zh": "主要客户：2025-11-22 至 2026-11-21 净消费 400.00，人工指定至 2026-12-31；"
        "仅按当前金额应为普通客户（政策第 1 版）。",
    }
    page = await shop.client.get(
        f"/v1/customers/{customer_id}/tier-history", headers=shop.world.headers()
    )
    newest = page.json()["items"][0]
    assert (newest["ends_on"], newest["reason"]) == ("2026-12-31", "常年团购，约定保级")
    assert newest["set_by_id"] == str(shop.world.staff["manager"])
    assert (await told(shop))[-1] == {"before": "ordinary", "after": "main", "cause": "override"}
    async with shop.database.transaction() as session:
        entry = (
            await session.scalars(
                select(AuditEntry)
                .where(
                    col(AuditEntry.object_id) == customer_id,
                    col(AuditEntry.actor_id) == shop.world.staff["manager"],
                    col(AuditEntry.action) == "changed",
                )
                .order_by(col(AuditEntry.at).desc())
            )
        ).first()
    assert entry is not None
    assert entry.fields == ["tier"]


async def test_receipts_and_nights_leave_a_locked_card_alone(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    sold = sale("1100.00")
    await shop.send(sold)
    await set_level(shop, customer_id, level="small", reason="拒绝升级，另行约定")
    more = await shop.send(sale("500.00"))
    assert more["tier"]["after"] == "small"
    assert (more["tier"]["changed"], more["tier"]["is_locked"]) == (False, True)
    assert "set by hand; the figures alone would give Main" in more["tier"]["explanation"]["en"]
    back = await shop.send(refund(sold))
    assert back["tier"]["after"] == "small"
    async with shop.database.transaction() as session:
        counts = await tier_nights.reconcile(session, shop.settings, TODAY)
    assert counts["moved"] == 0
    assert await run_night(shop, date(2026, 12, 31)) == {"ended": 0, "remaining": 0}
    assert (await history(shop, customer_id))[-1] == ("small", "override")


async def test_after_its_last_day_the_card_gets_the_better_of_earned_and_held(
    shop: Shop, now: clock.FixedClock
) -> None:
    lifted, lowered, plain = [await shop.card(f"HK{number}") for number in range(3)]
    await shop.send(sale("400.00", member="HK0"))
    await shop.send(sale("1000.00", member="HK1"))
    await set_level(shop, lifted, level="small")
    await set_level(shop, lowered, level="small")
    await set_level(shop, plain, level="main")
    await shop.send(sale("700.00", member="HK0"))

    now.move_to(datetime(2026, 12, 31, 18, tzinfo=UTC))
    assert await run_night(shop, date(2027, 1, 1)) == {"ended": 3, "remaining": 0}
    assert await run_night(shop, date(2027, 1, 1)) == {"ended": 0, "remaining": 0}

    assert (await history(shop, lifted))[-1] == ("main", "override_ended")
    assert (await history(shop, lowered))[-1] == ("main", "override_ended")
    assert (await history(shop, plain))[-1] == ("small", "override_ended")
    tier = await shop.tier(lifted)
    assert (tier.ends_on, tier.set_by_id, tier.reason) == (None, None, None)


async def test_what_was_held_is_gone_when_what_earned_it_was_taken_back_meanwhile(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    first, second = sale("400.00"), sale("700.00")
    await shop.send(first)
    await shop.send(second)
    await set_level(shop, customer_id, level="small")
    # One override in place of another: what was held is what was held before the first.
    await set_level(shop, customer_id, level="main", ends_on="2027-03-01")
    await shop.send(refund(second, "500.00", quantity="0.7"))
    await shop.send(refund(first, "350.00", quantity="0.9"))
    assert (await end(shop, customer_id))["level"]["code"] == "small"
    assert await history(shop, customer_id) == [
        ("small", "initial"),
        ("ordinary", "upgrade"),
        ("main", "upgrade"),
        ("small", "override"),
        ("main", "override"),
        ("small", "override_ended"),
    ]


async def test_a_purchase_that_earned_the_tier_still_does_after_an_override(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1100.00")
    await shop.send(sale("400.00"))
    await shop.send(sold)
    await set_level(shop, customer_id, level="ordinary")
    assert (await end(shop, customer_id))["level"]["code"] == "main"
    back = await shop.send(refund(sold))
    assert (back["tier"]["before"], back["tier"]["after"]) == ("main", "ordinary")


async def test_ending_it_by_hand_says_who_and_why_and_is_refused_the_second_time(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    refused = await post(shop, customer_id, {"reason": "约定取消"}, path="/end")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/invalid-transition")
    await set_level(shop, customer_id)
    tier = await end(shop, customer_id)
    assert (tier["level"]["code"], tier["cause"]["code"]) == ("small", "override_ended")
    assert tier["override"] is None
    stored = await shop.tier(customer_id)
    assert (stored.set_by_id, stored.reason) == (shop.world.staff["manager"], "约定取消")
    again = await post(shop, customer_id, {"reason": "约定取消"}, path="/end")
    assert again.status_code == 409
    assert len(await history(shop, customer_id)) == 3


@pytest.mark.parametrize("by_night", [True, False])
async def test_who_looks_hollow_rises_by_no_end_of_an_override(
    shop: Shop, now: clock.FixedClock, by_night: bool
) -> None:
    await calibrate(shop.database)
    customer_id = await shop.card()
    await set_level(shop, customer_id, level="ordinary", ends_on="2026-11-21")
    await shop.send(sale("1200.00"))
    if by_night:
        now.advance(timedelta(hours=18))
        assert await run_night(shop, date(2026, 11, 22)) == {"ended": 1, "remaining": 0}
    else:
        await end(shop, customer_id)
    assert (await history(shop, customer_id))[-1] == ("small", "override_ended")
    async with shop.database.transaction() as session:
        review = (await session.scalars(select(TierReview))).one()
    assert (str(review.level), str(review.next_level), str(review.status)) == (
        "small", "main", "open",
    )  # fmt: skip


async def test_what_was_announced_and_what_waited_is_dropped(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    await notice_and_review(shop, customer_id)
    path = f"/v1/customers/{customer_id}/tier"
    before = (await shop.client.get(path, headers=shop.world.headers())).json()
    assert (before["notice"]["next_level"], before["notice"]["falls_on"]) == ("small", "2027-01-01")
    assert before["keep"]["evaluated_on"] == "2027-01-01"
    assert before["review"]["next_level"] == "main"

    after = await set_level(shop, customer_id)

    assert (after["notice"], after["review"]) == (None, None)
    async with shop.database.transaction() as session:
        notice = (await session.scalars(select(TierNotice))).one()
        review = (await session.scalars(select(TierReview))).one()
    assert (str(notice.status), notice.closed_at) == ("lapsed", NOW)
    assert (str(review.status), review.decided_at) == ("lapsed", NOW)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"level": "key"}, "/level", id="a level of another policy"),
        pytest.param({"level": "gold"}, "/level", id="no level"),
        pytest.param({"ends_on": "2026-11-20"}, "/ends_on", id="yesterday"),
        pytest.param({"ends_on": "2028-11-22"}, "/ends_on", id="in more than two years"),
        pytest.param({"reason": ""}, "/reason", id="no reason"),
        pytest.param({"reason": "好" * 501}, "/reason", id="a long reason"),
        pytest.param({"reason": "a\u0007bc"}, "/reason", id="a bell"),
    ],
)
async def test_what_cannot_be_set_is_refused_and_changes_nothing(
    shop: Shop, changes: dict[str, str], pointer: str
) -> None:
    customer_id = await shop.card()
    answer = await post(shop, customer_id, {**GIVEN, **changes})
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await history(shop, customer_id) == [("small", "initial")]


@pytest.mark.parametrize("day", ["2026-11-21", "2028-11-21"])
async def test_it_ends_today_at_the_earliest_and_in_two_years_at_the_latest(
    shop: Shop, day: str
) -> None:
    customer_id = await shop.card()
    assert (await set_level(shop, customer_id, ends_on=day))["override"]["ends_on"] == day


async def test_managers_of_a_store_set_tiers_of_their_own_customers_only(shop: Shop) -> None:
    own = await shop.card("HK1", home_store_id=str(shop.world.stores["S01"]))
    others = await shop.card("HK2", home_store_id=str(shop.world.stores["S02"]))
    assert (await post(shop, own, GIVEN, "store_manager")).status_code == 201
    for path, body in (("", GIVEN), ("/end", {"reason": "约定取消"})):
        assert (await post(shop, others, body, "store_manager", path)).status_code == 403
        assert (await post(shop, own, body, "clerk", path)).status_code == 403
    assert await history(shop, others) == [("small", "initial")]
    assert (await history(shop, own))[-1] == ("main", "override")
    assert (await post(shop, new_id(), GIVEN)).status_code == 404


async def test_a_large_portion_ends_in_several(
    shop: Shop, now: clock.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier_overrides, "CHUNK", 2)
    for number in range(5):
        await set_level(shop, await shop.card(f"HK{number}"))
    now.move_to(datetime(2027, 1, 1, 18, tzinfo=UTC))
    assert [await run_night(shop, date(2027, 1, 2)) for _ in range(3)] == [
        {"ended": 2, "remaining": 1},
        {"ended": 2, "remaining": 1},
        {"ended": 1, "remaining": 0},
    ]


# --- Merges ---------------------------------------------------------------------------------------


async def test_a_locked_card_stays_locked_when_another_is_merged_into_it(shop: Shop) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("1200.00", member="HK2"))
    await set_level(shop, survivor, level="ordinary")
    planned = await merging.plan(shop.client, shop.world, survivor, [loser])
    assert (planned["tier"]["level"], planned["tier"]["changes"]) == ("ordinary", False)
    assert "set by hand until 2026-12-31" in planned["tier"]["sentences"]["en"]
    before = await merging.dump(shop.database, survivor, loser)
    done = await merging.merge(shop.client, shop.world, survivor, [loser])
    assert (await history(shop, survivor))[-1] == ("ordinary", "override")
    await merging.undo(shop.client, shop.world, done)
    assert (await merging.dump(shop.database, survivor, loser))["tier_assignment"] == (
        before["tier_assignment"]
    )


async def test_what_was_promised_by_hand_is_kept_by_the_surviving_card(
    shop: Shop, now: clock.FixedClock
) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("400.00", member="HK1"))
    await set_level(shop, loser)
    before = await merging.dump(shop.database, survivor, loser)
    done = await merging.merge(shop.client, shop.world, survivor, [loser])
    tier = await shop.tier(survivor)
    assert (str(tier.level), str(tier.cause)) == ("main", "override")
    assert (tier.ends_on, tier.reason) == (date(2026, 12, 31), GIVEN["reason"])
    await merging.undo(shop.client, shop.world, done)
    after = await merging.dump(shop.database, survivor, loser)
    assert after["tier_assignment"] == before["tier_assignment"]


async def test_what_a_merged_card_was_promised_is_not_promised_twice(shop: Shop) -> None:
    first, second, loser = [await shop.card(member) for member in ("HK1", "HK2", "HK3")]
    await set_level(shop, loser)
    await merging.merge(shop.client, shop.world, first, [loser])
    planned = await merging.plan(shop.client, shop.world, second, [loser])
    assert not planned["can_be_done"]
    assert (planned["tier"]["level"], planned["tier"]["changes"]) == ("small", False)


async def test_a_lock_set_on_a_merged_card_goes_back_to_what_the_card_held_by_itself(
    shop: Shop, now: clock.FixedClock
) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("1200.00", member="HK2"))
    done = await merging.merge(shop.client, shop.world, survivor, [loser])
    now.advance(timedelta(hours=1))
    await set_level(shop, survivor, level="ordinary")
    now.advance(timedelta(hours=1))
    await merging.undo(shop.client, shop.world, done)
    assert await history(shop, survivor) == [("small", "initial"), ("ordinary", "override")]
    assert (await end(shop, survivor))["level"]["code"] == TierLevel.SMALL


async def test_a_lock_that_ended_on_a_merged_card_has_ended_when_the_cards_part(
    shop: Shop, now: clock.FixedClock
) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("400.00", member="HK1"))
    await set_level(shop, survivor)
    done = await merging.merge(shop.client, shop.world, survivor, [loser])
    now.advance(timedelta(hours=1))
    assert (await end(shop, survivor))["level"]["code"] == TierLevel.ORDINARY
    now.advance(timedelta(hours=1))
    await merging.undo(shop.client, shop.world, done)
    assert (await history(shop, survivor))[2:] == [
        ("main", "override"), ("ordinary", "override_ended"),
    ]  # fmt: skip
    assert await history(shop, loser) == [("small", "initial")]


async def test_what_was_taken_back_on_a_merged_card_is_gone_when_the_cards_part(
    shop: Shop, now: clock.FixedClock
) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    sold = sale("400.00", member="HK1")
    await shop.send(sold)
    done = await merging.merge(shop.client, shop.world, survivor, [loser])
    now.advance(timedelta(hours=1))
    await shop.send(refund(sold))
    assert await shop.level(survivor) == "small"
    now.advance(timedelta(hours=1))
    await merging.undo(shop.client, shop.world, done)
    assert await shop.level(survivor) == "small"


async def test_an_upgrade_that_waits_is_not_given_by_a_merge(shop: Shop) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("400.00", member="HK1"))
    await notice_and_review(shop, survivor)
    await shop.send(sale("299.00", member="HK2"))
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(
            """UPDATE tier_policy SET body = jsonb_set(body, '{levels,0,at_least}', '"600.00"')"""
        )
    planned = await merging.plan(shop.client, shop.world, survivor, [loser])
    assert planned["tier"]["level"] == "ordinary"
