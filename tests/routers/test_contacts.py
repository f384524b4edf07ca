"""The people at an organization: added, changed, removed, each in a version of its card."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, CustomerChange, CustomerContact
from app.services import contacts
from app.vocabulary import Action
from tests.support.cards import create_card, pointers_of, read_card
from tests.support.world import World

CHEN: dict[str, Any] = {
    "name": " 陈　老师 ", "title": "采购主任", "role": "purchasing", "decides": True,
    "phone": "138 0013 8000", "email": "Chen@SCHOOL.example.com", "note": "Mornings.",
}  # fmt: skip
CHEN_READ: dict[str, Any] = {
    "name": "陈 老师", "title": "采购主任", "role": "purchasing", "decides": True,
    "phone": "+86138****8000", "email": "C****@school.example.com", "is_masked": True,
    "note": "Mornings.",
}  # fmt: skip
CHEN_IN_HISTORY: dict[str, Any] = {
    "name": "陈 老师", "title": "采购主任", "role": "purchasing", "decides": True,
    "phone": "+8613800138000", "email": "Chen@school.example.com", "note": "Mornings.",
}  # fmt: skip


class School:
    """An organization's card, and what is done to its people: always as last seen."""

    def __init__(self, client: httpx.AsyncClient, world: World, card: dict[str, Any]) -> None:
        self.client, self.world, self.card = client, world, card
        self.path = f"/v1/customers/{card['id']}/contacts"
        self.etag = f'"v{card["version"]}"'

    async def call(
        self, method: str, path: str = "", who: str = "manager", **more: Any
    ) -> httpx.Response:
        """Call a route of the people; remember the version it leaves."""
        headers = self.world.headers(who, If_Match=self.etag)
        answer = await self.client.request(method, self.path + path, headers=headers, **more)
        self.etag = answer.headers.get("etag", self.etag)
        return answer

    async def add(self, **fields: Any) -> dict[str, Any]:
        """Add a person; return them."""
        answer = await self.call("POST", json={"name": "张老师", **fields})
        assert answer.status_code == 201, answer.text
        person: dict[str, Any] = answer.json()
        return person

    async def people(self) -> list[dict[str, Any]]:
        """Return everybody."""
        answer = await self.call("GET")
        people: list[dict[str, Any]] = answer.json()["items"]
        return people

    async def version(self) -> int:
        """Return the version that the card is in."""
        card = await read_card(self.client, self.world, self.card["id"])
        return int(card["version"])


@pytest.fixture
async def school(client: httpx.AsyncClient, world: World) -> School:
    """An organization's card without anybody."""
    card = await create_card(client, world, kind="organization", name="第三中学")
    return School(client, world, card)


async def history(database: Database, school: School) -> list[Any]:
    """Return what the card's changes of people are, oldest first, as they are stored."""
    async with database.transaction() as session:
        changes = await session.scalars(
            select(CustomerChange)
            .where(col(CustomerChange.customer_id) == school.card["id"])
            .order_by(col(CustomerChange.version))
        )
        return [change.changes.get("contacts") for change in changes]


async def test_a_person_is_added_with_normalised_phone_and_email_and_read_masked(
    school: School, database: Database
) -> None:
    answer = await school.call("POST", json=CHEN)
    person = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"v2"')
    assert answer.headers["location"] == f"{school.path}/{person['id']}"
    assert person == {
        "id": person["id"], **CHEN_READ, "created_at": person["created_at"],
        "updated_at": person["created_at"],
    }  # fmt: skip
    read = await school.call("GET", f"/{person['id']}", who="auditor")
    assert (read.json(), read.headers["etag"]) == (person, '"v2"')
    assert await school.people() == [person]
    assert await history(database, school) == [
        None, [None, {"id": person["id"], **CHEN_IN_HISTORY}],
    ]  # fmt: skip
    async with database.transaction() as session:
        stored = await session.scalar(select(CustomerContact))
        assert stored is not None
        assert (stored.phone, stored.email) == ("+8613800138000", "Chen@school.example.com")
        trail = await session.scalars(
            select(AuditEntry).where(col(AuditEntry.object_id) == school.card["id"])
        )
        assert (Action.CHANGED, ["contacts"]) in [(entry.action, entry.fields) for entry in trail]


async def test_a_person_changes_and_goes_each_in_a_version_of_the_card(
    school: School, database: Database
) -> None:
    person = await school.add(**CHEN)
    changed = await school.call("PATCH", f"/{person['id']}", json={"phone": None, "role": "user"})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v3"')
    assert changed.json() == {
        **person, "phone": None, "role": "user", "updated_at": changed.json()["updated_at"],
    }  # fmt: skip
    same = await school.call("PATCH", f"/{person['id']}", json={"role": "user"})
    assert (same.json(), same.headers["etag"]) == (changed.json(), '"v3"')
    gone = await school.call("DELETE", f"/{person['id']}")
    assert (gone.status_code, gone.headers["etag"], gone.content) == (204, '"v4"', b"")
    assert await school.people() == []
    was = {"id": person["id"], **CHEN_IN_HISTORY}
    becomes = {**{name: value for name, value in was.items() if name != "phone"}, "role": "user"}
    assert await history(database, school) == [None, [None, was], [was, becomes], [becomes, None]]
    shown = await school.client.get(
        f"/v1/customers/{school.card['id']}/changes", headers=school.world.headers()
    )
    assert shown.json()["items"][1]["changes"]["contacts"][0]["phone"] == "+86138****8000"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"phone": "12"}, [("/phone", "invalid-phone")], id="no phone"),
        pytest.param({"email": "x"}, [("/email", "invalid-email")], id="no e-mail address"),
        pytest.param({"name": " "}, [("/name", "string-too-short")], id="no name"),
        pytest.param({"role": "boss"}, [("/role", "enum")], id="no role"),
        pytest.param({"decides": "yes"}, [("/decides", "bool-type")], id="no yes or no"),
        pytest.param({"wechat": "x"}, [("/wechat", "extra-forbidden")], id="unknown field"),
    ],
)
async def test_people_who_cannot_be_are_refused_and_change_nothing(
    school: School, fields: Any, found: Any
) -> None:
    person = await school.add()
    refused = await school.call("POST", json={"name": "陈老师", **fields})
    assert (refused.status_code, pointers_of(refused)) == (422, found)
    refused = await school.call("PATCH", f"/{person['id']}", json=fields)
    assert (refused.status_code, pointers_of(refused)) == (422, found)
    assert (await school.people(), await school.version()) == ([person], 2)


async def test_people_change_only_with_the_version_that_was_seen(school: School) -> None:
    person = await school.add()
    calls: list[tuple[str, str, Any]] = [
        ("POST", "", {"name": "陈老师"}),
        ("PATCH", f"/{person['id']}", {"decides": True}),
        ("DELETE", f"/{person['id']}", None),
    ]
    for method, path, body in calls:
        school.etag = '"v1"'
        stale = await school.call(method, path, json=body)
        assert (stale.status_code, stale.json()["changed_fields"]) == (412, ["contacts"])
        headers = school.world.headers()
        blind = await school.client.request(method, school.path + path, headers=headers, json=body)
        assert blind.status_code == 428
    assert (await school.people(), await school.version()) == ([person], 2)


async def test_a_person_has_no_contact_persons(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world)
    person = School(client, world, card)
    refused = await person.call("POST", json={"name": "陈老师"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert await person.people() == []
    assert await read_card(client, world, card["id"]) == card


async def test_an_archived_card_keeps_its_people_as_they_are(school: School) -> None:
    person = await school.add()
    archived = await school.client.post(
        f"/v1/customers/{school.card['id']}/archive",
        headers=school.world.headers(If_Match=school.etag),
    )
    school.etag = archived.headers["etag"]
    for method, path, body in (
        ("POST", "", {"name": "陈老师"}),
        ("PATCH", f"/{person['id']}", {"decides": True}),
        ("DELETE", f"/{person['id']}", None),
    ):
        refused = await school.call(method, path, json=body)
        assert refused.json()["type"] == "/problems/invalid-transition"
    assert await school.people() == [person]


async def test_a_card_has_so_many_people_and_no_more(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "MAXIMUM_CONTACTS", 2)
    people = [await school.add(name=name) for name in ("甲", "乙")]
    refused = await school.call("POST", json={"name": "丙"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert (await school.people(), await school.version()) == (people, 3)


async def test_people_are_listed_page_by_page(school: School) -> None:
    people = [await school.add(name=name) for name in "甲乙丙"]
    first = (await school.call("GET", params={"limit": 2})).json()
    rest = (await school.call("GET", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [*first["items"], *rest["items"]] == people
    assert (len(first["items"]), rest["next_cursor"]) == (2, None)


async def test_who_is_not_there_is_not_found(school: School, client: httpx.AsyncClient) -> None:
    nobody = f"/{new_id()}"
    for method, body in (("GET", None), ("PATCH", {"decides": True}), ("DELETE", None)):
        answer = await school.call(method, nobody, json=body)
        assert answer.status_code == 404
    other = await create_card(client, school.world, kind="organization", name="第四中学")
    person = await School(client, school.world, other).add()
    answer = await school.call("GET", f"/{person['id']}")
    assert answer.status_code == 404
    missing = await client.get(f"/v1/customers/{new_id()}/contacts", headers=school.world.headers())
    assert missing.status_code == 404
    assert await school.version() == 1


async def test_a_contact_person_makes_the_card_more_complete(school: School) -> None:
    scores = []
    person = await school.add()
    for _ in range(2):
        card = await read_card(school.client, school.world, school.card["id"])
        scores.append(card["completeness"]["score"])
        await school.call("DELETE", f"/{person['id']}")
    assert scores == [20, 0]
