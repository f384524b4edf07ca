"""Hostile input that once got through: offsets, spellings of numbers, headers, many parts."""

from typing import Any

import httpx
import pytest

from tests.support.events import refund, sale
from tests.support.world import World, send_batch, send_event


@pytest.mark.parametrize("offset", ["+16:00", "-23:59", "+23:59"])
async def test_an_offset_no_database_reads_spoils_neither_its_batch_nor_a_sale_to_come(
    client: httpx.AsyncClient, world: World, offset: str
) -> None:
    odd = sale("10.00", member=None, at=f"2026-11-20T10:00:00{offset}")
    bought = sale("10.00", member=None)
    early = refund(bought, occurred_at=f"2026-11-20T12:00:00{offset}")
    assert (await send_event(client, world, early)).json()["status"] == "parked"
    answer = await send_batch(client, world, [sale("1.00", member=None), odd, bought])
    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.json()["results"]] == ["applied"] * 3


@pytest.mark.parametrize(
    "amount",
    ["0e9999999999", "1_0", "١٠", "１０", "10\n", " 10 ", "1e1", "NaN", "10.001", True, 10.5, ""],
)
async def test_an_amount_is_spelt_one_way(
    client: httpx.AsyncClient, world: World, amount: Any
) -> None:
    good, odd = sale("10.00", member=None), sale("10.00", member=None)
    odd["total"] = amount
    answer = await send_batch(client, world, [good, odd])
    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.json()["results"]] == ["applied", "rejected"]
    errors = answer.json()["results"][1]["problem"]["errors"]
    assert [error["pointer"] for error in errors] == ["/total"]


async def test_a_body_of_very_many_values_is_refused_before_it_is_read(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.post(
        "/v1/customers",
        headers={**world.headers(), "content-type": "application/json"},
        content=b"[" + b"[]," * 20_001 + b"[]]",
    )
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize("name", ["Authorization", "If-Match", "Idempotency-Key"])
async def test_a_header_that_came_twice_is_refused(
    client: httpx.AsyncClient, world: World, name: str
) -> None:
    value = world.headers()["Authorization"] if name == "Authorization" else "x"
    headers = [(name, value), (name, value)]
    if name != "Authorization":
        headers.append(("Authorization", world.headers()["Authorization"]))
    answer = await client.get("/v1/me", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")


async def test_a_compressed_body_is_refused_and_not_read_as_it_stands(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.post(
        "/v1/customers/lookup",
        headers={**world.headers(), "content-encoding": "gzip"},
        json={"kind": "phone", "value": "13800000000"},
    )
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize("name", ["李\x7f明", "李\x9b明"])
async def test_no_control_character_gets_into_a_name(
    client: httpx.AsyncClient, world: World, name: str
) -> None:
    answer = await client.post(
        "/v1/customers", headers=world.headers(), json={"kind": "individual", "name": name}
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]
