"""Hollow accounts and the reviews of their upgrades, as people read and decide them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.core.ids import new_id
from app.models import CustomerProfile, NightStep, TierReview
from app.vocabulary import CustomerGroup, RfmSegment
from tests.support import merging
from tests.support.calibrations import calibrate
from tests.support.cards import row_counts
from tests.support.events import sale
from tests.support.shop import Shop

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    await calibrate(shop.database, top_gross=Decimal("300.00"))
    return shop


async def held_card(shop: Shop, number: int, store: str | None = None) -> UUID:
    """Return a card whose upgrade waits for a review."""
    member = f"HK{number:06}"
    more = {"home_store_id": str(shop.world.stores[store])} if store else {}
    customer_id = await shop.card(member, name=f"顾念书{number}", **more)
    await shop.send(sale("400.00", member=member))
    return customer_id


async def read(shop: Shop, path: str, who: str = "manager", **parameters: Any) -> Any:
    """Return a body."""
    answer = await shop.client.get(
        f"/v1/{path}", headers=shop.world.headers(who), params=parameters
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def review_of(shop: Shop, customer_id: UUID) -> TierReview:
    """Return a card's only review."""
    async with shop.database.transaction() as session:
        return (
            await session.scalars(
                select(TierReview)
                .where(col(TierReview.customer_id) == customer_id)
                .execution_options(populate_existing=True)
            )
        ).one()


def address(review: TierReview, verb: str = "") -> str:
    """Return the path of a review, or of a decision about it."""
    return f"/v1/tier-reviews/{review.customer_id}/{review.id}{verb}"


async def test_a_review_shows_each_condition_with_its_numbers(shop: Shop) -> None:
    customer_id = await held_card(shop, 1, "S01")
    review = await review_of(shop, customer_id)

    body = await read(shop, address(review)[4:])

    assert body["customer"] == {
        "id": str(customer_id), "kind": "individual", "name": "顾念书1",
        "home_store_id": str(shop.world.stores["S01"]),
    }  # fmt: skip
    assert (body["status"], body["is_severe"], body["reason"]) == ("open", True, None)
    assert body["level"] == {"code": "small", "en": "Small", "zh": "小客户"}
    assert body["next_level"] == {"code": "ordinary", "en": "Ordinary", "zh": "普通客户"}
    assert body["purchase_id"] == str(review.purchase_id)
    assert (body["opened_at"], body["decided_at"]) == ("2026-11-21T06:30:00Z", None)
    evidence = body["evidence"]
    assert (evidence["gross"], evidence["top_gross"]) == ("400.00", "300.00")
    assert evidence["signs"] == ["one_big_order", "few_days"]
    assert [
        (one["sign"]["code"], one["number"], one["limit"], one["is_met"])
        for one in evidence["conditions"]
    ] == [
        ("low_contribution", None, "0.0800", False),
        ("many_returns", "0.0214", "0.1800", False),
        ("dear_to_serve", "0.00", "20.00", False),
        ("one_big_order", "400.00", "200.00", True),
        ("few_days", "1", "2", True),
    ]
    assert evidence["conditions"][4]["sentences"] == {
        "en": "Bought on 1 day; 2 or fewer are few.", "zh": "有 1 天购买；2 天及以下为少。",
    }  # fmt: skip


async def test_reviews_are_listed_newest_first_page_by_page(
    shop: Shop, now: clock.FixedClock
) -> None:
    cards = []
    for number in range(5):
        cards.append(await held_card(shop, number))
        now.advance(timedelta(minutes=1))
    refused = await review_of(shop, cards[2])
    answer = await shop.client.post(
        address(refused, "/refuse"), headers=shop.world.headers(), json={"reason": "团购"}
    )
    assert answer.status_code == 200, answer.text

    pages, cursor = [], None
    for _ in range(3):
        page = await read(shop, "tier-reviews", limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append([UUID(one["customer"]["id"]) for one in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [cards[:2:-1], [cards[2], cards[1]], [cards[0]]]
    assert cursor is None

    waiting = await read(shop, "tier-reviews", status="open")
    assert [UUID(one["customer"]["id"]) for one in waiting["items"]] == [
        cards[4], cards[3], cards[1], cards[0],
    ]  # fmt: skip
    done = await read(shop, "tier-reviews", status="refused")
    assert [one["reason"] for one in done["items"]] == ["团购"]
    answer = await shop.client.get(
        "/v1/tier-reviews", headers=shop.world.headers(), params={"status": "closed"}
    )
    assert answer.status_code == 422


async def test_who_is_bound_to_a_store_works_on_its_own_cards_and_on_nobodys(shop: Shop) -> None:
    own, other, nobodys = [
        await held_card(shop, number, store) for number, store in enumerate(("S01", "S02", None))
    ]

    page = await read(shop, "tier-reviews", "store_manager")

    assert [UUID(one["customer"]["id"]) for one in page["items"]] == [nobodys, own]
    there = await review_of(shop, other)
    headers = shop.world.headers("store_manager")
    before = await row_counts(shop.database)
    for method, verb, body in (
        ("GET", "", None), ("POST", "/accept", {}), ("POST", "/refuse", {"reason": "团购"}),
    ):  # fmt: skip
        answer = await shop.client.request(method, address(there, verb), headers=headers, json=body)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no such review."
    assert await row_counts(shop.database) == before
    assert str((await review_of(shop, other)).status) == "open"
    for card in (own, nobodys):
        review = await review_of(shop, card)
        answer = await shop.client.post(
            address(review, "/accept"), headers=shop.world.headers("store_manager"), json={}
        )
        assert answer.status_code == 200, answer.text
        assert await shop.level(card) == "ordinary"


async def test_a_review_that_is_not_there_is_not_found_in_both_languages(shop: Shop) -> None:
    customer_id = await held_card(shop, 1)
    other = await shop.card("HK000009")
    review = await review_of(shop, customer_id)
    for path in (
        f"/v1/tier-reviews/{customer_id}/{new_id()}",
        f"/v1/tier-reviews/{other}/{review.id}",
    ):
        answer = await shop.client.get(
            path, headers=shop.world.headers("manager", Accept_Language="zh")
        )
        assert answer.status_code == 404
        assert answer.json()["detail"] == "没有这条复核。"


@pytest.mark.parametrize(
    "body", [{}, {"reason": None}, {"reason": " "}, {"reason": "…"}, {"reason": "x" * 501}]
)
async def test_a_refusal_gives_a_reason_that_says_something(
    shop: Shop, body: dict[str, Any]
) -> None:
    review = await review_of(shop, await held_card(shop, 1))
    answer = await shop.client.post(
        address(review, "/refuse"), headers=shop.world.headers(), json=body
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/reason"]
    assert str((await review_of(shop, review.customer_id)).status) == "open"


async def test_a_decision_about_what_has_ended_is_refused_in_both_languages(shop: Shop) -> None:
    review = await review_of(shop, await held_card(shop, 1))
    path = address(review, "/accept")
    assert (await shop.client.post(path, headers=shop.world.headers(), json={})).status_code == 200
    answers = [
        await shop.client.post(
            path, headers=shop.world.headers("manager", Accept_Language=language), json={}
        )
        for language in ("en", "zh")
    ]
    assert [(one.status_code, one.json()["detail"]) for one in answers] == [
        (409, "The review has ended."), (409, "该复核已结束。"),
    ]  # fmt: skip


async def test_reviews_of_merged_cards_leave_the_list_and_can_not_be_decided(shop: Shop) -> None:
    survivor = await shop.card("HK000009")
    loser = await held_card(shop, 1)
    review = await review_of(shop, loser)
    await merging.merge(shop.client, shop.world, survivor, [loser])

    assert (await read(shop, "tier-reviews"))["items"] == []
    answer = await shop.client.post(
        address(review, "/accept"), headers=shop.world.headers(), json={}
    )
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/card-merged"


async def test_an_erased_persons_review_is_gone_with_its_reason(shop: Shop) -> None:
    customer_id = await held_card(shop, 1)
    review = await review_of(shop, customer_id)
    answer = await shop.client.post(
        address(review, "/refuse"), headers=shop.world.headers(), json={"reason": "顾念书的团购"}
    )
    assert answer.status_code == 200, answer.text
    shop_day = timedelta(days=400)
    with clock.using(clock.FixedClock(NOW + shop_day), everywhere=True):
        async with shop.database.transaction() as session:
            await (await raw_connection(session)).execute(
                "UPDATE access_token SET last_used_at = $1, expires_at = $2",
                clock.now(),
                clock.now() + timedelta(days=1),
            )
        answer = await shop.client.post(
            f"/v1/customers/{customer_id}/erasures", headers=shop.world.headers("admin")
        )
        assert (answer.status_code, answer.json()["status"]) == (201, "done"), answer.text

        assert (await review_of(shop, customer_id)).reason is None
        assert (await read(shop, "tier-reviews"))["items"] == []
        answer = await shop.client.get(address(review), headers=shop.world.headers())
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/card-erased")


# --- Hollow accounts --------------------------------------------------------------------------


async def profile(shop: Shop, customer_id: UUID, *signs: str) -> None:
    """Write a card's profile as the night would: hollow, by these signs."""
    async with shop.database.transaction() as session:
        await session.execute(
            insert(CustomerProfile).values(
                customer_id=customer_id,
                segment=RfmSegment.NEW,
                customer_group=CustomerGroup.OTHER,
                pace=Decimal("0.00"),
                has_potential=False,
                is_hollow=bool(signs),
                is_severe=len(signs) >= 2,
                hollow_signs=list(signs),
                is_pruning_candidate=False,
            )
        )


async def night_of_profiles(shop: Shop) -> None:
    """Record that the night made the profiles."""
    async with shop.database.transaction() as session:
        await session.execute(
            insert(NightStep).values(
                as_of=NOW.date(), step="profiles", started_at=NOW, finished_at=NOW,
                duration_ms=1, counts={},
            )
        )  # fmt: skip


async def test_hollow_accounts_are_listed_severe_ones_first_with_numbers_of_now(
    shop: Shop,
) -> None:
    cards = [await shop.card(f"HK00000{number}") for number in range(5)]
    await shop.send(sale("400.00", member="HK000000"))
    await shop.send(sale("2000.00", member="HK000002"))
    await profile(shop, cards[0], "few_days")
    await profile(shop, cards[1], "many_returns")
    await profile(shop, cards[2], "one_big_order", "few_days")
    await profile(shop, cards[3])
    await profile(shop, cards[4], "dear_to_serve", "few_days")
    assert (await read(shop, "hollow-accounts"))["as_of"] is None
    await night_of_profiles(shop)

    first = await read(shop, "hollow-accounts", limit=3)
    rest = await read(shop, "hollow-accounts", limit=3, cursor=first["next_cursor"])

    assert (first["as_of"], rest["as_of"], rest["next_cursor"]) == (
        "2026-11-21", "2026-11-21", None,
    )  # fmt: skip
    items = first["items"] + rest["items"]
    assert [(UUID(one["customer"]["id"]), one["is_severe"], one["signs"]) for one in items] == [
        (cards[4], True, ["dear_to_serve", "few_days"]),
        (cards[2], True, ["one_big_order", "few_days"]),
        (cards[1], False, ["many_returns"]),
        (cards[0], False, ["few_days"]),
    ]
    # What the night found is not so any more where nothing was bought; the rest is of this moment.
    assert [one["evidence"] and one["evidence"]["gross"] for one in items] == [
        None, "2000.00", None, "400.00",
    ]  # fmt: skip
    assert items[3]["evidence"]["signs"] == ["one_big_order", "few_days"]
    assert [one["level"]["code"] for one in items] == ["small"] * 4
    review = await review_of(shop, cards[0])
    assert [one["open_review_id"] for one in items][::3] == [None, str(review.id)]


async def test_who_is_bound_to_a_store_sees_its_own_hollow_accounts_and_nobodys(
    shop: Shop,
) -> None:
    own, other, nobodys, merged = [
        await held_card(shop, number, store)
        for number, store in enumerate(("S01", "S02", None, "S01"))
    ]
    for card in (own, other, nobodys, merged):
        await profile(shop, card, "few_days")
    await merging.merge(shop.client, shop.world, own, [merged])

    page = await read(shop, "hollow-accounts", "store_manager")
    assert [UUID(one["customer"]["id"]) for one in page["items"]] == [nobodys, own]
    page = await read(shop, "hollow-accounts")
    assert [UUID(one["customer"]["id"]) for one in page["items"]] == [nobodys, other, own]


async def test_a_page_of_hollow_accounts_takes_as_many_statements_as_one(shop: Shop) -> None:
    counts = []
    for numbers in (range(1), range(1, 12)):
        for number in numbers:
            await profile(shop, await held_card(shop, number), "few_days")
        seen: list[str] = []

        def note(record: Any, seen: list[str] = seen) -> None:
            seen.append(record.query)

        async with shop.database.transaction() as session:
            # One connection serves everything that is rolled back.
            connection = await raw_connection(session)
            connection.add_query_logger(note)
        page = await read(shop, "hollow-accounts")
        async with shop.database.transaction() as session:
            (await raw_connection(session)).remove_query_logger(note)
        counts.append((len(page["items"]), len(seen)))
    assert [items for items, _ in counts] == [1, 12]
    assert counts[0][1] == counts[1][1] > 0
