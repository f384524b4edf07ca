"""What to tell somebody who has just started Huike."""

import contextlib
import shlex
import sys
from pathlib import Path

from app.demo.shops import STAFF
from app.demo.showcase import ShowcaseSale
from app.demo.till import signed_request


def welcome(base_url: str, password: str, sale: ShowcaseSale, note: str = "") -> str:
    """Return addresses, sign-ins, and two things to paste: a report and a signed sale."""
    request = signed_request(base_url, sale.source_code, sale.secret, sale.event)
    huike = _own_name()
    return f"""
Huike is ready.

{_addresses(base_url)}
  Tier distribution    {base_url}/v1/reports/tier-distribution

{sign_ins(password, note)}

Sign in, and read how the customers are distributed over the tiers:

TOKEN=$(curl -sS {base_url}/v1/auth/token -d username=manager \\
  --data-urlencode {shlex.quote(f"password={password}")} \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
curl -sS {base_url}/v1/reports/tier-distribution -H "Authorization: Bearer $TOKEN"

A signed sale at the till {sale.source_code}; the first of them lifts {sale.customer_name} from
ordinary to main. The signature holds for five minutes: `{huike} demo-sale` signs it anew, and
`{huike} demo-sale --send` sends it and shows the answer.

{request.curl()}

Ctrl-C stops everything; the data stays.
"""


def welcome_without_demo(base_url: str) -> str:
    """Return addresses alone, for a database that holds another chain."""
    return f"""
Huike is ready, on a database that holds another chain than the demo's.

{_addresses(base_url)}

Ctrl-C stops everything; the data stays.
"""


def sign_ins(password: str, note: str = "") -> str:
    """Return who of the demo's staff can sign in: one of each role, and their password."""
    names = [person.username for person in STAFF if not person.username[-1].isdigit()]
    return f"""Demo sign-ins: {", ".join(names)}
Password of them all: {password}{note}"""


def _own_name() -> str:
    """Return how this very program can be called again from the folder it was called in."""
    program = Path(sys.argv[0])
    if program.name != "huike":
        return "huike"
    with contextlib.suppress(ValueError):
        program = program.absolute().relative_to(Path.cwd())
    return shlex.quote(str(program))


def _addresses(base_url: str) -> str:
    return f"""  API documentation    {base_url}/docs   {base_url}/redoc
  Health, figures      {base_url}/health/ready   {base_url}/metrics"""
