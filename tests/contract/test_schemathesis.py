"""Schemathesis against a running service: whatever it sends, the document said what comes back."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from tests.support.events import sale
from tests.support.service import PASSWORD, RunningService
from tests.support.world import signed

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# A minute is usual with the machine to oneself; this is for the slow and the busy.
MAXIMUM_SECONDS = 540
SHOWN_CHARACTERS = 12_000
ORGANIZATION = "organization"
"""In place of an example's id: no example names an organization's card."""
ANOTHER = "another"
"""Likewise: a card that no other operation has to do with."""


def objects_of_the_examples(service: RunningService) -> dict[str, str]:
    """Make what the small world lacks; return real ids by those in the document's examples."""
    world = service.world
    with httpx.Client(base_url=service.url) as client:

        def made(path: str, **body: Any) -> dict[str, Any]:
            answer = client.post(path, headers=world.headers("admin"), json=body)
            assert answer.status_code == 201, answer.text
            document: dict[str, Any] = answer.json()
            return document

        def read(path: str) -> dict[str, Any]:
            answer = client.get(path, headers=world.headers("admin"))
            assert answer.status_code == 200, answer.text
            document: dict[str, Any] = answer.json()
            return document

        # Found by the phone of the examples.
        made(
            "/v1/customers",
            kind="individual", name="李小红",
            identities=[{"kind": "phone", "value": "13800138000"}],
        )  # fmt: skip
        held = sale(store="S02", event_id="till-s01-1-20261121-0040")
        body = json.dumps(held).encode()
        answer = client.post(
            "/v1/pos/till-1/events",
            content=body,
            headers=signed(world.secrets["till-1"], held["event_id"], body),
        )
        assert (answer.status_code, answer.json()["status"]) == (202, "held")
        machine = made("/v1/api-clients", name="网页", scopes=["customers:read"])
        source, colleague = world.sources["till-2"], world.staff["marketing"]
        card = read(f"/v1/customers/{service.customer_id}")
        receipts = read(f"/v1/customers/{service.customer_id}/purchases")["items"]
        absence = {"starts_on": "2026-12-01", "ends_on": "2026-12-01", "reason": "leave"}
        contact = {"channel": "phone", "direction": "inbound", "subject": "询问教辅到货"}
        survivor, loser, *others = (
            made("/v1/customers", kind="individual", name=name)["id"] for name in "甲乙丙丁"
        )
        cards = {"surviving_id": survivor, "loser_ids": [loser], "choices": {"name": loser}}
        answer = client.post("/v1/merges/plan", headers=world.headers("admin"), json=cards)
        assert answer.status_code == 200, answer.text
        to_merge = answer.json()["fingerprint"]
        cards = {"surviving_id": others[0], "loser_ids": [others[1]]}
        answer = client.post("/v1/merges/plan", headers=world.headers("admin"), json=cards)
        merged = made("/v1/merges", **cards, fingerprint=answer.json()["fingerprint"])
        product = made("/v1/products", sku="BK-1", title="江南小巷的清晨", category="文学")
        school = made("/v1/customers", kind="organization", name="第三中学")
        followed = client.get(
            "/v1/reports/tier-distribution", headers=world.headers("admin", Prefer="respond-async")
        )
        assert followed.status_code == 202, followed.text
        person = client.post(
            f"/v1/customers/{school['id']}/contacts",
            headers=world.headers("admin", If_Match='"v1"'),
            json={"name": "陈老师"},
        ).json()
        field = made(
            "/v1/custom-fields",
            kind="individual", code="school", label_en="School", label_zh="学校", type="text",
        )  # fmt: skip

        def policy(scope: str, *moves: tuple[str, dict[str, Any] | None]) -> str:
            made_policy = made("/v1/tier-policies", scope=scope, name="三级", preset="bookshop")
            for move, body in moves:
                answer = client.post(
                    f"/v1/tier-policies/{made_policy['id']}/{move}",
                    headers=world.headers("admin", If_Match='"v1"'),
                    json=body,
                )
                assert answer.is_success, answer.text
            return str(made_policy["id"])

        soon = (clock.today(Settings(_env_file=None).zone) + timedelta(days=30)).isoformat()
        waiting = policy("organization", ("simulate", None), ("publish", {"effective_on": soon}))
        return {
            "0193a1c2-d3e4-7f00-8000-00000000e001": policy("individual"),
            "0193a1c2-d3e4-7f00-8000-00000000e002": policy("individual"),
            "0193a1c2-d3e4-7f00-8000-00000000e003": policy("individual", ("simulate", None)),
            "0193a1c2-d3e4-7f00-8000-00000000e004": waiting,
            **service.held,
            ORGANIZATION: school["id"],
            ANOTHER: made("/v1/customers", kind="individual", name="戊")["id"],
            "0193a1c2-d3e4-7f00-8000-00000000c004": person["id"],
            "0193a1c2-d3e4-7f00-8000-000000000009": field["id"],
            "0193a1c2-d3e4-7f00-8000-00000000c001": card["id"],
            "0193a1c2-d3e4-7f00-8000-00000000c002": card["identities"][0]["id"],
            # It has bought just now: its erasure is deferred, and can be cancelled and asked for.
            "0193a1c2-d3e4-7f00-8000-00000000c003": made(f"/v1/customers/{card['id']}/erasures")[
                "id"
            ],
            "0193a1c2-d3e4-7f00-8000-00000000b001": receipts[0]["id"],
            "0193a1c2-d3e4-7f00-8000-00000000c00b": survivor,
            "0193a1c2-d3e4-7f00-8000-00000000c009": loser,
            "0193a1c2-d3e4-7f00-8000-00000000c00a": merged["id"],
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": to_merge,
            "0193a1c2-d3e4-7f00-8000-00000000d001": made(
                f"/v1/customers/{card['id']}/interactions", **contact, next_step="到货后电话通知"
            )["id"],
            "0193a1c2-d3e4-7f00-8000-00000000d002": made("/v1/interactions", **contact)["id"],
            "0193a1c2-d3e4-7f00-8000-00000000d003": made("/v1/interactions", **contact)["id"],
            "0193a1c2-d3e4-7f00-8000-000000000001": str(world.stores["S01"]),
            "0193a1c2-d3e4-7f00-8000-000000000002": str(colleague),
            "0193a1c2-d3e4-7f00-8000-000000000003": made(
                f"/v1/staff/{colleague}/absences", **absence
            )["id"],
            "0193a1c2-d3e4-7f00-8000-000000000004": str(source),
            "0193a1c2-d3e4-7f00-8000-000000000005": read(f"/v1/sources/{source}")["secrets"][0][
                "id"
            ],
            "0193a1c2-d3e4-7f00-8000-000000000006": product["id"],
            "0193a1c2-d3e4-7f00-8000-00000000001d": followed.json()["id"],
            "0193a1c2-d3e4-7f00-8000-000000000007": machine["id"],
            "0193a1c2-d3e4-7f00-8000-000000000008": made(f"/v1/api-clients/{machine['id']}/keys")[
                "id"
            ],
        }


def operations_of(service: RunningService) -> set[str]:
    """Return the operations of the document, as Schemathesis calls them."""
    document = httpx.get(f"{service.url}/openapi.json").json()
    return {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete"}
    }


def answered(report: Path) -> dict[str, Counter[int]]:
    """Return how often each operation gave each status, by what the run noted."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for line in report.read_text(encoding="utf-8").splitlines():
        for label, interaction in _interactions(json.loads(line)):
            asked, answer = interaction["request"]["method"], interaction.get("response")
            # Methods that an operation lacks are tried under its name.
            if answer and label.startswith((f"{asked} ", "Stateful")):
                counts[label][answer["status_code"]] += 1
    return counts


def _interactions(event: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(event, dict):
        if isinstance(event.get("interactions"), dict):
            for interaction in event["interactions"].values():
                yield event["label"], interaction
        else:
            for part in event.values():
                yield from _interactions(part)


@pytest.mark.slow
@pytest.mark.timeout(MAXIMUM_SECONDS + 60)
def test_no_input_gets_an_answer_that_the_document_does_not_promise(
    service: RunningService, tmp_path: Path
) -> None:
    world, report = service.world, tmp_path / "events.ndjson"
    real = objects_of_the_examples(service)
    organization_id, another_id = real.pop(ORGANIZATION), real.pop(ANOTHER)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "HUIKE_FUZZ_TOKEN": world.tokens["admin"],
        "HUIKE_FUZZ_SPARE_TOKEN": world.tokens["auditor"],
        "HUIKE_FUZZ_WORLD": json.dumps(
            {
                "url": service.url,
                "instead": {
                    **real,
                    "till-s01-1": "till-1",
                    "vier-Reiher-am-Teich": PASSWORD,
                },
                "organization_id": organization_id,
                "another_id": another_id,
                "till": "till-1",
                "secret": world.secrets["till-1"],
                "source_id": str(world.sources["till-1"]),
                "other_source_id": str(world.sources["till-2"]),
                "staff_id": str(world.staff["admin"]),
                "other_staff_id": str(world.staff["marketing"]),
            }
        ),
    }
    run = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli",
            "--config-file", HERE / "schemathesis.toml",
            "run", f"{service.url}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful",
            "--seed", "20261121",
            "--report", "ndjson", "--report-ndjson-path", report,
        ],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=MAXIMUM_SECONDS,
        check=False,
    )  # fmt: skip
    said = (run.stdout + run.stderr)[-SHOWN_CHARACTERS:]
    assert run.returncode == 0, said
    operations = operations_of(service)
    assert f"Selected: {len(operations)}/{len(operations)}" in said, said
    assert f"Tested: {len(operations)}" in said, said
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in said, said

    # It proves something only where requests got through: every operation did its work at times.
    counts = answered(report)
    assert operations <= counts.keys()
    idle = {
        label
        for label, statuses in counts.items()
        if not any(200 <= status < 300 for status in statuses)
    }
    assert idle == set()
    assert sum(statuses.total() for statuses in counts.values()) > 1_000
    assert not any(status >= 500 for statuses in counts.values() for status in statuses)
