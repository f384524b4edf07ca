"""Look the locked packages up in an advisory source, and say so plainly when none answers.

pip-audit passes over a package that its source does not know, and with a source that cannot be
reached it knows none: it then reports no known vulnerabilities, having audited nothing. So each
source first has to find a vulnerability that is certainly there.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements-dev.lock",)  # the superset of the other two
SOURCES = ("pypi", "osv")
KNOWN_TO_BE_VULNERABLE = "jinja2==2.4.1"
# Advisories that do not concern us, each with the reason.
ACCEPTED: dict[str, str] = {}


def audited(source: str, requirements: Path, *options: str) -> list[dict[str, Any]] | None:
    """Return what pip-audit says of each package, None when it could not finish."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--vulnerability-service", source),
        *("--requirement", str(requirements), "--disable-pip", "--format", "json"),
        *("--progress-spinner", "off", "--timeout", "10", *options),
    ]
    try:
        finished = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )
        packages: list[dict[str, Any]] = json.loads(finished.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return packages


def answers(source: str) -> bool:
    """Say whether the source knows of a package that has been vulnerable for many years."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "requirements.txt"
        probe.write_text(KNOWN_TO_BE_VULNERABLE + "\n", encoding="utf-8")
        return any(package.get("vulns") for package in audited(source, probe, "--no-deps") or ())


def main() -> int:
    """Return 1 when a locked package has a known vulnerability, else 0."""
    source = next((source for source in SOURCES if answers(source)), None)
    if source is None:
        print("audit: not audited (no advisory source reachable)")
        return 0
    findings = 0
    for lock in LOCKS:
        packages = audited(source, ROOT / lock)
        if packages is None:
            print(f"audit: {lock} not audited ({source} stopped answering)")
            continue
        unknown = [package["name"] for package in packages if "skip_reason" in package]
        if unknown:
            print(f"audit: not audited, unknown to {source}: {', '.join(sorted(unknown))}")
        for package in packages:
            for advisory in package.get("vulns", ()):
                if {advisory["id"], *advisory["aliases"]} & ACCEPTED.keys():
                    continue
                findings += 1
                fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
                print(
                    f"audit: {package['name']} {package['version']}: {advisory['id']} "
                    f"(fixed in {fixed})",
                    file=sys.stderr,
                )
        print(f"audit: {len(packages) - len(unknown)} packages of {lock} looked up in {source}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
