"""Cards created and read: what is kept, what is refused, and that a refusal leaves nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core import clock
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, OutboxEvent, Staff, TierAssignment
from app.vocabulary import Action, DomainEvent
from tests.support.cards import create_card, pointers_of, read_card, row_counts
from tests.support.world import World

WHOLE_INDIVIDUAL: dict[str, Any] = {
    "kind": "individual",
    "name": "  王　小明 ",
    "gender": "female",
    "birthday": {
        "calendar": "lunar", "year": 1990, "month": 5, "day": 29, "is_leap_month": True,
    },
    "marital_status": "married",
    "occupation": "teacher",
    "employer": "第三中学",
    "job_title": "head of department",
    "region": "上海市徐汇区",
    "address": "某路 1 号",
    "origin": "referral",
    "note": "Reads history.\nLikes tea.",
    "registered_on": "2020-02-29",
}  # fmt: skip


async def test_a_card_is_created_with_everything_that_was_said(
    client: httpx.AsyncClient, world: World
) -> None:
    with clock.using(FixedClock(datetime(2026, 11, 21, tzinfo=UTC))):
        answer = await client.post(
            "/v1/customers",
            headers=world.headers("clerk"),
            json={
                **WHOLE_INDIVIDUAL,
                "home_store_id": str(world.stores["S01"]),
                "owner_staff_id": str(world.staff["clerk"]),
                "identities": [
                    {
                        "kind": "phone", "value": "138 0013 8000", "label": "mobile",
                        "is_primary": True,
                    },
                    {"kind": "email", "value": "Wang@EXAMPLE.com"},
                    {"kind": "external", "system": "erp", "value": "K-77"},
                ],
            },
        )  # fmt: skip
    card = answer.json()
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"v1"'
    assert answer.headers["location"] == f"/v1/customers/{card['id']}"
    identities = [
        {name: value for name, value in identity.items() if name != "id"}
        for identity in card.pop("identities")
    ]
    assert identities == [
        {
            "kind": "phone", "system": None, "value": "+86138****8000", "label": "mobile",
            "is_primary": True, "is_masked": True,
        },
        {
            "kind": "email", "system": None, "value": "W****@example.com", "label": None,
            "is_primary": False, "is_masked": True,
        },
        {
            "kind": "external", "system": "erp", "value": "K-77", "label": None,
            "is_primary": False, "is_masked": False,
        },
    ]  # fmt: skip
    assert card == {
        **WHOLE_INDIVIDUAL,
        "id": card["id"],
        "name": "王 小明",
        "birthday": {**WHOLE_INDIVIDUAL["birthday"], "next_on": "2027-07-03", "is_today": False},
        "status": "active",
        "tier": {"code": "small", "en": "Small", "zh": "小客户"},
        "industry": None,
        "size_band": None,
        "home_store_id": str(world.stores["S01"]),
        "owner_staff_id": str(world.staff["clerk"]),
        "tags": [],
        "interests": [],
        "family": [],
        "terms": None,
        "custom": {},
        "completeness": card["completeness"],
        "verified_on": None,
        "verified_by_id": None,
        "merged_ids": [],
        "archived_at": None,
        "version": 1,
        "created_at": card["created_at"],
        "updated_at": card["created_at"],
    }
    assert card["completeness"]["score"] == 90
    again = await client.get(answer.headers["location"], headers=world.headers("auditor"))
    assert again.status_code == 200
    assert again.headers["etag"] == '"v1"'
    assert again.json() == {**answer.json(), "birthday": again.json()["birthday"]}


async def test_an_organization_has_industry_and_size(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(
        client,
        world,
        kind="organization",
        name="第三中学",
        industry="education",
        size_band="medium",
    )
    assert (card["kind"], card["industry"], card["size_band"]) == (
        "organization", "education", "medium",
    )  # fmt: skip
    assert card["tier"] == {"code": "small", "en": "Small", "zh": "小客户"}


async def test_a_card_is_registered_today_in_the_chains_time_zone_unless_told_otherwise(
    client: httpx.AsyncClient, world: World, settings: Settings
) -> None:
    with clock.using(FixedClock(clock.now())):
        card = await create_card(client, world)
        assert card["registered_on"] == clock.today(settings.zone).isoformat()
        assert card["origin"] == "store"


async def test_creating_is_audited_and_announced_without_values(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(
        client, world, "clerk", note="secret", identities=[{"kind": "wechat", "value": "wx-1"}]
    )
    fields = ["identities", "kind", "name", "note", "origin", "registered_on"]
    async with database.transaction() as session:
        entry = (
            await session.scalars(
                select(AuditEntry).where(col(AuditEntry.object_type) == "customer")
            )
        ).one()
        event = (await session.scalars(select(OutboxEvent))).one()
        tier = (await session.scalars(select(TierAssignment))).one()
    assert (str(entry.object_id), entry.action, entry.fields) == (
        card["id"], Action.CREATED, fields,
    )  # fmt: skip
    assert entry.actor_id == world.staff["clerk"]
    assert (event.type, str(event.customer_id)) == (DomainEvent.CUSTOMER_CREATED, card["id"])
    assert event.payload == {"version": 1, "fields": fields}
    assert (str(tier.customer_id), tier.level, tier.cause, tier.valid_to) == (
        card["id"], "small", "initial", None,
    )  # fmt: skip


async def test_the_same_key_creates_one_card_and_gives_the_first_answer_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    headers, body = world.headers("clerk"), {"kind": "individual", "name": "李明朗"}
    first = await client.post("/v1/customers", headers=headers, json=body)
    counts = await row_counts(database)
    again = await client.post("/v1/customers", headers=headers, json=body)
    other = await client.post("/v1/customers", headers=headers, json={**body, "name": "李明"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (again.headers["etag"], again.headers["location"]) == (
        '"v1"', first.headers["location"],
    )  # fmt: skip
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await row_counts(database) == counts


async def test_creating_needs_an_idempotency_key(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    headers = world.headers()
    del headers["Idempotency-Key"]
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers", headers=headers, json={"kind": "individual", "name": "王小明"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/idempotency-key-required"
    assert await row_counts(database) == counts


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"nickname": "x"}, [("/nickname", "extra-forbidden")], id="unknown field"),
        pytest.param({"version": 7}, [("/version", "extra-forbidden")], id="protected field"),
        pytest.param({"kind": "robot"}, [("/kind", "enum")], id="unknown kind"),
        pytest.param({"name": " \u200b "}, [("/name", "name")], id="nothing visible in the name"),
        pytest.param({"name": "长" * 101}, [("/name", "string-too-long")], id="too long a name"),
        pytest.param(
            # One character that NFKC spells out with eighteen.
            {"name": "\ufdfa" * 6}, [("/name", "name")], id="too long a name once folded",
        ),
        pytest.param({"name": "王\x07"}, [("/name", "value-error")], id="a control character"),
        pytest.param({"name": "王\0"}, [("/name", "text")], id="a NUL"),
        pytest.param({"gender": 1}, [("/gender", "enum")], id="no code"),
        pytest.param(
            {"birthday": {"calendar": "solar", "month": 4, "day": 31}},
            [("/birthday", "no-such-day")], id="no such solar day",
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "year": 2023, "month": 2, "day": 29}},
            [("/birthday", "no-such-day")], id="29 February of a common year",
        ),
        pytest.param(
            {"birthday": {"calendar": "lunar", "month": 1, "day": 31}},
            [("/birthday", "no-such-day")], id="no lunar month has 31 days",
        ),
        pytest.param(
            {"birthday": {"calendar": "lunar", "year": 2025, "month": 12, "day": 30}},
            [("/birthday", "no-such-day")], id="the thirtieth of a short lunar month",
        ),
        pytest.param(
            {
                "birthday": {
                    "calendar": "lunar", "year": 2024, "month": 6, "day": 1, "is_leap_month": True,
                },
            },
            [("/birthday", "no-such-leap-month")], id="no such leap month in that year",
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "month": 4, "day": 1, "is_leap_month": True}},
            [("/birthday", "leap-month")], id="no leap months in the solar year",
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "year": 9990, "month": 1, "day": 1}},
            [("/birthday", "in-the-future")], id="born in the future",
        ),
        pytest.param(
            {"birthday": {"calendar": "lunar", "year": 9990, "month": 1, "day": 1}},
            [("/birthday", "in-the-future")], id="born in the lunar future",
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "year": "1990", "month": 1, "day": 1}},
            [("/birthday/year", "int-type")], id="a year is a number",
        ),
        pytest.param(
            {"registered_on": "9990-12-31"}, [("/registered_on", "in-the-future")], id="far future"
        ),
        pytest.param({"registered_on": 0}, [("/registered_on", "day")], id="a number is no day"),
        pytest.param(
            {"registered_on": "2020-01-01T00:00:00"}, [("/registered_on", "day")],
            id="an instant is no day",
        ),
        pytest.param(
            {"registered_on": "1849-12-31"}, [("/registered_on", "greater-than-equal")],
            id="absurdly early",
        ),
        pytest.param(
            {"industry": "education", "size_band": "small"},
            [("/industry", "not-for-this-kind"), ("/size_band", "not-for-this-kind")],
            id="individuals have no industry",
        ),
        pytest.param(
            {
                "kind": "organization", "gender": "male", "marital_status": "single",
                "birthday": {"calendar": "solar", "month": 1, "day": 1},
            },
            [
                ("/birthday", "not-for-this-kind"), ("/gender", "not-for-this-kind"),
                ("/marital_status", "not-for-this-kind"),
            ],
            id="organizations are not born",
        ),
        pytest.param(
            {"home_store_id": str(new_id()), "owner_staff_id": str(new_id())},
            [("/home_store_id", "unknown"), ("/owner_staff_id", "unknown")],
            id="no such store, no such person",
        ),
        pytest.param(
            {"identities": [{"kind": "phone", "value": "12345"}]},
            [("/identities/0/value", "invalid-phone")], id="no phone number",
        ),
        pytest.param(
            {
                "identities": [
                    {"kind": "phone", "value": "13800138000"},
                    {"kind": "email", "value": "nobody"},
                    {"kind": "external", "value": "K-1"},
                ]
            },
            [
                ("/identities/1/value", "invalid-email"),
                ("/identities/2/system", "invalid-external"),
            ],
            id="each identity has its pointer",
        ),
        pytest.param(
            {
                "identities": [
                    {"kind": "phone", "value": "13800138000"},
                    {"kind": "phone", "value": "+86 138-0013-8000"},
                ]
            },
            [("/identities/1/value", "duplicate")], id="the same phone twice",
        ),
        pytest.param(
            {
                "identities": [
                    {"kind": "phone", "value": "13800138000", "is_primary": True},
                    {"kind": "phone", "value": "13900139000", "is_primary": True},
                ]
            },
            [("/identities/1/is_primary", "duplicate")], id="two primary phones",
        ),
        pytest.param(
            {"identities": [{"kind": "wechat", "value": f"wx-{n}"} for n in range(51)]},
            [("/identities", "too-long")], id="more identities than a card has",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_with_pointers_and_leaves_nothing(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    fields: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "individual", "name": "王小明", **fields},
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/validation"
    assert pointers_of(answer) == found
    assert await row_counts(database) == counts


async def test_a_lone_surrogate_is_refused(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers",
        headers={**world.headers(), "Content-Type": "application/json"},
        content=b'{"kind": "individual", "name": "\\ud800"}',
    )
    assert answer.status_code == 422
    assert pointers_of(answer) == [("/name", "text")]
    assert await row_counts(database) == counts


async def test_days_up_to_today_are_accepted_and_tomorrow_is_not(
    client: httpx.AsyncClient, world: World, settings: Settings
) -> None:
    with clock.using(FixedClock(clock.now())):
        today = clock.today(settings.zone)
        tomorrow = today + timedelta(days=1)
        born = [
            {"calendar": "solar", "year": day.year, "month": day.month, "day": day.day}
            for day in (today, tomorrow)
        ]
        card = await create_card(client, world, registered_on=today.isoformat(), birthday=born[0])
        refused = await client.post(
            "/v1/customers",
            headers=world.headers(),
            json={
                "kind": "individual", "name": "王小明", "birthday": born[1],
                "registered_on": tomorrow.isoformat(),
            },
        )  # fmt: skip
    assert card["birthday"] == {
        **born[0], "is_leap_month": False, "next_on": today.isoformat(), "is_today": True,
    }  # fmt: skip
    assert pointers_of(refused) == [
        ("/birthday", "in-the-future"), ("/registered_on", "in-the-future"),
    ]  # fmt: skip


async def test_a_birthday_on_29_february_needs_no_year(
    client: httpx.AsyncClient, world: World
) -> None:
    with clock.using(FixedClock(datetime(2026, 2, 28, 12, tzinfo=UTC))):
        card = await create_card(
            client, world, birthday={"calendar": "solar", "month": 2, "day": 29}
        )
    assert card["birthday"] == {
        "calendar": "solar", "year": None, "month": 2, "day": 29, "is_leap_month": False,
        "next_on": "2026-02-28", "is_today": True,
    }  # fmt: skip


async def test_a_disabled_account_can_own_no_new_card(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    async with database.transaction() as session:
        await session.execute(
            update(Staff)
            .where(col(Staff.id) == world.staff["clerk2"])
            .values(disabled_at=clock.now())
        )
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={
            "kind": "individual", "name": "王小明", "owner_staff_id": str(world.staff["clerk2"]),
        },
    )  # fmt: skip
    assert answer.status_code == 422
    assert pointers_of(answer) == [("/owner_staff_id", "unknown")]


async def test_a_clerk_creates_cards_for_their_store_or_for_none_but_not_for_another(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    own = await create_card(client, world, "clerk", home_store_id=str(world.stores["S01"]))
    none = await create_card(client, world, "clerk")
    assert (own["home_store_id"], none["home_store_id"]) == (str(world.stores["S01"]), None)
    counts = await row_counts(database)
    refused = await client.post(
        "/v1/customers",
        headers=world.headers("clerk", Accept_Language="zh-CN"),
        json={
            "kind": "individual", "name": "王小明", "home_store_id": str(world.stores["S02"]),
        },
    )  # fmt: skip
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert refused.json()["detail"] == "您只能修改所属门店的客户卡，以及没有归属门店的客户卡。"
    assert await row_counts(database) == counts


@pytest.mark.parametrize("who", ["auditor", "marketing"])
async def test_who_may_only_read_creates_nothing(
    client: httpx.AsyncClient, world: World, database: Database, who: str
) -> None:
    card = await create_card(client, world)
    counts = await row_counts(database)
    answer = await client.post(
        "/v1/customers", headers=world.headers(who), json={"kind": "individual", "name": "王小明"}
    )
    assert (answer.status_code, answer.json()["permission"]) == (403, "customers:write")
    assert await row_counts(database) == counts
    read = await client.get(f"/v1/customers/{card['id']}", headers=world.headers(who))
    assert read.json() == card


async def test_a_card_that_is_not_there_is_not_found_in_either_language(
    client: httpx.AsyncClient, world: World
) -> None:
    address = f"/v1/customers/{new_id()}"
    english = await client.get(address, headers=world.headers())
    chinese = await client.get(address, headers=world.headers(Accept_Language="zh"))
    assert (english.status_code, english.json()["detail"]) == (404, "There is no such card.")
    assert (chinese.status_code, chinese.json()["detail"]) == (404, "没有这张客户卡。")
    assert chinese.headers["content-language"] == "zh"


async def test_an_api_client_creates_and_reads_cards(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.post(
        "/v1/customers",
        headers={"X-API-Key": world.api_key, "Idempotency-Key": "page-1"},
        json={
            "kind": "individual", "name": "王小明", "origin": "web_shop",
            "home_store_id": str(world.stores["S02"]),
        },
    )  # fmt: skip
    assert answer.status_code == 201
    assert await read_card(client, world, answer.json()["id"]) == answer.json()
