"""Known cards of a file: what the rows say is written onto them, as versions with their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.queries import import_rows as queries
from app.vocabulary import CustomerKind, CustomerStatus

_FOREIGN: Final = {
    CustomerKind.INDIVIDUAL: {"industry"},
    CustomerKind.ORGANIZATION: {
        "gender", "birthday", "marital_status", "occupation", "employer", "job_title",
    },
}  # fmt: skip
_BIRTHDAY: Final = {
    "birthday_calendar": "calendar", "birth_year": "year", "birth_month": "month",
    "birth_day": "day", "birth_month_is_leap": "is_leap_month",
}  # fmt: skip
_NOT_CHANGED: Final = {"kind", "registered_on"}


@dataclass(slots=True)
class Changed:
    """Which cards were changed, which rows left theirs alone, what somebody had waited for."""

    cards: list[UUID] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    claimed: list[tuple[str, str, UUID]] = field(default_factory=list)


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says as the columns of a card, the absent ones empty."""
    columns = {name: values.get(name) for name in queries.CARD_COLUMNS if name != "id"}
    birthday = values.get("birthday")
    for column, part in _BIRTHDAY.items():
        columns[column] = birthday[part] if birthday else None
    columns["birth_month_is_leap"] = bool(birthday and birthday["is_leap_month"])
    columns["tags"], columns["interests"] = values.get("tags", []), values.get("interests", [])
    return columns


def _said(row: Any) -> dict[str, Any]:
    """Return a card's columns as JSON values, by the fields of its history."""
    said = {
        name: _json(row[name])
        for name in queries.CARD_COLUMNS
        if name not in _BIRTHDAY and name != "id"
    }
    said["birthday"] = (
        {part: row[column] for column, part in _BIRTHDAY.items()}
        if row["birthday_calendar"]
        else None
    )
    return said


def _json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if hasattr(value, "hex") and not isinstance(value, float) else value


async def change_cards(
    connection: Any,
    import_id: UUID,
    actor: tuple[str, UUID | None],
    known: Sequence[tuple[int, Mapping[str, Any], UUID]],
    now: datetime,
) -> Changed:
    """Write rows onto the cards they are of; a row that says nothing new leaves its card.

    Raises:
        RetryTransactionError: a card was merged, or an identity given to another one, meanwhile.
    """
    changed = Changed()
    if not known:
        return changed
    ids = [card for *_, card in known]
    cards = await queries.lock_cards(connection, ids)
    keys = [(kind, value) for _, body, _ in known for kind, value, _ in body["identities"]]
    owners = await queries.owners(connection, keys)
    kinds = await queries.kinds_of(connection, ids)
    rows, history, items, identities = [], [], [], []
    for number, body, card_id in known:
        card = cards.get(card_id)
        if card is not None and card["status"] == CustomerStatus.MERGED:
            # Its identities lead to another card by now.
            raise RetryTransactionError
        if card is None or card["status"] != CustomerStatus.ACTIVE:
            changed.left.append(number)
            continue
        before = _said(card)
        ignored = _FOREIGN[CustomerKind(card["kind"])] | _NOT_CHANGED
        new = {
            name: value
            for name, value in body["values"].items()
            if name not in ignored and before[name] != value
        }
        added = [
            {"customer_id": card_id, "id": new_id(), "kind": kind, "value": value,
             "is_primary": (card_id, kind) not in kinds}
            for kind, value, _ in body["identities"] if (kind, value) not in owners
        ]  # fmt: skip
        if not new and not added:
            changed.left.append(number)
            continue
        changes: dict[str, Any] = {name: [before[name], value] for name, value in new.items()}
        if added:
            changes["identities"] = [[], [in_history(one) for one in added]]
        rows.append({"id": card_id, **stored({**before, **new})})
        history.append(
            {"customer_id": card_id, "id": new_id(), "version": card["version"] + 1,
             "changes": changes}
        )  # fmt: skip
        undo = {"version": card["version"] + 1, "values": {name: before[name] for name in new},
                "identities": [[one["kind"], one["value"]] for one in added]}  # fmt: skip
        items.append(
            {"position": number, "object_id": card_id, "customer_id": card_id, "key": "changed",
             "before": undo}
        )  # fmt: skip
        identities += added
        changed.cards.append(card_id)
    await queries.change_cards(connection, now, rows)
    claimed = await queries.claim(connection, now, identities)
    if len(claimed) < len(identities):
        raise RetryTransactionError
    await queries.write_identities(connection, now, identities)
    await queries.write_history(connection, now, actor, history)
    await queries.write_items(connection, import_id, items)
    changed.claimed = [
        (row["kind"], row["value"], row["customer_id"]) for row in claimed if row["was_awaited"]
    ]
    return changed


def in_history(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity as it stands in a card's history."""
    return {
        "kind": identity["kind"],
        "system": None,
        "value": identity["value"],
        "label": None,
        "is_primary": identity["is_primary"],
    }


def restored(card: Any, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a card's columns with earlier values in them, and what that changes."""
    said = _said(card)
    changes = {name: [said[name], value] for name, value in values.items()}
    return {"id": card["id"], **stored({**said, **values})}, changes
