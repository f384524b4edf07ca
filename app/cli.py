"""The ``huike`` command.

What a command needs is imported when it runs: the framework, the migrations and the demo chain
take longer to load than most commands take to do their work.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import socket

    from app.core.config import Settings
    from app.core.database import Database
    from app.core.runtime import Addresses, StopSignals
    from app.demo.load import DemoSummary, ShowcaseSale
    from app.schemas.staff import StaffCreate

app = typer.Typer(
    name="huike",
    help="Huike (惠客): customer cards, purchases and tiers of a retail chain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEMO_PASSWORD_VARIABLE = "HUIKE_DEMO_PASSWORD"  # noqa: S105 - the name of a variable
ADMIN_PASSWORD_VARIABLE = "HUIKE_ADMIN_PASSWORD"  # noqa: S105 - likewise

Host = Annotated[str | None, typer.Option(help="Address to listen on; default HUIKE_HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen on; default HUIKE_PORT.")
]


def main() -> None:
    """Run the command line; what can be said in a sentence ends with exit code 1."""
    app()


# --- Serving ----------------------------------------------------------------------------------


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Run a worker in the same process.")
    ] = False,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C."""
    gc.disable()
    settings = _settings(host=host, port=port)

    async def work(signals: "StopSignals") -> None:
        from app.core.runtime import bound_socket, prepared_database

        settings.check_safe_to_serve()
        listener = bound_socket(settings.host, settings.port)
        loading = _begin_loading()
        async with prepared_database(settings, watched=True) as addresses:
            await loading
            _end_loading()
            await _serve(settings, addresses, listener, signals, with_worker=with_worker)

    _run(settings, work)


@app.command()
def run(port: Port = None) -> None:
    """Start everything on this machine: database, demo chain, service and worker."""
    gc.disable()
    settings = _settings(host="127.0.0.1", port=port)
    if "log_format" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_format": "console"})

    async def work(signals: "StopSignals") -> None:
        from app.core import runtime

        runtime.prepare_data_dir(settings.data_dir)
        listener = runtime.bound_socket(settings.host, settings.port)
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        with runtime.only_run(settings.data_dir, address):
            keyed = runtime.with_kept_secret_key(settings)
            loading = _begin_loading()
            async with runtime.database_addresses(keyed, watched=True) as addresses:
                if await runtime.migrate_if_needed(addresses, keyed):
                    print("The tables are ready.", flush=True)
                await loading
                _end_loading()
                text = await _welcome(keyed, addresses, address)

                async def announce() -> None:
                    print(text, flush=True)

                await _serve(
                    keyed, addresses, listener, signals, with_worker=True, on_ready=announce
                )
        print("Huike has stopped.", flush=True)

    _run(settings, work)


@app.command()
def worker() -> None:
    """Run queued jobs and start the night, until SIGTERM or Ctrl-C."""
    settings = _settings()

    async def work(signals: "StopSignals") -> None:
        from app.core.runtime import prepared_database
        from app.jobs.worker import run_worker

        async with prepared_database(settings, watched=True) as addresses:
            signals.defer()
            await run_worker(addresses.service, settings, signals.stop)

    _run(settings, work)


async def _serve(
    settings: "Settings",
    addresses: "Addresses",
    listener: "socket.socket",
    signals: "StopSignals",
    *,
    with_worker: bool,
    on_ready: Callable[[], Awaitable[None]] | None = None,
) -> None:
    from app.core.database import Database
    from app.core.serving import serve as serve_app
    from app.main import create_app

    async def work_beside() -> None:
        # Loaded beside the first requests, not before them.
        run_worker = await asyncio.to_thread(_load_worker)
        await run_worker(addresses.service, settings, signals.stop)

    database = Database(addresses.service, settings)
    try:
        await serve_app(
            create_app(settings, database),
            settings,
            listener,
            signals,
            beside=work_beside if with_worker else None,
            on_ready=on_ready,
        )
    finally:
        await database.close()


def _load_worker() -> Callable[..., Awaitable[None]]:
    from app.jobs.worker import run_worker

    return run_worker


def _begin_loading() -> "asyncio.Task[None]":
    """Load the service in a thread: the database needs about as long to come up."""

    def load() -> None:
        import app.core.serving
        import app.main  # noqa: F401 - loaded early

    return asyncio.create_task(asyncio.to_thread(load))


def _end_loading() -> None:
    """Collect garbage again, which the commands that load the service put off.

    Loading makes a great many objects and no garbage; looking for some takes a third of its time.
    What is there by now stays for good, so it is never looked at again.
    """
    gc.freeze()
    gc.enable()


# --- The demo chain ---------------------------------------------------------------------------


@app.command()
def demo() -> None:
    """Load the demo chain into the configured database, if that is empty."""
    settings = _settings()

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

    _run(settings, work)


@app.command("demo-sale")
def demo_sale(
    send: Annotated[bool, typer.Option("--send", help="Send it and show the answer.")] = False,
    url: Annotated[
        str | None, typer.Option(help="The service; default: the one `huike run` started.")
    ] = None,
) -> None:
    """Print a signed sale of the demo chain as a curl command, or send it."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import CannotStartError, running_address
        from app.demo.load import showcase_sale
        from app.demo.till import signed_request

        base = (url or running_address(settings.data_dir) or _base_url(settings)).rstrip("/")
        async with _database(settings) as database:
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

    _run(settings, work)


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
    from app.demo.load import load_demo, showcase_sale

    wanted = _from_environment(DEMO_PASSWORD_VARIABLE)
    password = kept_secret(
        settings.data_dir / "demo-password", lambda: wanted or secrets.token_urlsafe(12)
    )
    async with _opened(addresses, settings) as database:
        today = clock.today(settings.zone)
        summary = await load_demo(database, settings, today, password)
        try:
            return password, summary, await showcase_sale(database)
        except LookupError:
            return password, summary, None


async def _welcome(settings: "Settings", addresses: "Addresses", base_url: str) -> str:
    from app.demo.welcome import welcome, welcome_without_demo

    password, _, sale = await _load_demo(settings, addresses)
    if sale is None:
        return welcome_without_demo(base_url)
    wanted = _from_environment(DEMO_PASSWORD_VARIABLE)
    note = f"  ({DEMO_PASSWORD_VARIABLE} counts only when the chain is loaded.)"
    return welcome(base_url, password, sale, note if wanted not in (None, password) else "")


# --- Upkeep -----------------------------------------------------------------------------------


@app.command()
def migrate() -> None:
    """Bring the tables to what this version needs, as the owner role."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import database_addresses, migrate_if_needed, revisions

        async with database_addresses(settings) as addresses:
            done = await migrate_if_needed(addresses, settings)
        print(f"{'Migrated to' if done else 'Already at'} revision {revisions()[-1]}.")

    _run(settings, work)


@app.command()
def nightly(
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day; default: the newest night due."),
    ] = None,
) -> None:
    """Run the night for a day, now; running it again changes nothing."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core import clock
        from app.core.runtime import prepared_database
        from app.jobs.nightly import newest_due_night, run_night

        day = as_of.date() if as_of else newest_due_night(clock.now(), settings.zone)
        if day > clock.today(settings.zone):
            # Figures of a day ahead would miss what is still bought until then.
            raise typer.BadParameter(f"{day} lies ahead; a night is for today or an earlier day")
        async with prepared_database(settings) as addresses:
            reports = await run_night(addresses.service, settings, day)
        print(f"Night of {day}:")
        for report in reports:
            counts = ", ".join(f"{name} {count}" for name, count in report.counts.items())
            print(f"  {report.step:<14}{report.duration_ms:>8} ms   {counts}")

    _run(settings, work)


@app.command("rebuild-stats")
def rebuild_stats(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; exit code 1 if anything differs.")
    ] = False,
) -> None:
    """Aggregate the statistics of all customers anew from their receipts and contacts."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core import clock
        from app.jobs.upkeep import rebuild_statistics
        from app.services import statistics

        today = clock.today(settings.zone)
        async with _database(settings) as database:
            if check:
                async with database.transaction() as session:
                    counts = await statistics.check(session, today)
            else:
                counts = await rebuild_statistics(database, today)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))
        if check and counts["different"]:
            raise typer.Exit(1)

    _run(settings, work)


@app.command("rebuild-search")
def rebuild_search() -> None:
    """Make what customers are found by anew from their cards, 1,000 cards at a time."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.jobs.upkeep import build_search

        async with _database(settings) as database:
            counts = await build_search(database, anew=True)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))

    _run(settings, work)


@app.command("scan-duplicates")
def scan_for_duplicates(
    full: Annotated[
        bool, typer.Option("--full", help="Compare all cards again, not only changed ones.")
    ] = False,
) -> None:
    """Look for cards that may be one customer's, now, and put them on the work list."""
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.jobs.duplicates import mark_all_cards, scan_duplicates

        async with _database(settings) as database:
            if full:
                await mark_all_cards(database)
            counts = await scan_duplicates(database)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))

    _run(settings, work)


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="A CSV or XLSX file.")] = None,
    kind: Annotated[str, typer.Option(help="cards, purchases or interactions.")] = "purchases",
    source: Annotated[
        str | None, typer.Option(help="Of purchases: the code of their till or web shop.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="Columns that are not found: field=column,field=column.")
    ] = None,
    on_existing: Annotated[
        str | None, typer.Option(help="Of cards: skip, update or error for known customers.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run it without asking.")] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with this import.")] = None,
    undo: Annotated[str | None, typer.Option(help="Take back what this import wrote.")] = None,
    errors: Annotated[
        str | None, typer.Option(help="List what is the matter with this import's rows, as CSV.")
    ] = None,
) -> None:
    """Bring a file in: check it, show the preview, write it; or go on with one, or undo it."""
    if sum(given is not None for given in (file, resume, undo, errors)) != 1:
        raise typer.BadParameter("name a file, or --resume ID, or --undo ID, or --errors ID")
    if file is not None and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    settings = _settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import CannotStartError
        from app.jobs import import_command as command

        def confirm() -> bool:
            return yes or typer.confirm("Run it?")

        try:
            async with _database(settings) as database:
                if errors is not None:
                    await command.list_errors(database, command.read_id(errors))
                elif undo is not None:
                    await command.undo(database, settings, command.read_id(undo))
                elif resume is not None:
                    await command.resume(
                        database, settings, command.read_id(resume), confirm=confirm
                    )
                else:
                    assert file is not None
                    body = {
                        "kind": kind,
                        "source": source,
                        "on_existing": on_existing,
                        "mapping": command.read_mapping(mapping),
                    }
                    await command.import_file(database, settings, file, body, confirm=confirm)
        except command.ImportCommandError as error:
            raise CannotStartError(str(error)) from error

    _run(settings, work)


@app.command("create-admin")
def create_admin(
    username: str,
    display_name: Annotated[str | None, typer.Option(help="Default: the user name.")] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a password and print it.")
    ] = False,
) -> None:
    """Create an administrator; the password comes from HUIKE_ADMIN_PASSWORD or is asked for."""
    import secrets

    settings = _settings()
    if generate:
        password = secrets.token_urlsafe(18)
    else:
        password = os.environ.get(ADMIN_PASSWORD_VARIABLE) or typer.prompt(
            "Password", hide_input=True, confirmation_prompt=True
        )
    body = _administrator(username, display_name or username, password)

    async def work(_signals: "StopSignals") -> None:
        from app.core.security import hash_password
        from app.services import staff

        password_hash = await hash_password(password)
        async with _database(settings) as database, database.transaction() as session:
            await staff.create_admin(session, body, password_hash)
        print(f"Created administrator {body.username}.")
        if generate:
            print(f"Password: {password}")

    _run(settings, work)


def _administrator(username: str, display_name: str, password: str) -> "StaffCreate":
    """Check an administrator as the API would; what is wrong is said, and ends the command."""
    from pydantic import ValidationError

    from app.schemas.staff import StaffCreate
    from app.web.findings import field_errors

    try:
        return StaffCreate.model_validate(
            {
                "username": username,
                "display_name": display_name,
                "role": "admin",
                "password": password,
            }
        )
    except ValidationError as error:
        for found in field_errors(error.errors(include_input=False, include_url=False)):
            name = found.pointer.removeprefix("/").replace("_", " ")
            print(f"huike: {name}: {found.detail}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
) -> None:
    """Print the OpenAPI document, the same on every machine."""
    import json

    from app.core.config import Settings
    from app.core.database import Database
    from app.main import create_app

    # The defaults, whatever the environment says; nothing connects.
    settings = Settings.model_construct()
    document = create_app(settings, Database("postgresql+asyncpg://", settings)).openapi()
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


# --- What the commands share ------------------------------------------------------------------


def _settings(*, host: str | None = None, port: int | None = None) -> "Settings":
    """Read the settings; what the command line says wins."""
    from pydantic import ValidationError

    from app.core.config import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"huike: HUIKE_{name}: {problem['msg']}", file=sys.stderr)
        raise typer.Exit(1) from None
    given = {"host": host, "port": port}
    return settings.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )


def _run(settings: "Settings", work: Callable[["StopSignals"], Awaitable[None]]) -> None:
    """Run a command's work on uvloop; end with a sentence and exit code 1 where one will do."""
    import uvloop

    from app.core.config import UnsafeSettingsError
    from app.core.embedded_postgres import EmbeddedPostgresError
    from app.core.errors import HuikeError
    from app.core.logging import configure_logging
    from app.core.runtime import CannotStartError, until_signalled

    configure_logging(settings.log_format, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_signalled(work))
    except (
        CannotStartError, EmbeddedPostgresError, HuikeError, OSError, UnsafeSettingsError
    ) as error:  # fmt: skip
        print(f"huike: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


@asynccontextmanager
async def _database(settings: "Settings") -> AsyncIterator["Database"]:
    """Open the configured database, its tables being what the code expects.

    Raises:
        CannotStartError: there is no embedded database in the data folder: made here, an empty
            one would only hide that this is the wrong folder.
    """
    from app.core.runtime import CannotStartError, prepared_database

    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        raise CannotStartError(
            f"There is no database in {settings.data_dir.absolute()}. Call this where `huike run` "
            "was called, name the folder with HUIKE_DATA_DIR, set HUIKE_DATABASE_URL, or make one "
            "here with `huike migrate`."
        )
    async with prepared_database(settings) as addresses, _opened(addresses, settings) as database:
        yield database


@asynccontextmanager
async def _opened(addresses: "Addresses", settings: "Settings") -> AsyncIterator["Database"]:
    """Open the database for work that may take minutes."""
    from app.core.database import Database

    database = Database(addresses.service, settings, statement_timeout_seconds=15 * 60)
    try:
        yield database
    finally:
        await database.close()


def _from_environment(name: str) -> str | None:
    """Read a variable that is no setting of the service, from the places where settings are."""
    from dotenv import dotenv_values

    return os.environ.get(name) or dotenv_values(".env").get(name) or None


def _base_url(settings: "Settings") -> str:
    return f"http://{settings.host}:{settings.port}"


if __name__ == "__main__":
    main()
