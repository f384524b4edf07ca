"""The ``huike`` command.

What a command needs is imported when it runs: the framework, the migrations and the demo chain
take longer to load than most commands take to do their work.
"""

import typer

from app.cli import administration, demo, importing, serving, upkeep

app = typer.Typer(
    name="huike",
    help="Huike (惠客): customer cards, purchases and tiers of a retail chain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In the order in which the help lists them.
for part in (serving, demo, upkeep, importing, administration):
    app.add_typer(part.commands)


def main() -> None:
    """Run the command line; what can be said in a sentence ends with exit code 1."""
    app()
