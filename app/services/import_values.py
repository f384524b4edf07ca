"""What rows of files share: cells turned into values once, and findings about rows."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.locale.names import fold_width
from app.locale.written import (
    AmbiguousDayError,
    WrittenInstant,
    is_scientific,
    read_instant,
    read_seconds,
)
from app.rules.import_findings import FINDINGS
from app.rules.spreadsheets import begins_like_a_formula
from app.services.identities import IdentityError, normalise
from app.vocabulary import IdentityKind, ReceiptRule

NULL: Final = "\\N"
"""Nothing, in the text that COPY reads."""
FINDINGS_KEPT: Final = 100_000
"""Rows that are listed with what is the matter; all are counted."""
EARLIEST_YEAR: Final = 1800
LATEST_YEAR: Final = 9990
_CACHE: Final = 200_000
_GAPS = re.compile(r"[\x00-\x20\x7f-\x9f\u3000]+")
_NOBODY = frozenset(
    {"散客", "非会员", "无", "匿名", "游客", "walk-in", "walkin", "guest", "none", "null", "nan",
     "n/a", "0", "-", "--"}
)  # fmt: skip
TOTALS = frozenset(
    {"合计", "总计", "小计", "合计:", "总计:", "本页合计", "total", "totals", "grand total", "sum"}
)
_COUNTED_ONLY = frozenset({"blank", "totals-row", "no-customer", "refund"})
_FOR_ERRORS: Final = FINDINGS_KEPT // 2
"""So many rows with errors find room, however many remarks there are on rows that are taken."""


class RowError(Exception):
    """A row can't be taken: the finding's code and the field."""

    def __init__(self, code: str, field_name: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.field_name = field_name


class Faults(list[RowError]):
    """All that is wrong with a row: each fault once."""

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Take what is raised inside to the others."""
        try:
            yield
        except RowError as error:
            if all((error.code, error.field_name) != (f.code, f.field_name) for f in self):
                self.append(error)


class RowFaultsError(Exception):
    """A row can't be taken, for several reasons perhaps."""

    def __init__(self, faults: Sequence[RowError]) -> None:
        super().__init__()
        self.faults = faults


@dataclass(frozen=True, slots=True)
class ImportContext:
    """What reading a file has to know of the chain."""

    import_id: UUID
    zone: ZoneInfo
    phone_region: str
    now: datetime
    stores: Mapping[str, UUID]
    """By folded code and name."""
    store_id: UUID | None = None
    receipt_rule: ReceiptRule = ReceiptRule.EVER
    staff: Mapping[str, UUID] = field(default_factory=dict)
    costs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    known: tuple[tuple[str, str, str], ...] = ()


class Findings:
    """Counts what is found, and keeps the first of it by row and column."""

    def __init__(self, mapping: Mapping[str, int]) -> None:
        self.mapping = mapping
        self.counts: Counter[str] = Counter()
        self.rows: list[tuple[int, str, int]] = []
        self._room = FINDINGS_KEPT

    def add(self, row_number: int, code: str, field_name: str = "") -> None:
        """Note something about a row."""
        self.counts[code] += 1
        reserved = _FOR_ERRORS if FINDINGS[code].treatment == "kept" else 0
        if code not in _COUNTED_ONLY and self._room > reserved:
            self._room -= 1
            self.rows.append((row_number, code, self.mapping.get(field_name, -1) + 1))

    def refuse(self, row_number: int, faults: Sequence[RowError]) -> None:
        """Note all that is wrong with a row; it is one row that is refused."""
        self.counts["refused"] += 1
        for fault in faults:
            self.add(row_number, fault.code, fault.field_name)

    def taken(self) -> list[tuple[int, str, int]]:
        """Return what was found since the last call."""
        rows, self.rows = self.rows, []
        return rows


class Cache(dict[str, "str | None"]):
    """Reads each way of writing once; what can't be read is None."""

    def __init__(self, read: Callable[[str], "str | None"]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> "str | None":
        if len(self) >= _CACHE:
            self.clear()
        value = self[text] = self._read(text)
        return value


def is_blank(row: list[str]) -> bool:
    """Tell whether nothing is written in a row."""
    return not any(cell and not cell.isspace() for cell in row)


def is_totals(row: list[str]) -> bool:
    """Tell whether a row sums up others."""
    return any(fold_width(cell).strip().casefold() in TOTALS for cell in row)


def tidy(cell: str) -> str:
    """Return a cell without the marks by which spreadsheets keep leading zeros."""
    text = fold_width(cell).strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.removeprefix("'").strip()


def plain(cell: str) -> str:
    """Return a cell without the apostrophe that keeps it from being a formula, as exports do."""
    text = fold_width(cell).strip()
    return text[1:] if text[:1] == "'" and begins_like_a_formula(text[1:]) else text


def copied_text(limit: int) -> Callable[[str], str | None]:
    """Return a reader of short texts, as COPY reads them; None if one is too long."""

    def read(cell: str) -> str | None:
        text = _GAPS.sub(" ", cell).strip()
        if text[:1] == "'" and begins_like_a_formula(text[1:]):
            text = text[1:]
        if not text:
            return NULL
        return None if len(text) > limit else text.replace("\\", "\\\\")

    return read


def is_nobody(cell: str) -> bool:
    """Tell whether a cell says that the customer is not known."""
    return not cell or cell.isspace() or fold_width(cell).strip().casefold() in _NOBODY


def identity_value(kind: IdentityKind, cell: str, region: str, field_name: str) -> str:
    """Return an identity's value as it is kept.

    Raises:
        RowError: none can be, with the reason's code.
    """
    text = tidy(cell)
    if kind in (IdentityKind.PHONE, IdentityKind.MEMBER_NUMBER) and is_scientific(text):
        raise RowError("scientific-number", field_name)
    try:
        return normalise(kind, None, text, region).value
    except IdentityError as error:
        code = {IdentityKind.PHONE: "bad-phone", IdentityKind.EMAIL: "bad-email"}.get(
            kind, "bad-identity"
        )
        raise RowError(code, field_name) from error


class Instants:
    """Reads when something was, in the chain's time zone: (day, instant as PostgreSQL reads it)."""

    def __init__(self, zone: ZoneInfo, now: datetime) -> None:
        self._zone = zone
        local = now.astimezone(zone)
        self._today = local.date().isoformat()
        self._now = local.strftime("%H:%M:%S")
        self._days: dict[str, tuple[str, str | None] | str] = {}
        self._times: dict[str, str] = {}

    def read(self, text: str, time_text: str) -> tuple[str, str]:
        """Return day and instant; without a time it is noon.

        Raises:
            RowError: no date, one that can be mistaken, or one in the future.
        """
        day_part, _, rest = text.partition(" ")
        known = self._days.get(day_part)
        written = rest or time_text
        time = self._times.get(written)
        if known is None or time is None or not isinstance(known, tuple) or known[1] is None:
            return self._slowly(text, time_text)
        day, offset = known
        if day >= self._today and (day > self._today or (written and time > self._now)):
            raise RowError("in-the-future", "occurred_at")
        return day, f"{day} {time}{offset}"

    def _slowly(self, text: str, time_text: str) -> tuple[str, str]:
        try:
            instant = read_instant(text)
        except AmbiguousDayError as error:
            raise RowError("ambiguous-date", "occurred_at") from error
        if instant is None:
            raise RowError("bad-date" if text.strip() else "missing-value", "occurred_at")
        seconds = instant.seconds
        if time_text.strip() and seconds is None:
            seconds = read_seconds(time_text)
            if seconds is None:
                raise RowError("bad-date", "time")
        if not 1950 <= instant.day.year <= LATEST_YEAR:
            raise RowError("bad-date", "occurred_at")
        return self._placed(text, time_text, instant, seconds)

    def _placed(
        self, text: str, time_text: str, instant: WrittenInstant, seconds: int | None
    ) -> tuple[str, str]:
        shown = 12 * 3600 if seconds is None else seconds
        time = f"{shown // 3600:02d}:{shown % 3600 // 60:02d}:{shown % 60:02d}"
        if instant.offset is not None:
            written = f"{instant.day.isoformat()}T{time}{instant.offset}"
            try:
                local = datetime.fromisoformat(written).astimezone(self._zone)
            except ValueError as error:
                raise RowError("bad-date", "occurred_at") from error
        else:
            local = datetime.fromisoformat(f"{instant.day.isoformat()}T{time}").replace(
                tzinfo=self._zone
            )
            self._remember(text, time_text, instant.day, time)
        day = local.date().isoformat()
        if day > self._today or (
            day == self._today and seconds is not None and local.strftime("%H:%M:%S") > self._now
        ):
            raise RowError("in-the-future", "occurred_at")
        return day, local.isoformat(" ")

    def _remember(self, text: str, time_text: str, day: date, time: str) -> None:
        day_part, _, rest = text.partition(" ")
        if not rest and any(mark in day_part for mark in "T:."):
            return
        if len(self._times) > _CACHE or len(self._days) > _CACHE:
            self._times.clear()
            self._days.clear()
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        first, last = midnight.utcoffset(), (midnight + timedelta(days=1)).utcoffset()
        offset = midnight.isoformat()[19:] if first == last else None
        self._days[day_part] = (day.isoformat(), offset)
        self._times[rest or time_text] = time


def receipt_key(rule: ReceiptRule, day: str, number: str) -> str:
    """Return what :func:`app.rules.purchases.receipt_key` does, of a written day."""
    if rule is ReceiptRule.DAILY:
        return f"{day}/{number}"
    return f"{day[:4]}/{number}" if rule is ReceiptRule.YEARLY else number
