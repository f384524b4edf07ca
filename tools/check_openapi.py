"""Compare docs/openapi.json with what the code says, or write it anew with ``--write``."""

import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
SHOWN_LINES = 60


def current_document() -> str:
    """Return the document as ``huike openapi`` prints it, ending in one newline."""
    command = [str(Path(sys.executable).parent / "huike"), "openapi"]
    finished = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return finished.stdout.rstrip("\n") + "\n"


def main() -> int:
    """Return 0 when the committed document is current, else show the difference and return 1."""
    try:
        current = current_document()
    except subprocess.CalledProcessError as failure:
        print(failure.stderr, file=sys.stderr)
        return 1
    if "--write" in sys.argv[1:]:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(current, encoding="utf-8")
        print(f"openapi: wrote {DOCUMENT.relative_to(ROOT)}")
        return 0
    if not DOCUMENT.exists():
        print("openapi: docs/openapi.json is missing; run: make openapi", file=sys.stderr)
        return 1
    committed = DOCUMENT.read_text(encoding="utf-8")
    if committed == current:
        print("openapi: docs/openapi.json is current")
        return 0
    difference = list(
        difflib.unified_diff(
            committed.splitlines(),
            current.splitlines(),
            "docs/openapi.json",
            "the code",
            lineterm="",
        )
    )
    print("\n".join(difference[:SHOWN_LINES]))
    if len(difference) > SHOWN_LINES:
        print(f"… and {len(difference) - SHOWN_LINES} lines more")
    print("openapi: docs/openapi.json is out of date; run: make openapi", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
