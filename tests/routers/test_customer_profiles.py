"""Profiles as people read them: of one card, in lists, in reports."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core import clock
from app.core.database import raw_connection
from app.core.ids import new_id
from tests.support.events import sale
from tests.support.profiles import calibration, make_profiles, use_calibration, use_policy
from tests.support.shop import Shop

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 28)
ZERO = "0.00"


@pytest.fixture
def now() -> clock.FixedClock:
    """A clock that tests move."""
    return clock.FixedClock(NOW)


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy for individuals calibrated."""
    await use_calibration(shop.database, calibration(TODAY))
    return shop


async def read(shop: Shop, path: str, who: str = "manager", **parameters: Any) -> Any:
    """Return a body."""
    answer = await shop.client.get(
        f"/v1/{path}", headers=shop.world.headers(who), params=parameters
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def execute(shop: Shop, statement: str, *values: Any) -> None:
    """Do to the database what no service does."""
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(statement, *values)


async def costs(shop: Shop, customer_id: UUID, amount: str) -> None:
    """Let serving a card have cost so much within the year."""
    await execute(
        shop,
        """INSERT INTO customer_service_stats (customer_id, contacts, inbound, contacts_365,
               inbound_365, service_cost, service_cost_365)
           VALUES ($1, 1, 1, 1, 1, $2::text::numeric, $2::text::numeric)""",
        customer_id,
        amount,
    )


def bought(member: str, amount: str, days_ago: int, unit_cost: str | None = None) -> dict[str, Any]:
    """Return a sale of one line, so many days ago."""
    line = {
        "line_number": 1, "quantity": "1", "unit_price": amount, "amount": amount,
        "unit_cost": unit_cost,
    }  # fmt: skip
    at = (NOW - timedelta(days=days_ago)).isoformat()
    return sale(amount, member=member, at=at, lines=[line])


async def card(shop: Shop, member: str, *events: dict[str, Any], store: str | None = None) -> UUID:
    """Return a card that bought this."""
    more = {"home_store_id": str(shop.world.stores[store])} if store else {}
    customer_id = await shop.card(member, **more)
    for event in events:
        assert (await shop.send(event))["status"] == "applied"
    return customer_id


async def rising(shop: Shop, member: str, missing: str, store: str | None = None) -> UUID:
    """Return a card that grows, and to which so much is missing to the ordinary tier."""
    amount = f"{300 - float(missing):.2f}"
    return await card(shop, member, bought(member, amount, 10), store=store)


def names(body: Any) -> list[str]:
    """Return the ids of the cards of a list."""
    return [item["customer"]["id"] for item in body["items"]]


# --- Of one card ------------------------------------------------------------------------------


async def test_a_profile_shows_every_number_behind_it(shop: Shop) -> None:
    customer_id = await card(
        shop, "HK1",
        bought("HK1", "100.00", 200, "60.00"), bought("HK1", "150.00", 31, "90.00"),
        bought("HK1", "20.00", 31, "10.00"),
    )  # fmt: skip
    await costs(shop, customer_id, "4.00")
    assert await make_profiles(shop.database, TODAY) == {
        "checked": 1, "written": 1, "removed": 0,
    }  # fmt: skip

    body = await read(shop, f"customers/{customer_id}/profile", "clerk")

    findings = body.pop("findings")
    policy = body.pop("policy")
    assert (policy["version"], policy["name"]) == (1, "Twelve months' net spend")
    assert body == {
        "customer_id": str(customer_id),
        "as_of": "2026-11-28",
        "calibrated_on": "2026-11-28",
        "listed": {
            "as_of": "2026-11-28",
            "segment": {"code": "promising", "en": "Promising", "zh": "有希望客户"},
            "group": {"code": "potential", "en": "Potential", "zh": "潜力型客户"},
        },
        "sentences": {
            "en": "Promising (R 4, F 2, M 2); potential.",
            "zh": "有希望客户（R 4，F 2，M 2）；潜力型客户。",
        },
    }
    assert findings["scores"] == {
        "recency": {"score": 4, "days_since_last_purchase": 31, "cuts": [30, 60, 120, 240]},
        "frequency": {"score": 2, "purchase_days": 2, "cuts": [2, 4, 8, 16]},
        "monetary": {
            "score": 2, "net_spend": "270.00",
            "cuts": ["100.00", "300.00", "600.00", "1000.00"],
        },
    }  # fmt: skip
    assert findings["segment"]["condition"] == {"en": "R 4, F 1–2", "zh": "R 4，F 1–2"}
    assert findings["group"]["group"]["code"] == "potential"
    assert [
        (one["group"]["code"], one["number"], one["limit"], one["is_met"])
        for one in findings["group"]["reasons"]
    ] == [
        ("over_served", "4.00", "10.60", False),
        ("over_served", "4.00", "10.00", False),
        ("over_served", "106.00", "300.00", True),
        ("prospective", "31", "90", False),
        ("value", "106.00", "300.00", False),
        ("potential", "0.383", "0.2", True),
        ("potential", "344.72", "300.00", True),
    ]
    assert findings["growth"] == {
        "growth": "0.383", "net_180": "170.00", "net_prior_180": "100.00", "pace": "344.72",
    }  # fmt: skip
    assert findings["contribution"] == {
        "amount": "106.00", "margin": "110.00", "service_cost": "4.00",
    }  # fmt: skip
    above = findings["next_level"]
    assert above.pop("sentences") == {
        "en": "Ordinary begins at 300.00 (money); 270.00 is there, 30.00 is missing: within 20 %."
        " At the pace of the last 180 days it would be 344.72 in 365 days.",
        "zh": "普通客户从 300.00（金额）起；目前 270.00，还差 30.00，差距在 20% 以内。"
        "按近 180 天的速度，365 天将达 344.72。",
    }
    assert above == {
        "level": {"code": "ordinary", "en": "Ordinary", "zh": "普通客户"},
        "at_least": "300.00", "score": "270.00", "missing": "30.00",
        "unit": {"code": "money", "en": "Money", "zh": "金额"},
        "is_held": False, "is_near": True, "is_on_pace": True, "has_potential": True,
    }  # fmt: skip
    assert (findings["hollow"], findings["pruning"]) == (None, [])


async def test_who_never_bought_has_a_profile_too(shop: Shop) -> None:
    customer_id = await card(shop, "HK1")
    await make_profiles(shop.database, TODAY)
    body = await read(shop, f"customers/{customer_id}/profile")
    findings = body["findings"]
    assert (findings["scores"], findings["growth"]["growth"]) == (None, None)
    assert findings["contribution"] == {"amount": None, "margin": None, "service_cost": ZERO}
    assert findings["segment"]["segment"]["code"] == "prospects"
    assert body["listed"]["group"]["code"] == "prospective"
    assert body["sentences"]["zh"] == "潜在顾客（没有购买记录）；潜在客户。"


async def test_without_cut_points_a_profile_says_that_it_knows_nothing(
    shop: Shop,
) -> None:
    await execute(shop, "DELETE FROM tier_calibration")
    customer_id = await card(shop, "HK1")
    assert (await make_profiles(shop.database, TODAY))["written"] == 0
    body = await read(shop, f"customers/{customer_id}/profile")
    assert (body["findings"], body["listed"], body["calibrated_on"]) == (None, None, None)
    assert body["sentences"] == {
        "en": "The policy in force has no cut points yet: segment and group cannot be known.",
        "zh": "现行政策尚无分界值，无法判断细分与分组。",
    }


async def test_a_receipt_since_the_night_changes_what_is_said_and_not_what_is_listed(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await card(shop, "HK1")
    await make_profiles(shop.database, TODAY)
    now.advance(timedelta(days=1))
    await execute(shop, "UPDATE access_token SET last_used_at = $1", clock.now())
    await shop.send(sale("1500.00", member="HK1"))
    body = await read(shop, f"customers/{customer_id}/profile")
    assert body["as_of"] == "2026-11-28"
    assert body["findings"]["segment"]["segment"]["code"] == "new"
    assert body["findings"]["scores"]["recency"]["days_since_last_purchase"] == 0
    assert body["findings"]["hollow"]["signs"] == ["one_big_order", "few_days"]
    assert body["findings"]["next_level"] is None
    assert body["listed"]["segment"]["code"] == "prospects"
    assert await read(shop, "customers", segment="new") == {"items": [], "next_cursor": None}

    await make_profiles(shop.database, TODAY + timedelta(days=1))
    body = await read(shop, f"customers/{customer_id}/profile")
    assert (body["as_of"], body["listed"]["segment"]["code"]) == ("2026-11-29", "new")


async def test_an_unknown_card_has_no_profile(shop: Shop) -> None:
    answer = await shop.client.get(
        f"/v1/customers/{new_id()}/profile", headers=shop.world.headers()
    )
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_the_360_view_has_segment_and_group(shop: Shop) -> None:
    customer_id = await card(shop, "HK1")
    await make_profiles(shop.database, TODAY)
    view = await read(shop, f"customers/{customer_id}/overview", "clerk")
    assert view["profile"] == {
        "as_of": "2026-11-28",
        "segment": {"code": "prospects", "en": "Prospects", "zh": "潜在顾客"},
        "group": {"code": "prospective", "en": "Prospective", "zh": "潜在客户"},
    }


# --- Lists ------------------------------------------------------------------------------------


async def test_cards_are_listed_by_segment_and_group_page_by_page(shop: Shop) -> None:
    prospects = [str(await card(shop, f"HK{number}")) for number in range(3)]
    new = str(await card(shop, "HK7", bought("HK7", "20.00", 3)))
    await card(shop, "HK8", bought("HK8", "20.00", 300))
    await make_profiles(shop.database, TODAY)

    pages, cursor = [], None
    for _ in range(2):
        more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        page = await read(shop, "customers", segment="prospects", limit=2, **more)
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [prospects[:0:-1], prospects[:1]]
    assert cursor is None
    both = await read(shop, "customers", group="prospective", sort="created_at")
    assert [item["id"] for item in both["items"]] == [*prospects, new]
    one = await read(shop, "customers", group="prospective", segment="new")
    assert [item["id"] for item in one["items"]] == [new]


async def test_an_unknown_segment_is_refused(shop: Shop) -> None:
    answer = await shop.client.get(
        "/v1/customers?segment=whale", headers=shop.world.headers(Accept_Language="zh")
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/segment")


async def test_the_file_of_a_segment_has_its_cards(shop: Shop) -> None:
    await card(shop, "HK1")
    await card(shop, "HK8", bought("HK8", "20.00", 300))
    await make_profiles(shop.database, TODAY)
    answer = await shop.client.post(
        "/v1/exports/customers", headers=shop.world.headers(),
        json={"format": "csv", "filters": {"segment": "dormant", "group": "other"},
              "columns": ["member_number"]},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.content.decode("utf-8-sig").split() == ["会员号", "HK8"]


async def test_upgrade_potential_is_listed_by_what_is_missing(shop: Shop) -> None:
    far = await rising(shop, "HK1", "59.00")
    near = await rising(shop, "HK2", "1.50")
    # On pace however far: 150.00 in half a year.
    on_pace = await rising(shop, "HK3", "150.00")
    await rising(shop, "HK4", "280.00")
    held = await rising(shop, "HK5", "20.00")
    await execute(
        shop,
        """UPDATE tier_assignment SET level = 'ordinary'
           WHERE customer_id = $1 AND valid_to IS NULL""",
        held,
    )
    await make_profiles(shop.database, TODAY)

    body = await read(shop, "upgrade-potential")

    assert (body["as_of"], body["unit"]["code"], body["next_cursor"]) == (
        "2026-11-28", "money", None,
    )  # fmt: skip
    assert names(body) == [str(near), str(far), str(on_pace)]
    item = body["items"][0]
    assert item.pop("customer") == {
        "id": str(near), "kind": "individual", "name": "顾念书", "home_store_id": None,
    }  # fmt: skip
    assert item.pop("sentences") == {
        "en": "Ordinary begins at 300.00: 1.50 is missing. Growth is 1.000; at the pace of the"
        " last 180 days, 365 days bring 605.29.",
        "zh": "普通客户从 300.00 起，还差 1.50。增长为 1.000；按近 180 天的速度，365 天消费"
        " 605.29。",
    }
    assert item == {
        "level": {"code": "small", "en": "Small", "zh": "小客户"},
        "next_level": {"code": "ordinary", "en": "Ordinary", "zh": "普通客户"},
        "at_least": "300.00", "missing": "1.50", "growth": "1.000", "pace": "605.29",
        "group": {"code": "prospective", "en": "Prospective", "zh": "潜在客户"},
    }  # fmt: skip
    first = await read(shop, "upgrade-potential", limit=1)
    second = await read(shop, "upgrade-potential", limit=2, cursor=first["next_cursor"])
    assert (names(first), names(second)) == ([str(near)], [str(far), str(on_pace)])
    assert second["next_cursor"] is None
    assert names(await read(shop, "upgrade-potential", kind="organization")) == []


async def test_who_is_bound_to_stores_lists_and_counts_their_own(shop: Shop) -> None:
    ours = await rising(shop, "HK1", "59.00", "S01")
    nobodys = await rising(shop, "HK2", "58.00")
    theirs = await rising(shop, "HK3", "57.00", "S02")
    for one in (ours, nobodys, theirs):
        await costs(shop, one, "5.00")
    await execute(shop, "UPDATE customer_stats SET last_purchase_on = '2024-01-01'")
    await make_profiles(shop.database, TODAY)

    def own(body: Any) -> list[str]:
        return names(body)

    assert own(await read(shop, "upgrade-potential", "store_manager")) == [str(nobodys), str(ours)]
    assert len(own(await read(shop, "upgrade-potential", "marketing"))) == 3
    assert sorted(own(await read(shop, "pruning-candidates", "store_manager"))) == sorted(
        [str(ours), str(nobodys)]
    )
    assert len(own(await read(shop, "pruning-candidates"))) == 3
    for report in ("rfm-segments", "customer-groups"):
        assert (await read(shop, f"reports/{report}", "store_manager"))["customers"] == 1
        assert (await read(shop, f"reports/{report}"))["customers"] == 3


async def test_candidates_for_pruning_come_with_reasons_and_go_when_they_are_gone(
    shop: Shop,
) -> None:
    lossy = await card(shop, "HK1", bought("HK1", "50.00", 40, "45.00"),
                       bought("HK1", "50.00", 80, "45.00"))  # fmt: skip
    await costs(shop, lossy, "12.50")
    reviewed = await card(shop, "HK2", bought("HK2", "50.00", 40, "45.00"),
                          bought("HK2", "50.00", 80, "45.00"))  # fmt: skip
    await costs(shop, reviewed, "80.00")
    silent = await card(shop, "HK3", bought("HK3", "50.00", 800))
    await costs(shop, silent, "7.00")
    await card(shop, "HK4", bought("HK4", "50.00", 800))
    await execute(
        shop,
        """INSERT INTO tier_review (customer_id, id, policy_id, level, next_level, evidence,
               is_severe, status, opened_at)
           SELECT $1, $2, id, 'small', 'main', '{}', false, 'open', now() FROM tier_policy
           WHERE scope = 'individual'""",
        reviewed,
        new_id(),
    )
    await make_profiles(shop.database, TODAY)

    body = await read(shop, "pruning-candidates")

    assert (body["as_of"], names(body)) == ("2026-11-28", [str(silent), str(lossy)])
    assert [
        (item["contribution"], item["group"]["code"], [
            (one["reason"]["code"], one["number"], one["service_cost"])
            for one in item["reasons"]
        ])
        for item in body["items"]
    ] == [
        ("-7.00", "other", [("silent_yet_served", "800", "7.00")]),
        ("-2.50", "over_served", [("over_served_at_a_loss", "-2.50", "12.50")]),
    ]  # fmt: skip
    assert body["items"][1]["reasons"][0]["sentences"]["zh"] == (
        "近 365 天贡献 -2.50（已扣服务成本 12.50），得不偿失。"
    )
    profile = await read(shop, f"customers/{lossy}/profile")
    assert profile["findings"]["pruning"] == body["items"][1]["reasons"]
    first = await read(shop, "pruning-candidates", limit=1)
    # The one whose account is being reviewed.
    assert names(first) == []
    rest = await read(shop, "pruning-candidates", cursor=first["next_cursor"])
    assert names(rest) == [str(silent), str(lossy)]

    await shop.send(sale("30.00", member="HK3"))
    assert names(await read(shop, "pruning-candidates")) == [str(lossy)]


# --- Reports ----------------------------------------------------------------------------------


async def test_the_report_of_segments_has_boundaries_cuts_and_sums_that_add_up(
    shop: Shop,
) -> None:
    await card(shop, "HK0")
    await card(shop, "HK1", bought("HK1", "20.00", 3))
    await card(shop, "HK2", bought("HK2", "60.00", 300))
    await make_profiles(shop.database, TODAY)

    body = await read(shop, "reports/rfm-segments", "marketing")

    assert [body[name] for name in ("as_of", "kind", "calibrated_on", "customers", "amount")] == [
        "2026-11-28", "individual", "2026-11-28", 3, "80.00",
    ]  # fmt: skip
    assert body["cuts"] == {
        "days_since_last_purchase": [30, 60, 120, 240], "purchase_days": [2, 4, 8, 16],
        "net_spend": ["100.00", "300.00", "600.00", "1000.00"],
    }  # fmt: skip
    assert [
        (
            one["segment"]["code"], one["customers"], one["customers_share"], one["amount"],
            one["amount_share"],
        )
        for one in body["segments"]
        if one["customers"]
    ] == [
        ("prospects", 1, "33.3", "0.00", "0.0"),
        ("new", 1, "33.3", "20.00", "25.0"),
        ("dormant", 1, "33.3", "60.00", "75.0"),
    ]  # fmt: skip
    assert len(body["segments"]) == 11
    assert body["segments"][0]["recency"] is None
    loyal = body["segments"][2]
    assert (loyal["recency"], loyal["frequency"], loyal["frequency_and_money_at_least"]) == (
        {"first": 4, "last": 5}, {"first": 1, "last": 5}, "4",
    )  # fmt: skip
    assert loyal["condition"] == {
        "en": "R 4–5, (F + M) / 2 at least 4", "zh": "R 4–5，(F + M) / 2 不低于 4",
    }  # fmt: skip
    nobody = await read(shop, "reports/rfm-segments", kind="organization")
    assert (nobody["cuts"], nobody["customers"]) == (None, 0)


async def test_the_report_of_groups_has_what_cards_are_held_against(shop: Shop) -> None:
    await card(shop, "HK0")
    await card(shop, "HK1", bought("HK1", "900.00", 3, "500.00"), bought("HK1", "9.00", 200))
    await make_profiles(shop.database, TODAY)

    body = await read(shop, "reports/customer-groups")

    assert body["references"] == {
        "value_contribution": "300.00", "service_cost_median": "10.00",
        "service_cost_total": "5000.00", "contribution_total": "100000.00",
    }  # fmt: skip
    assert [(one["group"]["code"], one["customers"], one["amount"]) for one in body["groups"]] == [
        ("over_served", 0, "0.00"), ("prospective", 1, "0.00"), ("value", 1, "909.00"),
        ("potential", 0, "0.00"), ("other", 0, "0.00"),
    ]  # fmt: skip
    assert (body["customers"], body["amount"]) == (2, "909.00")


async def test_points_are_listed_in_points(shop: Shop) -> None:
    shares = [{"level": "key", "top_percent": "20"}, {"level": "small", "top_percent": "100"}]
    await use_policy(shop.database, "composite", {
        "indicators": [{"indicator": "net_spend", "weight": "1"}], "window_days": 365,
        "levels": shares, "keep": {"factor": "0.90", "hold_days": 180, "notice_days": 30},
    })  # fmt: skip
    knots = {"net_spend": [str(n * 10) for n in range(1, 101)]}
    await execute(
        shop,
        """UPDATE tier_calibration SET body = body || jsonb_build_object(
               'cuts', '{"key": "61.5555", "small": "0"}'::jsonb, 'knots', $1::text::jsonb)""",
        str(knots).replace("'", '"'),
    )
    near = await card(shop, "HK1", bought("HK1", "550.00", 10))
    await make_profiles(shop.database, TODAY)
    body = await read(shop, "upgrade-potential")
    assert (names(body), body["unit"]["code"]) == ([str(near)], "points")
    assert (body["items"][0]["at_least"], body["items"][0]["missing"]) == ("61.5555", "6.56")
