"""Events handed to the services directly, without a signature and a request around them."""

from typing import Any

from pydantic import TypeAdapter

from app.schemas.pos_events import TillEvent
from app.services.pos_intake import ReceivedEvent
from app.services.posting_run import SourceFacts
from app.vocabulary import ReceiptRule, SourceMode
from tests.support.world import World

_event: TypeAdapter[TillEvent] = TypeAdapter(TillEvent)
STORE_OF = {"till-1": "S01", "till-2": "S02"}


def till_facts(world: World, code: str = "till-1") -> SourceFacts:
    """Return what posting has to know of a till of the small chain."""
    store = STORE_OF[code]
    return SourceFacts(
        id=world.sources[code],
        code=code,
        store_id=world.stores[store],
        store_code=store,
        mode=SourceMode.LIVE,
        receipt_rule=ReceiptRule.EVER,
        currency="CNY",
    )


def read_event(body: dict[str, Any]) -> TillEvent:
    """Return an event as a router would have read it."""
    return _event.validate_python(body)


def received(world: World, body: dict[str, Any], code: str = "till-1") -> ReceivedEvent:
    """Return an event with its sender, as the intake takes it."""
    return ReceivedEvent(till_facts(world, code), body, read_event(body))
