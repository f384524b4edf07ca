"""Reports over the API: made at once, or followed as jobs, by who may see them."""

from typing import Any

import httpx
import pytest

from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.jobs.registry import JOBS
from app.services import reports
from tests.conftest import client_of
from tests.jobs.test_worker import until, working
from tests.support.world import World, build_world

DISTRIBUTION = "/v1/reports/tier-distribution"


async def get(
    client: httpx.AsyncClient, world: World, address: str, who: str = "manager", **headers: str
) -> httpx.Response:
    return await client.get(address, headers={**world.headers(who), **headers})


async def follow(client: httpx.AsyncClient, world: World, who: str = "manager") -> str:
    """Ask for a report that a worker shall make; return where it can be followed."""
    answer = await get(client, world, DISTRIBUTION, who, Prefer="respond-async")
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def test_a_report_that_takes_no_time_is_the_answer(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await get(client, world, DISTRIBUTION)

    assert answer.status_code == 200
    assert [level["level"]["code"] for level in answer.json()["levels"]] == [
        "main", "ordinary", "small",
    ]  # fmt: skip
    assert "preference-applied" not in answer.headers
    assert (await get(client, world, "/v1/reports/jobs")).json()["items"] == []


@pytest.mark.parametrize(
    "preference",
    ["respond-async", "Respond-Async, wait=10", "handling=lenient, respond-async; foo"],
)
async def test_who_prefers_it_is_answered_by_a_job_to_follow(
    client: httpx.AsyncClient, world: World, preference: str
) -> None:
    answer = await get(client, world, f"{DISTRIBUTION}?as_of=2026-03-01", Prefer=preference)

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/reports/jobs/{job['id']}"
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["preference-applied"] == "respond-async"
    assert (job["kind"], job["status"], job["progress"]) == ("tier_distribution", "queued", 0)
    assert job["parameters"] == {"as_of": "2026-03-01", "kind": "individual", "store_ids": None}
    assert (job["requested_by_kind"], job["requested_by_id"]) == (
        "staff", str(world.staff["manager"]),
    )  # fmt: skip
    followed = await get(client, world, answer.headers["location"])
    assert (followed.status_code, followed.json()) == (200, {**job, "result": None})


@pytest.mark.parametrize("preference", ["", "wait=1", "respond-asynchronously", "x=respond-async"])
async def test_other_preferences_are_ignored(
    client: httpx.AsyncClient, world: World, preference: str
) -> None:
    answer = await get(client, world, DISTRIBUTION, Prefer=preference)

    assert (answer.status_code, "preference-applied" in answer.headers) == (200, False)


async def test_a_report_that_takes_too_long_is_answered_by_a_job_unasked(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "AT_ONCE_SECONDS", -1)

    answer = await get(client, world, DISTRIBUTION)

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert answer.headers["location"] == f"/v1/reports/jobs/{answer.json()['id']}"


async def test_what_cannot_be_answered_is_refused_and_not_queued(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await get(client, world, f"{DISTRIBUTION}?as_of=2999-01-01", Prefer="respond-async")

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/query/as_of"]
    assert (await get(client, world, "/v1/reports/jobs")).json()["items"] == []


async def test_a_worker_makes_the_report_that_the_address_would_have_answered(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        at_once = (await get(client, world, DISTRIBUTION)).json()
        where = await follow(client, world)

        async def is_done() -> bool:
            return bool((await get(client, world, where)).json()["status"] == "done")

        async with working(fresh_database, settings, {"report": JOBS["report"]}):
            await until(is_done)
        followed = (await get(client, world, where)).json()

    assert followed["result"] == at_once
    assert (followed["progress"], followed["problem"]) == (100, None)


async def test_whoever_is_bound_to_stores_follows_reports_about_theirs(
    client: httpx.AsyncClient, world: World
) -> None:
    of_chain = await follow(client, world)
    of_store = await follow(client, world, "store_manager")

    async def listed(who: str) -> list[str]:
        answer = await get(client, world, "/v1/reports/jobs", who)
        return [f"/v1/reports/jobs/{one['id']}" for one in answer.json()["items"]]

    assert await listed("manager") == [of_store, of_chain]
    assert await listed("store_manager") == [of_store]
    hidden = await get(client, world, of_chain, "store_manager")
    assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/not-found")
    nothing = await get(client, world, f"/v1/reports/jobs/{new_id()}")
    assert nothing.status_code == 404


async def test_the_list_of_jobs_is_paged(client: httpx.AsyncClient, world: World) -> None:
    for day in ("01", "02", "03"):
        address = f"{DISTRIBUTION}?as_of=2026-03-{day}"
        await get(client, world, address, Prefer="respond-async")
    pages: list[list[Any]] = []
    cursor = ""
    while True:
        answer = (await get(client, world, f"/v1/reports/jobs?limit=2{cursor}")).json()
        pages.append([one["parameters"]["as_of"] for one in answer["items"]])
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"

    assert pages == [["2026-03-03", "2026-03-02"], ["2026-03-01"]]
