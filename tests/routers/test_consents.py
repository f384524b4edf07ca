"""Consent: written down with its proof, what stands, what may be done, the history."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, ConsentRecord, Customer, CustomerConsent, OutboxEvent
from app.vocabulary import Action, ConsentPurpose, CustomerStatus, DomainEvent
from tests.conftest import client_of
from tests.support.cards import create_card, pointers_of, seen
from tests.support.world import World

NOW = clock.now()


def ago(minutes: int) -> str:
    """Return the instant so many minutes ago."""
    return (NOW - timedelta(minutes=minutes)).isoformat()


def statement(channel: str = "sms", state: str = "granted", **more: Any) -> dict[str, Any]:
    """Return a statement about marketing."""
    return {"purpose": "marketing", "channel": channel, "state": state, "proof": "form", **more}


async def record(
    client: httpx.AsyncClient,
    world: World,
    card: dict[str, Any],
    *statements: dict[str, Any],
    who: str = "clerk",
) -> httpx.Response:
    """Write down statements."""
    return await client.post(
        f"/v1/customers/{card['id']}/consents",
        headers=world.headers(who),
        json={"statements": list(statements)},
    )


async def read(
    client: httpx.AsyncClient, world: World, card: dict[str, Any], rest: str = "", **query: Any
) -> dict[str, Any]:
    """Read what stands, or what ``rest`` names."""
    answer = await client.get(
        f"/v1/customers/{card['id']}/consents{rest}", headers=world.headers(), params=query
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def counts(database: Database) -> list[int]:
    """Return how many rows there are of all that consent writes."""
    tables: list[type[SQLModel]] = [ConsentRecord, CustomerConsent, AuditEntry, OutboxEvent]
    async with database.transaction() as session:
        return [
            await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables
        ]


async def test_statements_are_kept_with_their_proof_and_what_stands_is_answered(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, home_store_id=str(world.stores["S01"]))
    answer = await record(
        client,
        world,
        card,
        statement("sms", proof_reference="F-17", wording="我同意", stated_at=ago(5)),
        statement("email", "withdrawn", proof="spoken", stated_at=ago(3)),
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/customers/{card['id']}/consents"
    body = answer.json()
    assert body == await read(client, world, card)
    assert body["customer_id"] == card["id"]
    assert [(one["channel"], one["state"]) for one in body["standing"]] == [
        ("sms", "granted"), ("email", "withdrawn"),
    ]  # fmt: skip
    history = await read(client, world, card, "/history")
    assert history["next_cursor"] is None
    email, sms = history["items"]
    assert (email["channel"], email["proof"], email["wording"]) == ("email", "spoken", None)
    assert sms == {
        "id": body["standing"][0]["record_id"],
        "purpose": "marketing",
        "channel": "sms",
        "state": "granted",
        "proof": "form",
        "proof_reference": "F-17",
        "wording": "我同意",
        "stated_at": body["standing"][0]["since"],
        "recorded_at": sms["recorded_at"],
        "actor_kind": "staff",
        "actor_id": str(world.staff["clerk"]),
    }
    async with database.transaction() as session:
        told = (
            await session.scalars(
                select(OutboxEvent).where(col(OutboxEvent.type) == DomainEvent.CONSENT_CHANGED)
            )
        ).all()
        written = (
            await session.scalars(
                select(AuditEntry).where(
                    col(AuditEntry.object_id) == UUID(card["id"]),
                    col(AuditEntry.action) == Action.CHANGED,
                )
            )
        ).all()
    assert sorted(event.payload["channel"] for event in told) == ["email", "sms"]
    assert {frozenset(event.payload) for event in told} == {
        frozenset({"purpose", "channel", "state"})
    }
    assert [entry.fields for entry in written] == [
        ["consents.marketing.email", "consents.marketing.sms"]
    ]


async def test_the_latest_stated_stands_whichever_is_written_down_first(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    await record(client, world, card, statement(state="withdrawn", stated_at=ago(5)))
    before = await counts(database)
    answer = await record(client, world, card, statement(state="granted", stated_at=ago(10)))
    assert [one["state"] for one in answer.json()["standing"]] == ["withdrawn"]
    # It is kept and audited, and nobody is told of a change that is none.
    assert await counts(database) == [before[0] + 1, before[1], before[2] + 1, before[3]]
    answer = await record(client, world, card, statement(state="granted", stated_at=ago(4)))
    assert [one["state"] for one in answer.json()["standing"]] == ["granted"]
    answer = await record(client, world, card, statement(state="withdrawn", stated_at=ago(4)))
    assert [one["state"] for one in answer.json()["standing"]] == ["withdrawn"]


async def test_several_statements_of_one_request_may_be_of_one_subject(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    answer = await record(
        client,
        world,
        card,
        statement(state="withdrawn", stated_at=ago(1)),
        statement(state="granted", stated_at=ago(2)),
    )
    assert [one["state"] for one in answer.json()["standing"]] == ["withdrawn"]
    history = await read(client, world, card, "/history")
    assert [one["state"] for one in history["items"]] == ["withdrawn", "granted"]


async def test_saying_the_same_again_moves_the_proof_and_tells_nobody(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    first = await record(client, world, card, statement(stated_at=ago(5)))
    before = await counts(database)
    second = await record(client, world, card, statement(stated_at=ago(4)))
    after = await counts(database)
    assert (after[1], after[3]) == (before[1], before[3])
    assert first.json()["standing"][0]["record_id"] != second.json()["standing"][0]["record_id"]


async def test_a_repeated_request_is_written_down_once(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    headers, body = world.headers(), {"statements": [statement()]}
    first, second = [
        await client.post(f"/v1/customers/{card['id']}/consents", headers=headers, json=body)
        for _ in range(2)
    ]
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (await counts(database))[0] == 1


async def test_taking_back_everything_ends_what_was_granted(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    await record(client, world, card, statement("sms"), statement("any"))
    answer = await client.post(
        f"/v1/customers/{card['id']}/consents/withdraw-all",
        headers=world.headers("clerk"),
        json={"proof": "spoken", "wording": "别再联系我"},
    )
    assert answer.status_code == 201, answer.text
    withdrawn = {one["purpose"] for one in answer.json()["standing"] if one["state"] == "withdrawn"}
    assert withdrawn == {str(purpose) for purpose in ConsentPurpose}
    for purpose in ConsentPurpose:
        for channel in ("any", "sms", "email"):
            check = await read(client, world, card, "/check", purpose=purpose, channel=channel)
            assert (check["is_allowed"], check["reason"]["code"]) == (False, "purpose_withdrawn")
    overruled = [
        (one["purpose"], one["channel"], one["state"])
        for one in answer.json()["standing"]
        if not one["is_in_force"]
    ]
    assert overruled == [("marketing", "sms", "granted")]
    again = await record(client, world, card, statement("sms"))
    assert all(one["is_in_force"] for one in again.json()["standing"])


async def test_a_check_says_why(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world)
    await record(client, world, card, statement("any", stated_at=ago(9)))
    answer = await record(client, world, card, statement("sms", "withdrawn", stated_at=ago(8)))
    general, sms = answer.json()["standing"]
    assert await read(client, world, card, "/check", purpose="marketing", channel="sms") == {
        "purpose": "marketing",
        "channel": "sms",
        "is_allowed": False,
        "reason": {
            "code": "channel_withdrawn",
            "en": "Withdrawn for this channel",
            "zh": "客户已撤回该渠道",
        },
        "decided_by": sms,
    }
    email = await read(client, world, card, "/check", purpose="marketing", channel="email")
    assert (email["is_allowed"], email["decided_by"]) == (True, general)
    never = await read(client, world, card, "/check", purpose="survey")
    assert (never["is_allowed"], never["reason"]["code"], never["decided_by"]) == (
        False, "never_asked", None,
    )  # fmt: skip


async def test_what_needs_no_asking_is_the_operators_to_say(
    database: Database, world: World, settings: Settings
) -> None:
    strict = settings.model_copy(update={"consent_unasked_purposes": ()})
    answers = []
    for wanted in (settings, strict):
        async with client_of(database, wanted) as client:
            card = await create_card(client, world)
            check = await read(client, world, card, "/check", purpose="service", channel="phone")
            answers.append((check["is_allowed"], check["reason"]["code"]))
    assert answers == [(True, "needs_no_asking"), (False, "never_asked")]


def test_the_settings_know_the_purposes_of_the_vocabulary() -> None:
    everything = ",".join(ConsentPurpose)
    made = Settings(_env_file=None, consent_unasked_purposes=everything)  # type: ignore[arg-type]
    assert made.consent_unasked_purposes == tuple(ConsentPurpose)
    with pytest.raises(ValueError, match="purposes are"):
        Settings(_env_file=None, consent_unasked_purposes="spying")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"stated_at": "2199-01-01T00:00:00Z"}, [("/statements/0/stated_at", "in-the-future")]),
        (
            {"purpose": "profiling", "channel": "sms"},
            [("/statements/0/channel", "without-channel")],
        ),
        ({"proof": "merge"}, [("/statements/0/proof", "literal-error")]),
        ({"channel": "fax"}, [("/statements/0/channel", "enum")]),
        ({"state": None}, [("/statements/0/state", "enum")]),
        ({"secret": "x"}, [("/statements/0/secret", "extra-forbidden")]),
    ],
)
async def test_what_cannot_be_said_is_refused_and_nothing_written(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    change: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    card = await create_card(client, world)
    before = await counts(database)
    answer = await record(client, world, card, {**statement(), **change})
    assert answer.status_code == 422
    assert pointers_of(answer) == found
    assert await counts(database) == before


async def test_a_future_withdrawal_of_everything_is_refused(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    before = await counts(database)
    answer = await client.post(
        f"/v1/customers/{card['id']}/consents/withdraw-all",
        headers=world.headers(),
        json={"proof": "form", "stated_at": "2199-01-01T00:00:00Z"},
    )
    assert (answer.status_code, pointers_of(answer)) == (422, [("/stated_at", "in-the-future")])
    assert await counts(database) == before


async def test_archived_cards_take_statements_and_erased_and_merged_ones_do_not(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card, other = await create_card(client, world), await create_card(client, world, name="李文")
    await client.post(f"/v1/customers/{card['id']}/archive", headers=seen(world, card))
    assert (await record(client, world, card, statement())).status_code == 201
    ends: list[tuple[dict[str, Any], int, str]] = [
        ({"status": CustomerStatus.ERASED, "erased_at": NOW}, 410, "card-erased"),
        (
            {
                "status": CustomerStatus.MERGED,
                "erased_at": None,
                "merged_into_id": UUID(other["id"]),
            },
            409,
            "card-merged",
        ),
    ]
    for values, status, code in ends:
        async with database.transaction() as session:
            await session.execute(
                update(Customer).where(col(Customer.id) == UUID(card["id"])).values(**values)
            )
        before = await counts(database)
        answer = await record(client, world, card, statement())
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
        assert await counts(database) == before
    # What is read of the merged card is the surviving one's.
    assert (await read(client, world, card))["customer_id"] == other["id"]


async def test_consent_of_nobody_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    nobody = {"id": str(new_id())}
    assert (await record(client, world, nobody, statement())).status_code == 404
    for rest in ("", "/history", "/check?purpose=survey"):
        answer = await client.get(
            f"/v1/customers/{nobody['id']}/consents{rest}", headers=world.headers()
        )
        assert answer.status_code == 404


async def test_the_history_is_paged_without_loss(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world)
    await record(
        client, world, card, *(statement(stated_at=ago(minute // 2)) for minute in range(7))
    )
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await read(
            client, world, card, "/history", limit=3, **({"cursor": cursor} if cursor else {})
        )
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    keys = [(item["stated_at"], item["id"]) for item in items]
    assert len(set(keys)) == 7
    assert keys == sorted(keys, reverse=True)
