"""What tiers can do, shown on the running demo chain over its API: nothing here is made up.

Two policies are tried out against each other, a hollow account is caught at the till, and a tier is
explained in both languages. The drafts are thrown away afterwards, so that the tour can be taken
again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from app.core import clock
from app.core.ids import new_id
from app.demo.customers import SHOWCASE_MEMBER_NUMBER
from app.demo.showcase import ShowcaseSale
from app.demo.till import signed_request

DRAFTS: Final = (
    ("composite", "RFM, four tiers"),
    ("top_80_of_value", "Top 80 % of value"),
)
PATIENCE_SECONDS: Final = 120.0


class TourError(Exception):
    """The service does not do what the tour shows."""


async def tour(
    client: httpx.AsyncClient, password: str, sale: ShowcaseSale | None, console: Console
) -> None:
    """Take the tour on a running service, and print what it answers.

    ``client`` knows where the service is; ``sale`` is one that would lift a hollow account, if
    there is one.

    Raises:
        TourError: the service does not answer, or not as it should.
    """
    form = {"username": "manager", "password": password}
    try:
        token = (await _answer(await client.post("/v1/auth/token", data=form)))["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        await _compare(client, console)
        await _catch(client, console, sale)
        await _explain(client, console)
    except httpx.HTTPError as error:
        raise TourError(
            f"{client.base_url} does not answer ({error}). Is Huike running?"
        ) from error


async def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        path = response.request.url.path
        raise TourError(f"{path} answered {response.status_code}: {response.text}")
    return response.json() if response.content else None


async def _compare(client: httpx.AsyncClient, console: Console) -> None:
    console.rule("1. Two policies, tried out on today's customers; nobody is moved")
    for preset, name in DRAFTS:
        made = await client.post(
            "/v1/tier-policies",
            json={"scope": "individual", "name": name, "preset": preset},
            headers={"Idempotency-Key": str(new_id())},
        )
        draft = await _answer(made)
        path = f"/v1/tier-policies/{draft['id']}"
        try:
            _show_simulation(console, name, await _simulated(client, path))
        finally:
            await client.delete(path, headers={"If-Match": made.headers["etag"]})


async def _simulated(client: httpx.AsyncClient, path: str) -> Mapping[str, Any]:
    """Return a simulation, waiting for a worker where the service leaves it to one."""
    asked = await client.post(f"{path}/simulate", headers={"Idempotency-Key": str(new_id())})
    found = await _answer(asked)
    until = clock.monotonic_seconds() + PATIENCE_SECONDS
    while asked.status_code == httpx.codes.ACCEPTED and found["status"] != "done":
        if found["status"] == "failed" or clock.monotonic_seconds() > until:
            raise TourError(f"The simulation did not end: {found}")
        await asyncio.sleep(1)
        found = await _answer(await client.get(asked.headers["location"]))
    simulation: Mapping[str, Any] = found.get("result", found)
    return simulation


def _show_simulation(console: Console, name: str, found: Mapping[str, Any]) -> None:
    levels = Table(title=f"{name}: distribution of {found['customers']} customers")
    for heading in ("", "level", "customers", "share", "net spend", "share"):
        levels.add_column(heading, justify="left" if heading in ("", "level") else "right")
    for when, title in (("before", "now"), ("at_once", "at once"), ("in_the_end", "in the end")):
        for row in found[when]:
            levels.add_row(
                title,
                f"{row['level']['en']} {row['level']['zh']}",
                str(row["customers"]),
                f"{row['customers_share']} %",
                row["amount"],
                f"{row['amount_share']} %",
            )
            title = ""
        levels.add_section()
    console.print(levels)
    for when, title in (("at_once", "at once"), ("in_the_end", "in the end")):
        console.print(_matrix(found["transitions"][when], f"{name}: who moves where, {title}"))
    costs = found["benefit_costs"]
    console.print(
        f"Benefits a year: {costs['before']} now, {costs['in_the_end']} in the end"
        f" ({costs['difference_in_the_end']} more)."
    )
    for hint in found["hints"]:
        console.print(f"Note: {hint['sentences']['en']}")
    console.print()


def _matrix(transitions: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Return the transition matrix: rows are held now, columns would be."""
    rows = list(dict.fromkeys(part["before"] for part in transitions))
    columns = list(dict.fromkeys(part["after"] for part in transitions))
    counts = {(part["before"], part["after"]): part["customers"] for part in transitions}
    table = Table(title=title)
    table.add_column("from \\ to")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row, *(str(counts.get((row, column), 0)) for column in columns))
    return table


async def _catch(client: httpx.AsyncClient, console: Console, sale: ShowcaseSale | None) -> None:
    console.rule("2. A hollow account: a big turnover, held for review")
    if sale is not None:
        request = signed_request(
            str(client.base_url).rstrip("/"), sale.source_code, sale.secret, sale.event
        )
        sent = await client.post(
            request.url, content=request.body.encode(), headers=dict(request.headers)
        )
        tier = (await _answer(sent))["tier"]
        console.print(
            f"{sale.customer_name} buys for {sale.event['total']}: held {tier['before']}, holds"
            f" {tier['after']}, although net spend is {tier['net_spend']}."
        )
        console.print(tier["explanation"]["en"])
        console.print(tier["explanation"]["zh"])
    reviews = (await _answer(await client.get("/v1/tier-reviews?status=open")))["items"]
    if not reviews:
        console.print("No upgrade waits: the night has not looked at the accounts yet.")
    for review in reviews[:1]:
        console.print(
            f"Waiting: {review['customer']['name']}, from {review['level']['en']} to"
            f" {review['next_level']['en']}{', severe' if review['is_severe'] else ''}."
        )
        table = Table("condition", "number", "limit", "met")
        for condition in review["evidence"]["conditions"]:
            table.add_row(
                condition["sign"]["en"],
                condition["number"] or "unknown",
                condition["limit"] or "unknown",
                "yes" if condition["is_met"] else "no",
            )
        console.print(table)
    console.print()


async def _explain(client: httpx.AsyncClient, console: Console) -> None:
    console.rule("3. Why this tier, in both languages")
    found = await _answer(
        await client.post("/v1/customers/search", json={"query": SHOWCASE_MEMBER_NUMBER})
    )
    customer_id = found["items"][0]["id"]
    tier = await _answer(await client.get(f"/v1/customers/{customer_id}/tier"))
    console.print(tier["explanation"]["sentences"]["en"])
    console.print(tier["explanation"]["sentences"]["zh"])
    if tier["keep"] is not None:
        console.print(tier["keep"]["sentences"]["en"])
        console.print(tier["keep"]["sentences"]["zh"])
