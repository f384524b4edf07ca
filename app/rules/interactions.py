"""Who may correct what was recorded of a contact, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from app.rules.access import Actor
from app.vocabulary import ActorKind, Permission

LATER_WITH = Permission.CUSTOMERS_MERGE
"""Who puts cards in order may put their history in order: at any time, within their stores."""


class Correction(Enum):
    """Whether somebody may correct an interaction, and why not."""

    ALLOWED = "allowed"
    NOT_THEIRS = "not-theirs"
    TOO_LATE = "too-late"


@dataclass(frozen=True, slots=True)
class Recorded:
    """By whom and when an interaction was recorded, and of which store it is."""

    by_kind: ActorKind
    by_id: UUID | None
    at: datetime
    store_id: UUID | None


def may_correct(actor: Actor, recorded: Recorded, now: datetime, window_hours: int) -> Correction:
    """Decide: its author until the window ends, that moment included; a leader at any time."""
    if actor.may(LATER_WITH) and actor.reaches_store(recorded.store_id):
        return Correction.ALLOWED
    if (actor.kind, actor.id) != (recorded.by_kind, recorded.by_id):
        return Correction.NOT_THEIRS
    if now - recorded.at > timedelta(hours=window_hours):
        return Correction.TOO_LATE
    return Correction.ALLOWED
