"""The command that imports a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.shared import open_database, read_settings, run_work

if TYPE_CHECKING:
    from app.core.runtime import StopSignals


commands = typer.Typer()


@commands.command("import")
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
    settings = read_settings()

    async def work(_signals: "StopSignals") -> None:
        from app.core.runtime import CannotStartError
        from app.jobs import import_command as command

        def confirm() -> bool:
            return yes or typer.confirm("Run it?")

        try:
            async with open_database(settings) as database:
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

    run_work(settings, work)
