"""Make the table of settings in docs/guides/operations.md from the settings themselves.

    python tools/settings_table.py            print it
    python tools/settings_table.py --write    put it into the guide

A test compares the guide with what this makes.
"""

import sys
from pathlib import Path
from typing import Final

from app.core.config import Settings

GUIDE: Final = Path(__file__).resolve().parents[1] / "docs" / "guides" / "operations.md"
BEGIN: Final = "<!-- settings: begin (tools/settings_table.py --write) -->"
END: Final = "<!-- settings: end -->"

# What the settings do not say of themselves. A new one without a description has to stand here.
MEANINGS: Final = {
    "host": "The address to listen on.",
    "port": "The port; 0 takes a free one.",
    "log_format": "`json` (one object a line) or `console` (for people); always to standard error.",
    "log_level": "DEBUG, INFO, WARNING or ERROR.",
    "pool_size": "Database connections that are kept open.",
    "pool_overflow": "Connections beyond these when there is much to do.",
    "pool_timeout_seconds": "How long a request waits for a connection before it is answered 503.",
    "statement_timeout_seconds": "How long PostgreSQL works on one statement of a request.",
    "request_deadline_seconds": "How long a request may take in all.",
    "batch_deadline_seconds": "The same for a batch of till events.",
    "export_deadline_seconds": "The same for a list that is written to a file.",
    "export_limit_rows": "The most rows of a list that is written to a file.",
    "graceful_stop_seconds": "How long requests and jobs may go on after SIGTERM.",
    "body_limit_bytes": "The largest body of most operations.",
    "event_limit_bytes": "The largest single till event.",
    "batch_limit_bytes": "The largest batch of till events, or of interactions.",
    "batch_limit_events": "The most events in a batch.",
    "webhook_tolerance_seconds": "How far a till's clock may be off.",
    "token_idle_minutes": "A token ends when it was not used for so long.",
    "token_absolute_minutes": "A token ends so long after signing in, in any case.",
    "sign_in_window_seconds": "The window in which failed attempts to sign in are counted.",
    "idempotency_keep_hours": "How long an answer is kept to be given again.",
}
# Defaults that stand for something else than their text.
SHOWN_AS: Final = {"secret_key": "one that is good on loopback only"}


def table() -> str:
    """Return the table in Markdown: a row for each setting, in the order of the settings.

    Raises:
        KeyError: a setting says nothing of itself, and nothing is said of it here.
    """
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if isinstance(default, tuple):
            default = ",".join(default)
        shown = SHOWN_AS.get(name) or ("" if default in (None, "") else f"`{default}`")
        meaning = field.description or MEANINGS[name]
        rows.append(f"| `HUIKE_{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)


def with_table(guide: str) -> str:
    """Return the guide's text with the table between its two marks."""
    before, _, rest = guide.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Print the table, or write it."""
    if "--write" in sys.argv[1:]:
        GUIDE.write_text(with_table(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
