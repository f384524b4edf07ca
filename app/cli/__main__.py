"""``python -m app.cli`` is ``huike``."""

from app.cli import main

main()
