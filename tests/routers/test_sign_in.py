"""Signing in, signing out, and who one is."""

import httpx

from tests.support.world import World


async def test_me_tells_a_clerk_their_role_and_their_store(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get("/v1/me", headers=world.headers("clerk"))
    assert answer.status_code == 200
    assert answer.json()["role"] == {"code": "clerk", "en": "Clerk", "zh": "店员"}
    assert answer.json()["store_ids"] == [str(world.stores["S01"])]


async def test_nobody_is_let_in_without_credentials(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert answer.json()["title"] == "未登录"
