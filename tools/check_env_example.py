"""Check that .env.example names every setting of the service, with its default, and no other."""

import re
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from app.core.config import Settings

EXAMPLE = Path(__file__).resolve().parents[1] / ".env.example"
# Read by the demo loader, not by Settings.
ELSEWHERE = {"HUIKE_DEMO_PASSWORD"}
# Their example says more than their default, which is empty or secret.
WITHOUT_DEFAULT = {"HUIKE_DATABASE_URL", "HUIKE_DATABASE_OWNER_URL"}
WITHOUT_DEFAULT |= {"HUIKE_SECRET_KEY", "HUIKE_CORS_ORIGINS", "HUIKE_TRUSTED_PROXIES"}


def main() -> int:
    """Return 0 when the example and the settings agree, else name each difference."""
    settings = {f"HUIKE_{name.upper()}": field for name, field in Settings.model_fields.items()}
    shown = dict(re.findall(r"^# (HUIKE_[A-Z_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.MULTILINE))
    problems = [f"{name} is missing" for name in settings.keys() - shown.keys()]
    problems += [f"{name} is no setting" for name in shown.keys() - settings.keys() - ELSEWHERE]
    for name in settings.keys() & shown.keys() - WITHOUT_DEFAULT:
        default = settings[name].get_default(call_default_factory=False)
        written = ",".join(default) if isinstance(default, tuple) else str(default)
        if default is not PydanticUndefined and written != shown[name]:
            problems.append(f"{name} is shown as {shown[name]!r}, its default is {written!r}")
    for problem in sorted(problems):
        print(f".env.example: {problem}", file=sys.stderr)
    if not problems:
        print(f"settings: .env.example shows all {len(settings)} of them")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
