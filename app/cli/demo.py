"""Commands of the demo chain."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.shared import (
    base_url_of,
    from_environment,
    open_database,
    opened,
    read_settings,
    run_work,
)

if TYPE_CHECKING:
    from app.core.config import Settings
    from app.core.runtime import Addresses, StopSignals
    from app.demo.load import DemoSummary
    from app.demo.showcase import ShowcaseSale

commands = typer.Typer()

DEMO_PASSWORD_VARIABLE = "HUIKE_DEMO_PASSWORD"  # noqa: S105 - the name of a variable


@commands.command()
def demo() -> None:
    """Load the demo chain into the configured database, if that is empty."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core import runtime
        from app.demo.welcome import sign_ins

        runtime.prepare_data_dir(settings.data_dir)
        async with runtime.prepared_database(settings) as addresses:
            password, summary, sale = await _load_demo(settings, addresses)
        if sale is None:
            raise runtime.CannotStartError(
                "The database holds another chain; the demo chain goes into an empty one."
            )
        done = "Loaded the demo chain" if summary.was_loaded else "The demo chain is there"
        print(f"{done}: {summary.customers} customers, {summary.receipts} receipts.")
        print(sign_ins(password))

    run_work(settings, work)


@commands.command("demo-sale")
def demo_sale(
    send: Annotated[bool, typer.Option("--send", help="Send it and show the answer.")] = False,
    url: Annotated[
        str | None, typer.Option(help="The service; default: the one `huike run` started.")
    ] = None,
) -> None:
    """Print a signed sale of the demo chain as a curl command, or send it."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import CannotStartError, running_address
        from app.demo.showcase import showcase_sale
        from app.demo.till import signed_request

        base = (url or running_address(settings.data_dir) or base_url_of(settings)).rstrip("/")
        async with open_database(settings) as database:
            try:
                sale = await showcase_sale(database)
            except LookupError as error:
                raise CannotStartError(
                    "The demo chain is not in this database. Load it with: huike demo"
                ) from error
        request = signed_request(base, sale.source_code, sale.secret, sale.event)
        if not send:
            print(request.curl())
            return
        await _send(request.url, request.headers, request.body)

    run_work(settings, work)


@commands.command("demo-tiers")
def demo_tiers(
    url: Annotated[
        str | None, typer.Option(help="The service; default: the one `huike run` started.")
    ] = None,
) -> None:
    """Try two tier policies out on the demo chain, catch a hollow account, explain a tier."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        import logging

        import httpx
        from rich.console import Console

        from app.core.runtime import CannotStartError, running_address
        from app.demo.showcase import hollow_sale
        from app.demo.tier_tour import TourError, tour

        logging.getLogger("httpx").setLevel(logging.WARNING)

        base = (url or running_address(settings.data_dir) or base_url_of(settings)).rstrip("/")
        kept = settings.data_dir / "demo-password"
        password = kept.read_text(encoding="utf-8").strip() if kept.exists() else None
        if password is None:
            raise CannotStartError("There is no demo chain here. Load it with: huike demo")
        async with open_database(settings) as database:
            try:
                sale = await hollow_sale(database)
            except LookupError as error:
                raise CannotStartError(
                    "The demo chain is not in this database. Load it with: huike demo"
                ) from error
        try:
            async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
                await tour(client, password, sale, Console(highlight=False))
        except TourError as error:
            raise CannotStartError(str(error)) from error

    run_work(settings, work)


async def _send(url: str, headers: Mapping[str, str], body: str) -> None:
    import json
    import logging

    import httpx

    from app.core.runtime import CannotStartError

    logging.getLogger("httpx").setLevel(logging.WARNING)

    try:
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            answer = await client.post(url, content=body.encode(), headers=dict(headers))
    except httpx.HTTPError as error:
        raise CannotStartError(f"{url} does not answer ({error}). Is Huike running?") from error
    print(f"{answer.status_code} {answer.reason_phrase}")
    try:
        print(json.dumps(answer.json(), ensure_ascii=False, indent=2))
    except ValueError:
        print(answer.text)
    if answer.is_error:
        raise typer.Exit(1)


async def _load_demo(
    settings: "Settings", addresses: "Addresses"
) -> tuple[str, "DemoSummary", "ShowcaseSale | None"]:
    """Load the demo chain where it is missing; return the password, what is there, its sale.

    There is no sale where the database holds another chain.
    """
    import secrets

    from app.core import clock
    from app.core.runtime import kept_secret
    from app.demo.load import load_demo
    from app.demo.showcase import showcase_sale

    wanted = from_environment(DEMO_PASSWORD_VARIABLE)
    password = kept_secret(
        settings.data_dir / "demo-password", lambda: wanted or secrets.token_urlsafe(12)
    )
    async with opened(addresses, settings) as database:
        today = clock.today(settings.zone)
        summary = await load_demo(database, settings, today, password)
        try:
            return password, summary, await showcase_sale(database)
        except LookupError:
            return password, summary, None


async def welcome_of(settings: "Settings", addresses: "Addresses", base_url: str) -> str:
    """Load the demo chain where it is missing; return what to print when the service is up."""
    from app.demo.welcome import welcome, welcome_without_demo

    password, _, sale = await _load_demo(settings, addresses)
    if sale is None:
        return welcome_without_demo(base_url)
    wanted = from_environment(DEMO_PASSWORD_VARIABLE)
    note = f"  ({DEMO_PASSWORD_VARIABLE} counts only when the chain is loaded.)"
    return welcome(base_url, password, sale, note if wanted not in (None, password) else "")
