"""Rows of a file of purchases, turned into what COPY takes: some microseconds a row.

Each way of writing a day, an amount, a title or a phone is read once.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.integrations.files.tables import SWALLOWED
from app.locale.names import fold_width
from app.services.import_purchase_cells import MAXIMUM_CENTS, Bought, cells_of
from app.services.import_values import (
    NULL,
    Cache,
    Faults,
    Findings,
    ImportContext,
    Instants,
    RowError,
    copied_text,
    identity_value,
    is_blank,
    is_nobody,
    is_totals,
    receipt_key,
    tidy,
)
from app.vocabulary import IdentityKind, ReceiptRule

FIRST_REFUND: Final = 2**40
"""Positions of refunds come after those of all sales, which they may take back."""
COLUMNS: Final = (
    "import_id", "position", "row_number", "receipt_number", "receipt_key", "original_key",
    "occurred_at", "store_id", "who_kind", "who_system", "who_value", "cashier", "sku", "isbn",
    "title", "category", "quantity", "unit_price", "amount", "unit_cost",
)  # fmt: skip
_RECEIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,59}")
_CANCELLED = frozenset(
    {"作废", "已作废", "取消", "已取消", "撤销", "已撤销", "关闭", "已关闭", "交易关闭", "void",
     "voided", "cancelled", "canceled", "cancel", "closed"}
)  # fmt: skip
_REFUNDED = frozenset(
    {"退货", "已退货", "退款", "已退款", "退", "退单", "refund", "refunded", "return", "returned"}
)
_WHO: Final = (
    ("member_number", IdentityKind.MEMBER_NUMBER),
    ("phone", IdentityKind.PHONE),
    ("email", IdentityKind.EMAIL),
)
_HEAD: Final = (
    "receipt_number", "occurred_at", "time", "store", "status", "cashier", "original_receipt",
)  # fmt: skip
_FIELDS: Final = (
    "receipt_number", "occurred_at", "time", "store", "quantity", "unit_price", "discount",
    "amount", "unit_cost", "status", "cashier", "sku", "isbn", "title", "category",
    "original_receipt",
)  # fmt: skip


@dataclass(slots=True)
class _Head:
    """What the rows of a receipt have alike, as COPY takes it; its places among the receipts.

    From ``key`` on it is read with the first row that is taken.
    """

    receipt: str
    day: str
    instant: str
    key: str = ""
    original: str | None = None
    who: str = NULL
    end: str = ""
    sale: int | None = None
    refund: int | None = None


class PurchaseRows:
    """Takes rows in their order; holds which receipts there were, and what was the matter."""

    table: Final = "import_line"
    columns: Final = COLUMNS

    def __init__(self, context: ImportContext, mapping: Mapping[str, int], width: int) -> None:
        self.context = context
        self.findings = Findings(mapping)
        self.width = width
        self.good = 0
        self.bad_receipts: set[int] = set()
        self._total = 0
        self._at = {name: mapping.get(name, width) for name in _FIELDS}
        self._who_at = [(mapping[name], name, kind) for name, kind in _WHO if name in mapping]
        self._instants = Instants(context.zone, context.now)
        self._seen: set[int] = set()
        self._sales: dict[str, int] = {}
        self._refunds: dict[str, int] = {}
        self._owners: dict[int, str] = {}
        self._stores = Cache(self._store)
        self._statuses = Cache(_status)
        self._words = Cache(copied_text(100))
        self._bought = Bought(self._at)
        # Rows of a receipt follow each other: what was read of the last one's is kept.
        self._head_cells = cells_of(self._at, _HEAD, *(place for place, _, _ in self._who_at))
        self._last: tuple[tuple[str, ...], _Head] | None = None
        self._customers: dict[tuple[str, str], tuple[str, str] | RowError] = {}
        self._prefix = f"{context.import_id}\t"

    def take(self, rows: Sequence[list[str]], first_number: int) -> bytes:
        """Return what COPY takes of these rows; what is the matter is in ``findings``."""
        lines: list[str] = []
        for number, row in enumerate(rows, first_number):
            try:
                line = self._line(number, row)
            except RowError as error:
                self.findings.refuse(number, self._faults(row, error))
            else:
                if line is not None:
                    lines.append(line)
        self.good += len(lines)
        return "".join(lines).encode()

    @property
    def has_room_for_sums(self) -> bool:
        """Tell whether no receipt can amount to more than is kept: all of them together don't."""
        return self._total <= MAXIMUM_CENTS

    def shared_numbers(self) -> tuple[list[int], dict[str, int]]:
        """Return the refunds that carry a number of a sale in the file, and the other ones."""
        shared = self._refunds.keys() & self._sales.keys()
        others = {key: at for key, at in self._refunds.items() if key not in shared}
        return sorted(self._refunds[key] for key in shared), others

    def _faults(self, row: list[str], first: RowError) -> list[RowError]:
        """Return what else is wrong with a row: who mends it wants to mend it once."""
        if first.code in {"too-many-cells", "stray-quotation-mark"}:
            return [first]
        row = row[: self.width]
        row += [""] * (self.width + 1 - len(row))
        at = self._at
        faults = Faults()
        faults.append(first)
        with faults.noting():
            if not tidy(row[at["receipt_number"]]):
                raise RowError("missing-value", "receipt_number")
        with faults.noting():
            self._instants.read(row[at["occurred_at"]], row[at["time"]])
        with faults.noting():
            self._bought.read_figures(row)
        with faults.noting():
            if self._stores[row[at["store"]]] is None:
                raise RowError("unknown-store", "store")
        with faults.noting():
            self._bought.read_cost(row[at["unit_cost"]])
        with faults.noting():
            self._named_customer(row)
        return faults

    def _line(self, number: int, row: list[str]) -> str | None:
        width = self.width
        if row and row[-1] == SWALLOWED:
            self._spoil_swallowed(row[:-1])
            raise RowError("stray-quotation-mark")
        if len(row) != width:
            if is_blank(row):
                self.findings.add(number, "blank")
                return None
            if len(row) > width and not is_blank(row[width:]):
                raise RowError("too-many-cells")
            row = row[:width] + [""] * (width - len(row))
        whole = hash(tuple(row))
        if whole in self._seen:
            self.findings.add(number, "blank" if is_blank(row) else "duplicate-row")
            return None
        row.append("")
        cells = self._head_cells(row)
        if self._last is not None and cells == self._last[0]:
            head = self._last[1]
        else:
            try:
                head = _Head(*self._when(row))
            except RowError:
                row.pop()
                if is_blank(row) or is_totals(row):
                    self.findings.add(number, "blank" if is_blank(row) else "totals-row")
                    return None
                raise
            self._last = cells, head
        self._seen.add(whole)
        status = self._statuses[row[self._at["status"]]]
        if status == "cancelled":
            self.findings.add(number, "cancelled")
            return None
        try:
            return self._of_receipt(number, row, head, status == "refund")
        except RowError:
            # A receipt that lacks a line would not add up: the whole of it is left out.
            self._spoil(head.receipt, head.day)
            raise

    def _when(self, row: list[str]) -> tuple[str, str, str]:
        at = self._at
        receipt = row[at["receipt_number"]]
        if not _RECEIPT.fullmatch(receipt):
            receipt = tidy(receipt)
            if not receipt:
                raise RowError("missing-value", "receipt_number")
            if not _RECEIPT.fullmatch(receipt):
                raise RowError("bad-receipt-number", "receipt_number")
        try:
            day, instant = self._instants.read(row[at["occurred_at"]], row[at["time"]])
        except RowError:
            if self.context.receipt_rule is ReceiptRule.EVER:
                self._spoil(receipt, "")
            raise
        return receipt, day, instant

    def _spoil_swallowed(self, row: list[str]) -> None:
        row = row[: self.width]
        row += [""] * (self.width + 1 - len(row))
        with suppress(RowError):
            receipt, day, _ = self._when(row)
            self._spoil(receipt, day)

    def _spoil(self, receipt: str, day: str) -> None:
        key = receipt_key(self.context.receipt_rule, day, receipt)
        self.bad_receipts.add(self._sales.setdefault(key, len(self._sales) + 1))
        if key in self._refunds:
            self.bad_receipts.add(self._refunds[key])

    def _complete(self, head: _Head, row: list[str]) -> None:
        at, rule = self._at, self.context.receipt_rule
        if named := tidy(row[at["original_receipt"]]):
            matches = _RECEIPT.fullmatch(named)
            head.original = receipt_key(rule, head.day, named) if matches else NULL
        store = self._stores[row[at["store"]]]
        if store is None:
            raise RowError("unknown-store", "store")
        cashier = self._words[row[at["cashier"]]]
        if cashier is None:
            raise RowError("too-long")
        kind, head.who = self._named_customer(row)
        head.key = receipt_key(rule, head.day, head.receipt)
        system = NULL if kind == NULL else ""
        head.end = f"{head.instant}\t{store}\t{kind}\t{system}\t{head.who}\t{cashier}"

    def _of_receipt(self, number: int, row: list[str], head: _Head, is_refund: bool) -> str | None:
        figures = self._bought.figures(row)
        if figures.quantity == 0:
            self.findings.add(number, "zero-quantity")
            return None
        if not head.end:
            self._complete(head, row)
        is_negative = figures.quantity < 0 or figures.amount < 0
        is_refund = is_refund or is_negative
        original = head.original
        if original is None:
            original = NULL
            if is_negative and head.receipt[0] in "Cc" and head.receipt[1:].isdigit():
                # So tills write the cancelling of a receipt; above zero it is a number like any
                # other.
                original = receipt_key(self.context.receipt_rule, head.day, head.receipt[1:])
        goods, cost = self._bought.goods(row)
        if head.who == NULL:
            self.findings.add(number, "no-customer")
        position = head.refund if is_refund else head.sale
        if position is None:
            position = self._position(head.key, is_refund, head.who)
            if is_refund:
                head.refund = position
            else:
                head.sale = position
        if figures.finding is not None:
            self.findings.add(number, figures.finding, "amount")
        if is_refund:
            self.findings.counts["refund"] += 1
        self._total += abs(figures.amount)
        return (
            f"{self._prefix}{position}\t{number}\t{head.receipt}\t{head.key}\t{original}"
            f"\t{head.end}\t{goods}\t{figures.text}\t{cost}\n"
        )

    def _position(self, key: str, is_refund: bool, who: str) -> int:
        if is_refund:
            position = self._refunds.setdefault(key, FIRST_REFUND + len(self._refunds))
        else:
            position = self._sales.setdefault(key, len(self._sales) + 1)
        if who != NULL and self._owners.setdefault(position, who) != who:
            raise RowError("two-customers")
        return position

    def _named_customer(self, row: list[str]) -> tuple[str, str]:
        """Return kind and value of the first identity that the row names."""
        for place, name, kind in self._who_at:
            cell = row[place]
            if not cell:
                continue
            known = self._customers.get((name, cell))
            if known is None:
                known = self._identified(name, kind, cell)
                if len(self._customers) >= 500_000:
                    self._customers.clear()
                self._customers[name, cell] = known
            if isinstance(known, RowError):
                raise known
            if known[0] != NULL:
                return known
        return (NULL, NULL)

    def _identified(self, name: str, kind: IdentityKind, cell: str) -> tuple[str, str] | RowError:
        if is_nobody(cell):
            return (NULL, NULL)
        try:
            value = identity_value(kind, cell, self.context.phone_region, name)
        except RowError as error:
            return error
        return (str(kind), value.replace("\\", "\\\\"))

    def _store(self, cell: str) -> str | None:
        text = fold_width(cell).strip().casefold()
        found = self.context.stores.get(text) if text else self.context.store_id
        return None if found is None else str(found)


def _status(cell: str) -> str | None:
    text = fold_width(cell).strip().casefold()
    if text in _CANCELLED:
        return "cancelled"
    return "refund" if text in _REFUNDED else ""
