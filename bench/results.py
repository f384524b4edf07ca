"""Where measurements are kept."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def keep(part: str, page: str) -> None:
    """Print a part's results, and write them to ``bench/results-<part>.md``."""
    head = f"""# Results of `python -m bench.{part}`

Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} processors \
({platform.machine()}), Python {platform.python_version()}, the embedded server with fsync.

"""
    Path(__file__).with_name(f"results-{part}.md").write_text(head + page, encoding="utf-8")
    print(page)
