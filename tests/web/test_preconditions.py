"""``If-Match``: nobody overwrites what they have not seen."""

import httpx
import pytest

from app.core.errors import PreconditionFailedError
from app.web.preconditions import etag, seen_version
from tests.support.cards import create_card
from tests.support.world import World
from tests.web.probes import assert_problem


@pytest.mark.parametrize("version", [1, 3, 999_999_999])
def test_a_tag_of_ours_names_its_version(version: int) -> None:
    assert seen_version(etag(version)) == version
    assert seen_version(f" {etag(version)} ") == version


@pytest.mark.parametrize(
    "tag",
    [
        "", "*", "v1", '"1"', '"v0"', '"v01"', '"v-1"', 'W/"v1"', '"v1", "v2"', '"v1"\n"v2"',
        '"v9999999999"', '"v१"',
    ],
)  # fmt: skip
def test_anything_else_matches_nothing(tag: str) -> None:
    with pytest.raises(PreconditionFailedError) as refusal:
        seen_version(tag)
    assert refusal.value.members == {"changed_fields": []}


async def test_a_change_needs_the_version_and_is_told_what_differs_when_it_is_stale(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    address = f"/v1/customers/{card['id']}"

    missing = await client.patch(address, headers=world.headers(), json={"note": "one"})
    assert_problem(missing, 428, "precondition-required")
    for garbage in ("garbage", 'W/"v1"', "*"):
        answer = await client.patch(
            address, headers=world.headers(If_Match=garbage), json={"note": "one"}
        )
        assert assert_problem(answer, 412, "precondition-failed")["changed_fields"] == []
    first = await client.patch(
        address, headers=world.headers(If_Match='"v1"'), json={"note": "one"}
    )
    assert (first.status_code, first.headers["etag"]) == (200, '"v2"')
    stale = await client.patch(
        address, headers=world.headers(If_Match='"v1"'), json={"note": "two"}
    )
    assert assert_problem(stale, 412, "precondition-failed")["changed_fields"] == ["note"]
    now = await client.get(address, headers=world.headers())
    assert (now.headers["etag"], now.json()["note"]) == ('"v2"', "one")
