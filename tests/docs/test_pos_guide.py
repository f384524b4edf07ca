"""The guide for tills says what really happens: its events are sent, its programs are run."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.core import clock
from app.rules.purchases import Fault
from app.schemas.pos_events import RefundEvent, SaleEvent, VoidEvent
from app.vocabulary import EventStatus
from tests.docs.reading import POS_GUIDE, named_blocks
from tests.support.world import World, signed

BLOCKS = named_blocks(POS_GUIDE)
TEXT = POS_GUIDE.read_text(encoding="utf-8")
SENT = [name.removeprefix("send: ") for name in BLOCKS if name.startswith("send: ")]
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Those the guide shows no answer of: what they are answered otherwise.
WITHOUT_ANSWER = {"refund-of-the-rest": (200, "applied")}


@pytest.fixture(autouse=True)
def _the_day_of_the_guide() -> Iterator[None]:
    # Before the world is built: its tokens are to be valid on that day.
    evening = datetime(2026, 11, 21, 10, 40, tzinfo=UTC)
    with clock.using(clock.FixedClock(evening), everywhere=True):
        yield


async def send_everything(client: httpx.AsyncClient, world: World) -> dict[str, httpx.Response]:
    """Send the guide's events in their order, each as it stands there; return the answers."""
    made = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={
            "kind": "individual",
            "name": "顾念书",
            "gender": "female",
            "identities": [{"kind": "member_number", "value": "HK000888"}],
        },
    )
    assert made.status_code == 201, made.text
    answers = {}
    for name in SENT:
        body = BLOCKS[f"send: {name}"].encode()
        message_id = json.loads(body).get("event_id", "a-batch")
        batch = "/batch" if name == "batch" else ""
        answers[name] = await client.post(
            f"/v1/pos/till-1/events{batch}",
            content=body,
            headers=signed(world.secrets["till-1"], message_id, body),
        )
    return answers


def without_ids(text: str) -> Any:
    """Return a JSON text's value, every UUID replaced by one word."""
    return json.loads(_UUID.sub("an id", text))


async def test_every_event_of_the_guide_is_answered_as_the_guide_says(
    client: httpx.AsyncClient, world: World
) -> None:
    answers = await send_everything(client, world)

    assert len(answers) == 8
    for name, answer in answers.items():
        assert answer.status_code < 300, (name, answer.text)
        if name in WITHOUT_ANSWER:
            assert (answer.status_code, answer.json()["status"]) == WITHOUT_ANSWER[name]
        else:
            assert without_ids(answer.text) == without_ids(BLOCKS[f"answer: {name}"]), name
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "sale": 200, "refund-by-line": 200, "refund-of-the-rest": 200, "void": 200,
        "awaiting-customer": 202, "parked": 202, "held": 202, "batch": 200,
    }  # fmt: skip


async def test_every_event_of_the_guide_sent_again_gets_its_first_answer(
    client: httpx.AsyncClient, world: World
) -> None:
    first = await send_everything(client, world)
    for name in SENT:
        body = BLOCKS[f"send: {name}"].encode()
        # Spaced and ordered otherwise, and still the same event.
        again = json.dumps(json.loads(body), sort_keys=True).encode()
        message_id = json.loads(body).get("event_id", "another-batch")
        answer = await client.post(
            f"/v1/pos/till-1/events{'/batch' if name == 'batch' else ''}",
            content=again,
            headers=signed(world.secrets["till-1"], message_id, again),
        )
        assert (answer.status_code, answer.json()) == (first[name].status_code, first[name].json())


def test_the_signature_worked_by_hand_is_that_of_the_scheme() -> None:
    secret, body = BLOCKS["signing: secret"], BLOCKS["signing: body"]
    header = BLOCKS["signing: header"]
    when = datetime.fromtimestamp(1795257240, UTC)
    assert header == Webhook(secret).sign("till-1-0043", when, body)
    assert BLOCKS["signing: message"] == f"till-1-0043.1795257240.{body}"
    headers = signed(secret, "till-1-0043", body.encode(), timestamp=1795257240)
    assert headers["webhook-signature"] == header


def test_the_digest_worked_by_hand_is_the_header_in_hex() -> None:
    import base64

    encoded = BLOCKS["signing: header"].removeprefix("v1,")
    assert base64.b64decode(encoded).hex() == BLOCKS["signing: digest"]


@pytest.mark.parametrize("language", ["python", "javascript", "shell"])
def test_the_programs_of_the_guide_sign_as_it_is_worked_by_hand(
    language: str, tmp_path: Path
) -> None:
    node = Path(sys.executable).with_name("node")
    program, name = {
        "python": (sys.executable, "sign.py"),
        "javascript": (str(node), "sign.cjs"),
        "shell": ("bash", "sign.sh"),
    }[language]
    script = tmp_path / name
    script.write_text(BLOCKS[f"signing: {language}"] + "\n", encoding="utf-8")

    finished = subprocess.run(
        [program, str(script)], capture_output=True, text=True, timeout=30, check=False
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == BLOCKS["signing: header"] + "\n"


@pytest.mark.parametrize("schema", [SaleEvent, RefundEvent, VoidEvent])
def test_every_member_of_an_event_is_in_the_guide(
    schema: type[SaleEvent | RefundEvent | VoidEvent],
) -> None:
    document = schema.model_json_schema()
    members = {
        name
        for part in [document, *document.get("$defs", {}).values()]
        for name in part.get("properties", {})
    }
    assert len(members) >= 5
    assert {name for name in members if f"`{name}`" not in TEXT} == set()


def test_every_fault_and_every_state_is_in_the_guide() -> None:
    named = {f"`{fault}`" for fault in Fault} | {f"`{status}`" for status in EventStatus}
    assert {name for name in named if name not in TEXT} == set()
