"""The catalogue over the API."""

from typing import Any

import httpx
import pytest

from tests.support.world import World

BODY: dict[str, Any] = {
    "sku": "BK-1", "isbn": "978-7-5500-0001-8", "title": "江南小巷的清晨", "category": "文学",
    "list_price": "58.00", "unit_cost": "34.8",
}  # fmt: skip


async def create(
    client: httpx.AsyncClient, world: World, status: int = 201, **more: Any
) -> httpx.Response:
    """Create a product as headquarters."""
    answer = await client.post(
        "/v1/products", json={**BODY, **more}, headers=world.headers("manager")
    )
    assert answer.status_code == status, answer.text
    return answer


async def test_a_product_is_kept_with_a_bare_isbn_and_exact_prices(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await create(client, world)
    product = answer.json()
    assert answer.headers["location"] == f"/v1/products/{product['id']}"
    assert answer.headers["etag"] == '"v1"'
    assert product["isbn"] == "9787550000018"
    assert (product["list_price"], product["unit_cost"]) == ("58.00", "34.80")
    read = await client.get(answer.headers["location"], headers=world.headers("clerk"))
    assert read.json() == product


@pytest.mark.parametrize(
    "isbn",
    [
        "978-7-5500-0001-7", "9787550000019", "978755000001", "97875500000188", "7550000014",
        "9777550000011", "978755000001X", "９７８７５５００００００１８", "",
    ],
)  # fmt: skip
async def test_a_wrong_isbn_is_refused(client: httpx.AsyncClient, world: World, isbn: str) -> None:
    answer = await create(client, world, 422, isbn=isbn)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/isbn"]
    if isbn:
        assert isbn not in answer.text


@pytest.mark.parametrize("isbn", ["9787550000018", "978 7 5500 0001 8", "979-10-0000-000-8"])
async def test_a_right_isbn_is_taken_however_it_is_written(
    client: httpx.AsyncClient, world: World, isbn: str
) -> None:
    product = (await create(client, world, isbn=isbn)).json()
    assert product["isbn"] == isbn.replace("-", "").replace(" ", "")


@pytest.mark.parametrize(
    "more", [{"isbn": None}, {"sku": "BK-2", "isbn": "9787550000018"}], ids=["SKU", "ISBN"]
)
async def test_sku_and_isbn_are_unique(
    client: httpx.AsyncClient, world: World, more: dict[str, Any]
) -> None:
    await create(client, world)
    assert (await create(client, world, 409, **more)).json()["type"] == "/problems/conflict"


@pytest.mark.parametrize("price", ["-0.01", "1.234", "1000000000000.00", "NaN", "1e3x", True])
async def test_a_price_that_is_none_is_refused(
    client: httpx.AsyncClient, world: World, price: object
) -> None:
    answer = await create(client, world, 422, list_price=price)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/list_price"]


async def test_a_change_to_another_products_isbn_is_a_conflict_and_changes_nothing(
    client: httpx.AsyncClient, world: World
) -> None:
    await create(client, world)
    other = await create(client, world, sku="BK-2", isbn=None)
    path = other.headers["location"]
    answer = await client.patch(
        path, json={"isbn": BODY["isbn"], "title": "新"},
        headers=world.headers("manager", If_Match='"v1"'),
    )  # fmt: skip
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert (await client.get(path, headers=world.headers())).json() == other.json()


async def test_a_change_of_price_makes_a_version_and_names_the_field(
    client: httpx.AsyncClient, world: World
) -> None:
    created = await create(client, world)
    answer = await client.patch(
        created.headers["location"], json={"list_price": "62.00", "unit_cost": "34.80"},
        headers=world.headers("manager", If_Match='"v1"'),
    )  # fmt: skip
    assert (answer.json()["list_price"], answer.headers["etag"]) == ("62.00", '"v2"')
    trail = await client.get(
        "/v1/audit", params={"object_type": "product", "action": "changed"},
        headers=world.headers("auditor"),
    )  # fmt: skip
    assert [entry["fields"] for entry in trail.json()["items"]] == [["list_price"]]


async def test_the_catalogue_is_found_by_prefix_category_isbn_and_activity(
    client: httpx.AsyncClient, world: World
) -> None:
    await create(client, world, sku="A_1")
    await create(client, world, sku="AB1", isbn=None, category="文具")
    await create(client, world, sku="AC1", isbn=None)

    async def skus(**params: str) -> list[str]:
        answer = await client.get("/v1/products", params=params, headers=world.headers("clerk"))
        assert answer.status_code == 200, answer.text
        return [product["sku"] for product in answer.json()["items"]]

    assert sorted(await skus(q="A")) == ["AB1", "AC1", "A_1"]
    assert await skus(q="A_") == ["A_1"], "an underscore is itself, not any character"
    assert await skus(category="文具") == ["AB1"]
    assert await skus(isbn="978-7-5500-0001-8") == ["A_1"]
    assert await skus(is_active="false") == []


async def test_the_catalogue_is_paged_without_loss(client: httpx.AsyncClient, world: World) -> None:
    for number in range(5):
        await create(client, world, sku=f"BK-{number}", isbn=None)
    seen, cursor = [], None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/products", params=params, headers=world.headers())).json()
        seen.append([product["sku"] for product in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [["BK-0", "BK-1"], ["BK-2", "BK-3"], ["BK-4"]]
