"""The ``huike`` command.

What a command needs is imported when it runs: the framework, the migrations and the demo chain
take longer to load than most commands take to do their work.
"""

from app.cli import serving, demo, upkeep, importing, administration  # noqa: F401, I001 - in the order of the help
from app.cli.shared import app as app


def main() -> None:
    """Run the command line; what can be said in a sentence ends with exit code 1."""
    app()
