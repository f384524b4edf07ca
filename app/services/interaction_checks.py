"""What a contact cannot be, whoever records or corrects it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.core import clock
from app.core.config import Settings
from app.core.errors import FieldError, ForbiddenError, HuikeError
from app.queries import interactions as queries
from app.rules.access import Actor
from app.services.customer_changes import card_merged, card_not_found
from app.services.survivors import card_erased
from app.vocabulary import CustomerStatus

EARLIEST_DAY: Final = date(1990, 1, 1)

Reference = tuple[str, UUID | None, UUID]
"""A field, the customer where what it names is the customer's own, and the id it names."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a contact's fields are checked against."""

    now: datetime
    known: frozenset[Reference] | set[Reference]


def reference_of(
    field: str, customer_id: UUID | None, values: Mapping[str, Any]
) -> Reference | None:
    """Return what a field of a contact names."""
    named = values.get(field)
    if named is None:
        return None
    return field, customer_id if field in {"contact_id", "purchase_id"} else None, named


REFERRING: Final = ("contact_id", "purchase_id", "staff_id", "store_id")


def references_of(customer_id: UUID | None, values: Mapping[str, Any]) -> Iterable[Reference]:
    """Return everything that the fields of a contact name."""
    found = (reference_of(field, customer_id, values) for field in REFERRING)
    return [one for one in found if one is not None]


async def known_references(connection: Any, wanted: Iterable[Reference]) -> set[Reference]:
    """Return which of these there are, in one statement however many they are."""
    by_field: dict[str, list[tuple[UUID | None, UUID]]] = {field: [] for field in REFERRING}
    for field, customer_id, named in set(wanted):
        by_field[field].append((customer_id, named))
    if not any(by_field.values()):
        return set()
    return await queries.known_references(
        connection,
        [(customer, named) for customer, named in by_field["contact_id"] if customer],
        [(customer, named) for customer, named in by_field["purchase_id"] if customer],
        [named for _, named in by_field["staff_id"]],
        [named for _, named in by_field["store_id"]],
    )


def findings(
    settings: Settings, facts: Facts, customer_id: UUID | None, values: Mapping[str, Any]
) -> list[FieldError]:
    """Return what is wrong with the fields of a contact; ``occurred_at`` is always among them."""
    found = list(_about_time(settings, facts.now, values))
    for reference in references_of(customer_id, values):
        if reference not in facts.known:
            field = reference[0]
            found.append(FieldError(f"/{field}", "unknown", *_UNKNOWN[field]))
    return found


_UNKNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "contact_id": ("The customer has no such contact person.", "该客户没有这位联系人。"),
    "purchase_id": ("The customer has no such receipt.", "该客户没有这张小票。"),
    "staff_id": ("There is no such member of staff.", "没有这位员工。"),
    "store_id": ("There is no such store.", "没有这家门店。"),
}


def _about_time(
    settings: Settings, now: datetime, values: Mapping[str, Any]
) -> Iterable[FieldError]:
    occurred_at = values["occurred_at"]
    day = clock.business_day(occurred_at, settings.zone)
    if occurred_at > now:
        yield FieldError(
            "/occurred_at", "in-the-future", "This moment is yet to come.", "该时刻尚未到来。"
        )
    elif day < EARLIEST_DAY:
        yield FieldError("/occurred_at", "too-early", "Not before 1990.", "不早于 1990 年。")
    step, step_on = values.get("next_step"), values.get("next_step_on")
    if step_on is not None and step is None:
        yield FieldError(
            "/next_step", "missing", "A day needs a step to be done by it.", "填写日期须写明事项。"
        )
    if step_on is not None and step_on < day:
        yield FieldError(
            "/next_step_on", "before-the-contact", "Before the contact itself.", "早于本次联系。"
        )


def check_contact_store(actor: Actor, store_id: UUID | None) -> None:
    """Let pass contacts of a shop that the actor reaches, and of none.

    Raises:
        ForbiddenError: the actor is bound to other stores.
    """
    if not actor.reaches_store(store_id):
        raise ForbiddenError(
            "You may record contacts of your own stores.", detail_zh="您只能登记所属门店的互动。"
        )


def refusal_of_card(card: Any) -> HuikeError | None:
    """Return why nothing can be recorded with a locked card (None: there is none), if so.

    Archived ones are spoken with too.
    """
    if card is None:
        return card_not_found()
    if card["status"] == CustomerStatus.MERGED:
        return card_merged(UUID(str(card["merged_into_id"])))
    if card["status"] == CustomerStatus.ERASED:
        return card_erased()
    return None


def default_store(actor: Actor) -> UUID | None:
    """Return the actor's only store, if they have one only."""
    stores: Sequence[UUID] = tuple(actor.store_ids or ())
    return stores[0] if len(stores) == 1 else None
