"""Names in an address that no route knows."""

import httpx
import pytest

from tests.support.world import World


@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        ("/v1/customers?phone=19900008888", "/query/phone"),
        ("/v1/customers?tier=main&level=main", "/query/level"),
        ("/v1/pos/events?statu=held", "/query/statu"),
        ("/v1/reports/tier-distribution?store=S01", "/query/store"),
    ],
)
async def test_a_parameter_that_is_not_there_is_refused_and_not_left_out(
    client: httpx.AsyncClient, world: World, address: str, pointer: str
) -> None:
    answer = await client.get(address, headers=world.headers())
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "19900008888" not in answer.text


async def test_the_first_address_people_open_leads_to_the_documentation(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
