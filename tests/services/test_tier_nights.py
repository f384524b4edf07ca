"""Evaluations over months: who is told, who falls, by how much, and what keeps a level."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import OutboxEvent, TierAssignment, TierEvaluation, TierNotice
from app.services import statistics, tier_nights
from app.vocabulary import CustomerKind, DomainEvent
from tests.support.events import sale
from tests.support.shop import Shop


@pytest.fixture
def now() -> clock.FixedClock:
    """A clock that tests move."""
    return clock.FixedClock(datetime(2025, 6, 15, 6, tzinfo=UTC))


@pytest.fixture
async def main_customer(shop: Shop, now: clock.FixedClock) -> UUID:
    """A card that is main by what it bought in June 2025, and will be ordinary in a year.

    1,000.00 leave the window on 15 June 2026, 300.00 on 1 January 2027.
    """
    customer_id = await shop.card()
    await shop.send(sale("1000.00", at="2025-06-15T10:00:00+08:00"))
    now.move_to(datetime(2026, 1, 1, 6, tzinfo=UTC))
    await shop.send(sale("300.00", at="2026-01-01T10:00:00+08:00"))
    assert await shop.level(customer_id) == "main"
    return customer_id


async def night(
    shop: Shop, now: clock.FixedClock, day: date, as_of: date | None = None
) -> dict[str, int]:
    """Let a night's steps run at half past two, until nothing remains; return what they counted."""
    now.move_to(datetime(day.year, day.month, day.day, 2, 30, tzinfo=shop.settings.zone))
    total: dict[str, int] = {}

    async def metrics(session: Any, settings: Settings, as_of: date) -> Any:
        return await statistics.refresh_due(session, as_of)

    for step in (
        metrics, tier_nights.reconcile, tier_nights.carry_out_notices, tier_nights.evaluate,
    ):  # fmt: skip
        while True:
            async with shop.database.transaction() as session:
                counts = dict(await step(session, shop.settings, as_of or day))
            remaining = counts.pop("remaining")
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
            if not remaining:
                break
    return {name: count for name, count in total.items() if count and name != "refreshed"}


async def history(shop: Shop, customer_id: UUID) -> list[tuple[str, str, date]]:
    """Return level, cause and day of each of a card's tiers, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(TierAssignment)
            .where(col(TierAssignment.customer_id) == customer_id)
            .order_by(col(TierAssignment.valid_to).nulls_last(), col(TierAssignment.valid_from))
        )
        return [
            (str(row.level), str(row.cause), clock.business_day(row.valid_from, shop.settings.zone))
            for row in rows
        ]


async def notices(shop: Shop) -> list[TierNotice]:
    """Return all notices, oldest first."""
    async with shop.database.transaction() as session:
        return list(await session.scalars(select(TierNotice).order_by(col(TierNotice.id))))


async def execute(shop: Shop, statement: str, *values: Any) -> None:
    """Do to the database what no service does."""
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(statement, *values)


async def set_keep(shop: Shop, **keep: Any) -> None:
    """Change what keeps a level by the individuals' policy in force."""
    for name, value in keep.items():
        await execute(
            shop,
            "UPDATE tier_policy SET body = jsonb_set(body, ARRAY['keep', $1],"
            " to_jsonb($2::integer)) WHERE scope = 'individual'",
            name,
            value,
        )


async def test_a_year_of_evaluations_by_one_level_each_after_a_notice(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    seen = {}
    for month in range(14):
        day = date(2026 + month // 12, 1 + month % 12, 1)
        counts = await night(shop, now, day)
        if counts:
            seen[day] = counts
    assert seen == {
        date(2026, 7, 1): {"looked_at": 1, "noticed": 1},
        date(2026, 8, 1): {"fallen": 1},
        date(2027, 1, 1): {"looked_at": 1, "noticed": 1},
        date(2027, 2, 1): {"fallen": 1},
    }
    assert await history(shop, main_customer) == [
        ("small", "initial", date(2025, 6, 15)),
        ("main", "upgrade", date(2025, 6, 15)),
        ("ordinary", "evaluation", date(2026, 8, 1)),
        ("small", "evaluation", date(2027, 2, 1)),
    ]
    first, second = await notices(shop)
    assert (first.level, first.next_level, first.status) == ("main", "ordinary", "fallen")
    assert (first.noticed_on, first.falls_on) == (date(2026, 7, 1), date(2026, 8, 1))
    assert (second.level, second.next_level, second.status) == ("ordinary", "small", "fallen")
    assert {
        name: first.explanation[name]
        for name in ("score", "score_then", "at_least", "missing", "spend", "window_from")
    } == {
        "score": "300.00",
        "score_then": "300.00",
        "at_least": "900.00",
        "missing": "600.00",
        "spend": "600.00",
        "window_from": "2025-08-02",
    }
    assert first.explanation["sentences"] == {
        "en": "Main becomes Ordinary on 2026-08-01: it takes 900.00 to stay, today it is 300.00,"
        " and 300.00 will still count then. Spending 600.00 before 2026-08-01 keeps it.",
        "zh": "主要客户将于 2026-08-01 降为普通客户：保级需要 900.00，目前为 300.00，"
        "届时仍计入 300.00。在 2026-08-01 前再消费 600.00 即可保级。",
    }
    async with shop.database.transaction() as session:
        told = await session.scalars(
            select(OutboxEvent).where(col(OutboxEvent.type) == DomainEvent.TIER_NOTICE_GIVEN)
        )
        assert [(event.subject_id, event.payload) for event in told] == [
            (first.id, {"level": "main", "next_level": "ordinary", "falls_on": "2026-08-01"}),
            (second.id, {"level": "ordinary", "next_level": "small", "falls_on": "2027-02-01"}),
        ]


async def test_spending_what_the_notice_says_keeps_the_level(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await night(shop, now, date(2026, 7, 1))
    now.move_to(datetime(2026, 7, 20, 6, tzinfo=UTC))
    await shop.send(sale("599.99", at="2026-07-20T10:00:00+08:00"))
    assert await night(shop, now, date(2026, 7, 21)) == {}
    await shop.send(sale("0.01", at="2026-07-21T01:00:00+08:00"))
    assert await night(shop, now, date(2026, 7, 22)) == {"lapsed": 1}
    assert await night(shop, now, date(2026, 8, 1)) == {}
    assert await shop.level(main_customer) == "main"
    (notice,) = await notices(shop)
    assert (notice.status, notice.closed_at) == (
        "lapsed",
        datetime(2026, 7, 22, 2, 30, tzinfo=shop.settings.zone),
    )


async def test_a_level_is_held_for_its_time_and_nobody_is_told_before_it_matters(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("290.00", at="2025-06-15T10:00:00+08:00"))
    now.move_to(datetime(2026, 5, 20, 6, tzinfo=UTC))
    await shop.send(sale("10.00", at="2026-05-20T10:00:00+08:00"))
    assert await shop.level(customer_id) == "ordinary"
    # Since 20 May: the hold passes on 16 November, the first fall can be on 1 December.
    told = {}
    for month in range(6, 13):
        counts = await night(shop, now, date(2026, month, 1))
        if counts:
            told[month] = counts
    assert told == {11: {"looked_at": 1, "noticed": 1}, 12: {"fallen": 1}}


async def test_an_evaluation_is_carried_out_once_late_if_need_be_and_never_backwards(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    assert await night(shop, now, date(2026, 7, 3)) == {"looked_at": 1, "noticed": 1}
    (notice,) = await notices(shop)
    # Told on the 3rd, so thirty days later is behind the 1st of August.
    assert (notice.noticed_on, notice.falls_on) == (date(2026, 7, 3), date(2026, 9, 1))
    await execute(shop, "DELETE FROM tier_notice")
    assert await night(shop, now, date(2026, 7, 4)) == {}
    assert await night(shop, now, date(2026, 8, 1)) == {"looked_at": 1, "noticed": 1}
    await execute(shop, "DELETE FROM tier_notice")
    # A night for a day of the past does not evaluate what a later evaluation has overtaken.
    assert await night(shop, now, date(2026, 8, 2), as_of=date(2026, 6, 20)) == {}
    async with shop.database.transaction() as session:
        done = await session.scalars(
            select(TierEvaluation).where(
                col(TierEvaluation.scope) == CustomerKind.INDIVIDUAL,
                col(TierEvaluation.finished_at).is_not(None),
            )
        )
        assert {(row.evaluated_on, row.noticed) for row in done} == {
            (date(2026, 7, 1), 1), (date(2026, 8, 1), 1),
        }  # fmt: skip


async def test_who_bought_since_a_past_nights_day_does_not_fall(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await night(shop, now, date(2026, 7, 1))
    now.move_to(datetime(2026, 8, 2, 6, tzinfo=UTC))
    await shop.send(sale("600.00", at="2026-08-02T10:00:00+08:00"))
    # By the receipts up to the 1st the card would fall.
    assert await night(shop, now, date(2026, 8, 3), as_of=date(2026, 8, 1)) == {"lapsed": 1}
    assert await shop.level(main_customer) == "main"


async def test_a_large_evaluation_goes_on_where_its_portion_ended(
    shop: Shop, now: clock.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier_nights, "CHUNK", 2)
    for number in range(5):
        await shop.card(f"HK{number}")
        await shop.send(sale("400.00", member=f"HK{number}", at="2025-06-15T10:00:00+08:00"))
    portions = []
    now.move_to(datetime(2026, 7, 1, 2, 30, tzinfo=shop.settings.zone))
    while True:
        async with shop.database.transaction() as session:
            counts = dict(await tier_nights.evaluate(session, shop.settings, date(2026, 7, 1)))
        portions.append(counts["noticed"])
        if not counts["remaining"]:
            break
    assert portions == [2, 2, 1]
    assert await night(shop, now, date(2026, 8, 1)) == {"fallen": 5}


async def test_a_grace_period_lets_the_fall_wait(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await set_keep(shop, grace_days=20)
    await night(shop, now, date(2026, 7, 1))
    (notice,) = await notices(shop)
    assert notice.falls_on == date(2026, 9, 1)
    assert await night(shop, now, date(2026, 8, 1)) == {}
    assert await night(shop, now, date(2026, 9, 1)) == {"fallen": 1}


async def test_nobody_is_told_of_a_person_who_is_erased_or_was_merged(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await execute(
        shop,
        "UPDATE customer SET status = 'erased', erased_at = $2 WHERE id = $1",
        main_customer,
        clock.now(),
    )
    assert await night(shop, now, date(2026, 7, 1)) == {}
    await execute(
        shop,
        "UPDATE customer SET status = 'active', erased_at = NULL WHERE id = $1",
        main_customer,
    )
    assert await night(shop, now, date(2026, 8, 1)) == {"looked_at": 1, "noticed": 1}
    # A card that was merged holds no tier any more.
    await execute(
        shop, "UPDATE tier_assignment SET valid_to = $1 WHERE valid_to IS NULL", clock.now()
    )
    assert await night(shop, now, date(2026, 8, 2)) == {"lapsed": 1}


async def test_another_policy_lets_notices_lapse_and_moves_levels_it_does_not_know(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await night(shop, now, date(2026, 7, 1))
    await execute(
        shop,
        """
        WITH old AS (
            UPDATE tier_policy SET status = 'retired', retired_at = $1
            WHERE scope = 'individual' RETURNING *
        )
        INSERT INTO tier_policy (id, scope, version, name, status, method, body, effective_on,
            created_at, activated_at, revision)
        SELECT gen_random_uuid(), scope, 2, 'Two tiers', 'active', method,
            jsonb_set(body, '{levels}', '[{"level": "key", "at_least": "250.00"},
                                          {"level": "general", "at_least": "0.00"}]'),
            effective_on, $1, $1, 1
        FROM old
        """,
        clock.now(),
    )
    other = await shop.card("HK2")
    assert await night(shop, now, date(2026, 7, 2)) == {"moved": 1, "lapsed": 1}
    assert (await history(shop, main_customer))[-1] == ("key", "policy", date(2026, 7, 2))
    assert await shop.level(other) == "general"
    assert await night(shop, now, date(2026, 7, 3)) == {}


async def test_what_somebody_set_by_hand_stays(
    shop: Shop, now: clock.FixedClock, main_customer: UUID
) -> None:
    await execute(
        shop,
        "UPDATE tier_assignment SET cause = 'override', ends_on = $1 WHERE valid_to IS NULL",
        date(2026, 12, 31),
    )
    for month in (7, 8, 9):
        assert await night(shop, now, date(2026, month, 1)) == {}
    await execute(shop, "UPDATE tier_assignment SET level = 'small' WHERE valid_to IS NULL")
    assert await night(shop, now, date(2026, 9, 2)) == {}


async def test_notices_are_listed_newest_first_with_their_reasons(
    shop: Shop, now: clock.FixedClock
) -> None:
    stores = shop.world.stores
    cards = {}
    for number, store in enumerate(["S01", "S02", "S01"]):
        member = f"HK{number}"
        cards[member] = await shop.card(member, home_store_id=str(stores[store]))
        await shop.send(sale("400.00", member=member, at="2025-06-15T10:00:00+08:00"))
    await night(shop, now, date(2026, 7, 1))
    await execute(
        shop,
        "UPDATE access_token SET last_used_at = $1, expires_at = $2",
        clock.now(),
        clock.now() + timedelta(days=90),
    )

    async def listed(who: str = "manager", **params: str) -> list[dict[str, Any]]:
        answer = await shop.client.get(
            "/v1/tier-notices", params=params, headers=shop.world.headers(who)
        )
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    everybody = await listed()
    assert [item["customer_id"] for item in everybody] == [
        str(notice.customer_id) for notice in reversed(await notices(shop))
    ]
    assert everybody[0]["level"] == {"code": "ordinary", "en": "Ordinary", "zh": "普通客户"}
    assert everybody[0]["reason"]["missing"] == "270.00"
    assert everybody[0]["falls_on"] == "2026-08-01"
    assert {item["customer_id"] for item in await listed("store_manager")} == {
        str(cards["HK0"]), str(cards["HK2"]),
    }  # fmt: skip
    assert [item["customer_id"] for item in await listed(customer_id=str(cards["HK1"]))] == [
        str(cards["HK1"])
    ]
    assert await listed(status="fallen") == []
    assert await listed(falls_by="2026-07-31") == []
    assert len(await listed(falls_by="2026-08-01", home_store_id=str(stores["S01"]))) == 2
    first = await shop.client.get(
        "/v1/tier-notices", params={"limit": "2"}, headers=shop.world.headers()
    )
    rest = await listed(limit="2", cursor=first.json()["next_cursor"])
    assert first.json()["items"] + rest == everybody
    # Of whom nobody is any more, nobody can be told.
    await execute(
        shop,
        "UPDATE customer SET status = 'erased', erased_at = $2 WHERE id = $1",
        cards["HK0"],
        clock.now(),
    )
    gone = str(cards["HK0"])
    assert await listed() == [item for item in everybody if item["customer_id"] != gone]
    assert await listed(customer_id=gone) == []
