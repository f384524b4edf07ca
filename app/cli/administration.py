"""Commands that make an administrator and print the OpenAPI document."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.shared import open_database, read_settings, run_work

if TYPE_CHECKING:
    from app.core.runtime import StopSignals
    from app.schemas.staff import StaffCreate

commands = typer.Typer()

ADMIN_PASSWORD_VARIABLE = "HUIKE_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable


@commands.command("create-admin")
def create_admin(
    username: str,
    display_name: Annotated[str | None, typer.Option(help="Default: the user name.")] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a password and print it.")
    ] = False,
) -> None:
    """Create an administrator; the password comes from HUIKE_ADMIN_PASSWORD or is asked for."""
    import secrets

    settings = read_settings()
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
        async with open_database(settings) as database, database.transaction() as session:
            await staff.create_admin(session, body, password_hash)
        print(f"Created administrator {body.username}.")
        if generate:
            print(f"Password: {password}")

    run_work(settings, work)


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


@commands.command()
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
