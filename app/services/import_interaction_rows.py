"""Rows of a file of contacts: what each says, as an interaction keeps it."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from app.locale.written import AmbiguousDayError, read_day, read_minutes
from app.services.import_card_rows import taken
from app.services.import_values import (
    LATEST_YEAR,
    Faults,
    Findings,
    ImportContext,
    Instants,
    RowError,
    RowFaultsError,
    identity_value,
    is_nobody,
    is_totals,
    plain,
)
from app.services.interaction_checks import EARLIEST_DAY
from app.vocabulary import Channel, Direction, IdentityKind, InteractionOutcome

_WHO: Final = (
    ("member_number", IdentityKind.MEMBER_NUMBER),
    ("phone", IdentityKind.PHONE),
    ("email", IdentityKind.EMAIL),
    ("wechat", IdentityKind.WECHAT),
)
_CODES: Final = (("channel", Channel), ("direction", Direction), ("outcome", InteractionOutcome))
_MORE_WORDS: Final[Mapping[str, str]] = {
    "来电": "inbound", "呼入": "inbound", "客户来电": "inbound", "in": "inbound",
    "去电": "outbound", "呼出": "outbound", "外呼": "outbound", "out": "outbound",
    "电子邮件": "email", "邮件": "email", "邮箱": "email", "客服": "online_service",
    "门店": "in_store",
    "到访": "in_store", "拜访": "visit", "上门": "visit", "call": "phone",
    "跟进": "follow_up", "待跟进": "follow_up", "继续跟进": "follow_up", "follow up": "follow_up",
    "follow-up": "follow_up",
}  # fmt: skip


def _words(field: str) -> dict[str, str]:
    vocabulary = dict(_CODES)[field]
    words = {
        text.casefold(): str(code)
        for code in vocabulary
        for text in (str(code), code.label.en, code.label.zh)
    }
    return {**{w: c for w, c in _MORE_WORDS.items() if c in set(vocabulary)}, **words}


_WORDS: Final = {field: _words(field) for field, _ in _CODES}


class InteractionRows:
    """Takes rows in their order; holds what was the matter."""

    table: Final = "import_row"
    columns: Final = ("import_id", "row_number", "body")

    def __init__(self, context: ImportContext, mapping: Mapping[str, int], width: int) -> None:
        self.context = context
        self.mapping = mapping
        self.findings = Findings(mapping)
        self.width = width
        self.good = 0
        self._seen: set[int] = set()
        self._instants = Instants(context.zone, context.now)

    def take(self, rows: Sequence[list[str]], first_number: int) -> bytes:
        """Return what COPY takes of these rows; what is the matter is in ``findings``."""
        return taken(self, rows, first_number, self._body)

    def _cell(self, row: list[str], name: str) -> str:
        place = self.mapping.get(name)
        return "" if place is None else plain(row[place])

    def _body(self, number: int, row: list[str]) -> dict[str, Any] | None:
        if is_totals(row) and not self._cell(row, "occurred_at"):
            self.findings.add(number, "totals-row")
            return None
        faults = Faults()
        body: dict[str, Any] = {}
        with faults.noting():
            body["business_day"], body["occurred_at"] = self._instants.read(
                self._cell(row, "occurred_at"), self._cell(row, "time")
            )
            if body["business_day"] < EARLIEST_DAY.isoformat():
                raise RowError("bad-date", "occurred_at")
        self._add_codes(row, body, faults)
        self._add_texts(row, body, faults)
        with faults.noting():
            self._add_duration(row, body)
        with faults.noting():
            self._add_next_step(row, body)
        self._add_places(row, body, faults)
        with faults.noting():
            self._add_customer(row, body)
        if faults:
            raise RowFaultsError(faults)
        self._add_cost(body)
        for field, _ in _WHO:
            if self._cell(row, field) == "0":
                self.findings.add(number, "zero-for-none", field)
        if "who_kind" not in body:
            self.findings.add(number, "no-customer")
        return body

    def _add_codes(self, row: list[str], body: dict[str, Any], faults: Faults) -> None:
        for field, _ in _CODES:
            with faults.noting():
                if cell := self._cell(row, field).casefold():
                    if cell not in _WORDS[field]:
                        raise RowError("unknown-code", field)
                    body[field] = _WORDS[field][cell]
                elif field == "channel":
                    raise RowError("missing-value", "channel")
        body.setdefault("direction", str(Direction.INBOUND))

    def _add_next_step(self, row: list[str], body: dict[str, Any]) -> None:
        if cell := self._cell(row, "next_step_on"):
            try:
                next_day = read_day(cell.split(" ")[0])
            except AmbiguousDayError as error:
                raise RowError("ambiguous-date", "next_step_on") from error
            # What the API would not take could never be corrected by it.
            first = body.get("business_day", "")
            if next_day is None or next_day.isoformat() < first or next_day.year > LATEST_YEAR:
                raise RowError("bad-date", "next_step_on")
            if "next_step" not in body:
                raise RowError("missing-value", "next_step")
            body["next_step_on"] = next_day.isoformat()

    def _add_places(self, row: list[str], body: dict[str, Any], faults: Faults) -> None:
        for field, known, code in (
            ("store", self.context.stores, "unknown-store"),
            ("staff", self.context.staff, "unknown-staff"),
        ):
            with faults.noting():
                if cell := self._cell(row, field).casefold():
                    if cell not in known:
                        raise RowError(code, field)
                    body[f"{field}_id"] = str(known[cell])

    def _add_texts(self, row: list[str], body: dict[str, Any], faults: Faults) -> None:
        for field, limit in (("subject", 100), ("text", 2000), ("next_step", 100)):
            cell = self._cell(row, field)
            cell = "".join(c for c in cell if c >= " " or c in "\n\t").strip()
            with faults.noting():
                if len(cell) > limit:
                    raise RowError("too-long", field)
                if cell:
                    body[field] = cell
                elif field == "subject":
                    raise RowError("missing-value", "subject")

    def _add_duration(self, row: list[str], body: dict[str, Any]) -> None:
        if cell := self._cell(row, "duration_minutes"):
            minutes = read_minutes(cell)
            if minutes is None or not 0 <= minutes <= 24 * 60:
                raise RowError("bad-duration", "duration_minutes")
            body["duration_seconds"] = round(minutes * 60)

    def _add_cost(self, body: dict[str, Any]) -> None:
        minutes = Decimal(body.get("duration_seconds", 0)) / 60
        each, a_minute = self.context.costs.get(body["channel"], ("0", "0"))
        cost = Decimal(each) + Decimal(a_minute) * minutes
        body["cost"] = str(cost.quantize(Decimal("0.01"), ROUND_HALF_UP))

    def _add_customer(self, row: list[str], body: dict[str, Any]) -> None:
        for name, kind in _WHO:
            cell = self._cell(row, name)
            if is_nobody(cell):
                continue
            value = identity_value(kind, cell, self.context.phone_region, name)
            body |= {"who_kind": str(kind), "who_system": "", "who_value": value}
            return
