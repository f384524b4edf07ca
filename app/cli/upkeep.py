"""Commands that bring tables and figures up to date."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.shared import open_database, read_settings, run_work

if TYPE_CHECKING:
    from app.core.runtime import StopSignals


commands = typer.Typer()


@commands.command()
def migrate() -> None:
    """Bring the tables to what this version needs, as the owner role."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import database_addresses, migrate_if_needed, revisions

        async with database_addresses(settings) as addresses:
            done = await migrate_if_needed(addresses, settings)
        print(f"{'Migrated to' if done else 'Already at'} revision {revisions()[-1]}.")

    run_work(settings, work)


@commands.command()
def nightly(
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day; default: the newest night due."),
    ] = None,
) -> None:
    """Run the night for a day, now; running it again changes nothing."""
    settings = read_settings()

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

    run_work(settings, work)


@commands.command("rebuild-stats")
def rebuild_stats(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; exit code 1 if anything differs.")
    ] = False,
) -> None:
    """Aggregate the statistics of all customers anew from their receipts and contacts."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core import clock
        from app.jobs.upkeep import rebuild_statistics
        from app.services import statistics

        today = clock.today(settings.zone)
        async with open_database(settings) as database:
            if check:
                async with database.transaction() as session:
                    counts = await statistics.check(session, today)
            else:
                counts = await rebuild_statistics(
                    database, today, at_once=min(2, settings.pool_size)
                )
        print(", ".join(f"{name} {count}" for name, count in counts.items()))
        if check and counts["different"]:
            raise typer.Exit(1)

    run_work(settings, work)


@commands.command("rebuild-search")
def rebuild_search() -> None:
    """Make what customers are found by anew from their cards, 1,000 cards at a time."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.jobs.upkeep import build_search

        async with open_database(settings) as database:
            counts = await build_search(database, anew=True)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))

    run_work(settings, work)


@commands.command("scan-duplicates")
def scan_for_duplicates(
    full: Annotated[
        bool, typer.Option("--full", help="Compare all cards again, not only changed ones.")
    ] = False,
) -> None:
    """Look for cards that may be one customer's, now, and put them on the work list."""
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.jobs.duplicates import mark_all_cards, scan_duplicates

        async with open_database(settings) as database:
            if full:
                await mark_all_cards(database)
            counts = await scan_duplicates(database)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))

    run_work(settings, work)
