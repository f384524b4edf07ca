"""Rows of a file of cards: what each says, as a card keeps it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson

from app.integrations.files.tables import SWALLOWED
from app.locale.birthdays import lunar_day_is_after
from app.locale.names import tidy_name
from app.locale.written import AmbiguousDayError, read_birthday, read_day
from app.services.import_values import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    TOTALS,
    Faults,
    Findings,
    ImportContext,
    RowError,
    RowFaultsError,
    identity_value,
    is_blank,
    is_nobody,
    is_totals,
    plain,
)
from app.vocabulary import CustomerKind, Gender, IdentityKind, MaritalStatus

_IDENTITIES: Final = (
    ("phone", IdentityKind.PHONE),
    ("phone_2", IdentityKind.PHONE),
    ("email", IdentityKind.EMAIL),
    ("member_number", IdentityKind.MEMBER_NUMBER),
    ("wechat", IdentityKind.WECHAT),
)
_TEXTS: Final = {
    "occupation": 100, "employer": 100, "job_title": 100, "industry": 100, "region": 100,
    "address": 2000, "note": 2000,
}  # fmt: skip
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "kind": {
        "individual": CustomerKind.INDIVIDUAL, "person": CustomerKind.INDIVIDUAL,
        "个人": CustomerKind.INDIVIDUAL, "organization": CustomerKind.ORGANIZATION,
        "company": CustomerKind.ORGANIZATION, "团体": CustomerKind.ORGANIZATION,
        "单位": CustomerKind.ORGANIZATION, "公司": CustomerKind.ORGANIZATION,
        "企业": CustomerKind.ORGANIZATION, "机构": CustomerKind.ORGANIZATION,
    },
    "gender": {
        "男": Gender.MALE, "男性": Gender.MALE, "先生": Gender.MALE, "m": Gender.MALE,
        "male": Gender.MALE, "女": Gender.FEMALE, "女性": Gender.FEMALE, "女士": Gender.FEMALE,
        "小姐": Gender.FEMALE, "f": Gender.FEMALE, "female": Gender.FEMALE,
        "other": Gender.OTHER, "其他": Gender.OTHER,
    },
    "marital_status": {
        "未婚": MaritalStatus.SINGLE, "single": MaritalStatus.SINGLE, "否": MaritalStatus.SINGLE,
        "已婚": MaritalStatus.MARRIED, "married": MaritalStatus.MARRIED,
        "是": MaritalStatus.MARRIED, "其他": MaritalStatus.OTHER, "other": MaritalStatus.OTHER,
    },
}  # fmt: skip
_UNKNOWN = frozenset({"", "未知", "不详", "保密", "无", "unknown", "n/a", "-", "null"})
_SEPARATORS = re.compile(r"[,，、;；|/]+")
_FOR_PEOPLE = frozenset(
    {"gender", "birthday", "marital_status", "occupation", "employer", "job_title"}
)


class CardRows:
    """Takes rows in their order; holds which identities there were, and what was the matter."""

    table: Final = "import_row"
    columns: Final = ("import_id", "row_number", "body")

    def __init__(self, context: ImportContext, mapping: Mapping[str, int], width: int) -> None:
        self.context = context
        self.mapping = mapping
        self.findings = Findings(mapping)
        self.width = width
        self.good = 0
        self._today = context.now.astimezone(context.zone).date()
        self._seen: set[int] = set()
        self._identities: set[int] = set()

    def take(self, rows: Sequence[list[str]], first_number: int) -> bytes:
        """Return what COPY takes of these rows; what is the matter is in ``findings``."""
        return taken(self, rows, first_number, self._body)

    def _body(self, number: int, row: list[str]) -> dict[str, Any] | None:
        name = self._cell(row, "name").casefold()
        if name in TOTALS or (not name and is_totals(row)):
            self.findings.add(number, "totals-row")
            return None
        faults = Faults()
        identities = self._identities_of(row, faults)
        values = self._values_of(row, faults)
        if faults:
            raise RowFaultsError(faults)
        self._identities.update(hash(one[:2]) for one in identities)
        for field, _ in _IDENTITIES:
            if self._cell(row, field) == "0":
                self.findings.add(number, "zero-for-none", field)
        return {"values": values, "identities": identities}

    def _cell(self, row: list[str], name: str) -> str:
        place = self.mapping.get(name)
        return "" if place is None else plain(row[place])

    def _identities_of(self, row: list[str], faults: Faults) -> list[tuple[str, str, bool]]:
        found: list[tuple[str, str, bool]] = []
        kinds: set[IdentityKind] = set()
        for name, kind in _IDENTITIES:
            cell = self._cell(row, name)
            if is_nobody(cell):
                continue
            with faults.noting():
                value = identity_value(kind, cell, self.context.phone_region, name)
                if hash((str(kind), value)) in self._identities:
                    raise RowError("identity-repeated", name)
                if not any(kind == other and value == known for other, known, _ in found):
                    found.append((str(kind), value, kind not in kinds))
                    kinds.add(kind)
        return found

    def _values_of(self, row: list[str], faults: Faults) -> dict[str, Any]:
        name = tidy_name(self._cell(row, "name"))
        values: dict[str, Any] = {"name": name}
        with faults.noting():
            if not name:
                raise RowError("missing-value", "name")
            if len(name) > 100:
                raise RowError("too-long", "name")
            if "\ufffd" in name:
                raise RowError("unreadable-text", "name")
        self._add_words(row, values, faults)
        with faults.noting():
            self._add_registration(row, values)
        with faults.noting():
            self._add_birthday(row, values)
        with faults.noting():
            if store := self._cell(row, "store").casefold():
                if store not in self.context.stores:
                    raise RowError("unknown-store", "store")
                values["home_store_id"] = str(self.context.stores[store])
        if values.get("kind") == CustomerKind.ORGANIZATION:
            return {key: value for key, value in values.items() if key not in _FOR_PEOPLE}
        values.pop("industry", None)
        return values

    def _add_words(self, row: list[str], values: dict[str, Any], faults: Faults) -> None:
        for field, words in _WORDS.items():
            cell = self._cell(row, field).casefold()
            if cell not in _UNKNOWN:
                with faults.noting():
                    if cell not in words:
                        raise RowError("unknown-code", field)
                    values[field] = str(words[cell])
        for field, limit in _TEXTS.items():
            cell = self._cell(row, field)
            with faults.noting():
                if len(cell) > limit:
                    raise RowError("too-long", field)
                if cell := "".join(c for c in cell if c >= " " or c in "\n\t").strip():
                    values[field] = cell
        for field in ("tags", "interests"):
            words_of = [word.strip() for word in _SEPARATORS.split(self._cell(row, field))]
            with faults.noting():
                if any(len(word) > 50 for word in words_of) or len(words_of) > 50:
                    raise RowError("too-long", field)
                if any(words_of):
                    values[field] = list(dict.fromkeys(word for word in words_of if word))

    def _add_registration(self, row: list[str], values: dict[str, Any]) -> None:
        if cell := self._cell(row, "registered_on"):
            try:
                day = read_day(cell.split(" ")[0].split("T")[0])
            except AmbiguousDayError as error:
                raise RowError("ambiguous-date", "registered_on") from error
            if day is None or not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
                raise RowError("bad-date", "registered_on")
            if day > self._today:
                raise RowError("in-the-future", "registered_on")
            values["registered_on"] = day.isoformat()

    def _add_birthday(self, row: list[str], values: dict[str, Any]) -> None:
        cell = self._cell(row, "birthday")
        if cell.casefold() in _UNKNOWN:
            return
        try:
            birthday = read_birthday(cell)
        except AmbiguousDayError as error:
            raise RowError("ambiguous-date", "birthday") from error
        if birthday is None or (birthday[1] is not None and not 1850 <= birthday[1] <= 9990):
            raise RowError("bad-birthday", "birthday")
        is_lunar, year, month, day_of_month, is_leap = birthday
        if year is not None:
            lies_ahead = (
                lunar_day_is_after(year, month, day_of_month, self._today, is_leap_month=is_leap)
                if is_lunar
                else date(year, month, day_of_month) > self._today
            )
            if lies_ahead:
                raise RowError("in-the-future", "birthday")
        values["birthday"] = {
            "calendar": "lunar" if is_lunar else "solar",
            "year": year,
            "month": month,
            "day": day_of_month,
            "is_leap_month": is_leap,
        }


def taken(
    rows_of: Any,
    rows: Sequence[list[str]],
    first_number: int,
    body_of: Callable[[int, list[str]], dict[str, Any] | None],
) -> bytes:
    """Return staged rows in COPY's text format, one JSON document each."""
    lines: list[bytes] = []
    prefix = f"{rows_of.context.import_id}\t"
    for number, row in enumerate(rows, first_number):
        if is_blank(row):
            rows_of.findings.add(number, "blank")
            continue
        whole = hash("\x1f".join(row))
        if whole in rows_of._seen:
            rows_of.findings.add(number, "duplicate-row")
            continue
        rows_of._seen.add(whole)
        try:
            if row[-1] == SWALLOWED:
                raise RowError("stray-quotation-mark")
            if len(row) > rows_of.width and not is_blank(row[rows_of.width :]):
                raise RowError("too-many-cells")
            body = body_of(number, [*row, *[""] * (rows_of.width - len(row))])
        except RowError as error:
            rows_of.findings.refuse(number, [error])
            continue
        except RowFaultsError as error:
            rows_of.findings.refuse(number, error.faults)
            continue
        if body is not None:
            document = orjson.dumps(body).replace(b"\\", b"\\\\")
            lines.append(f"{prefix}{number}\t".encode() + document + b"\n")
    rows_of.good += len(lines)
    return b"".join(lines)
