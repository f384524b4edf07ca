"""What is bought by a row of a file: goods and figures, each way of writing them read once.

Amounts are counted in hundredths and quantities in thousandths, as whole numbers.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, TypeVar

from app.locale.written import read_cents, read_thousandths
from app.services.import_values import NULL, Cache, RowError, copied_text, tidy

MAXIMUM_CENTS: Final = 99_999_999_999_999
_MAXIMUM_THOUSANDTHS: Final = 1_000_000_000
_ISBN = re.compile(r"97[89]\d{10}")
_KNOWN: Final = 100_000
"""How many ways of writing goods or figures are held."""
_LONGEST_KNOWN: Final = 700
_GOODS: Final = ("sku", "isbn", "title", "category", "unit_cost")
_FIGURES: Final = ("quantity", "unit_price", "amount", "discount")

_Known = TypeVar("_Known")


class _Numbers(dict[str, "int | None"]):
    """Numbers by the way they are written; None for what is none."""

    def __init__(self, thousandths: bool) -> None:
        super().__init__()
        self._read = read_thousandths if thousandths else read_cents

    def __missing__(self, text: str) -> "int | None":
        if len(self) >= 200_000:
            self.clear()
        value = self[text] = self._read(text)
        return value


@dataclass(frozen=True, slots=True)
class Figures:
    """What is bought, in thousandths and hundredths, signs as written; and as COPY takes it."""

    quantity: int
    amount: int
    finding: str | None
    text: str


def cells_of(
    at: Mapping[str, int], fields: Sequence[str], *more: int
) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return what takes the cells of these fields out of a row."""
    return itemgetter(*(at[name] for name in fields), *more)


class Bought:
    """Reads goods and figures of rows; ``at`` says where each field stands."""

    def __init__(self, at: Mapping[str, int]) -> None:
        self._at = at
        self._cents, self._thousandths = _Numbers(False), _Numbers(True)
        self._titles, self._words = Cache(copied_text(500)), Cache(copied_text(100))
        self._isbns = Cache(_isbn)
        self._goods_cells, self._figure_cells = cells_of(at, _GOODS), cells_of(at, _FIGURES)
        self._goods: dict[tuple[str, ...], tuple[str, str]] = {}
        self._figures: dict[tuple[str, ...], Figures] = {}

    def goods(self, row: list[str]) -> tuple[str, str]:
        """Return what a row says of the goods, and their cost, as COPY takes it.

        Raises:
            RowError: too long a text, or no cost.
        """
        cells = self._goods_cells(row)
        known = self._goods.get(cells)
        if known is None:
            sku, isbn, title, category, written = cells
            cost = self.read_cost(written)
            texts = [self._words[sku], self._isbns[isbn], self._titles[title],
                     self._words[category]]  # fmt: skip
            if None in texts:
                raise RowError("too-long")
            known = ("\t".join(map(str, texts)), cost)
            _keep(self._goods, cells, known)
        return known

    def figures(self, row: list[str]) -> Figures:
        """Return what a row says of quantity and amount.

        Raises:
            RowError: see :meth:`read_figures`.
        """
        cells = self._figure_cells(row)
        known = self._figures.get(cells)
        if known is None:
            quantity, price, amount = self.read_figures(row)
            finding = None
            if amount == 0:
                finding = "zero-price"
            elif self._contradicts(row, quantity, price, amount):
                finding = "amount-differs"
            whole, part = divmod(abs(quantity), 1000)
            text = f"{whole}.{part:03d}\t{_written(price)}\t{_written(amount)}"
            known = Figures(quantity, amount, finding, text)
            _keep(self._figures, cells, known)
        return known

    def _contradicts(self, row: list[str], quantity: int, price: int, amount: int) -> bool:
        """Tell whether price and quantity make another amount, before and after the discount."""
        over = abs(abs(quantity * price) - 1000 * abs(amount))
        # Unit prices are rounded to the cent: half a cent for each piece.
        allowed = max(abs(quantity) // 2, 1000)
        if over <= allowed or price == 0:
            return False
        discount = self._cents[row[self._at["discount"]].strip() or "0"]
        return abs(abs(quantity * price) - 1000 * (abs(amount) + abs(discount or 0))) > allowed

    def read_cost(self, cell: str) -> str:
        """Return a cost as COPY takes it.

        Raises:
            RowError: it is none.
        """
        written = cell.strip()
        if not written:
            return NULL
        cents = self._cents[written]
        if cents is None or cents < 0:
            raise RowError("bad-amount", "unit_cost")
        return _written(cents)

    def read_figures(self, row: list[str]) -> tuple[int, int, int]:
        """Return quantity in thousandths, unit price and amount in hundredths; signs as written."""
        at = self._at
        quantity = self._thousandths[row[at["quantity"]].strip() or "1"]
        if quantity is None or abs(quantity) > _MAXIMUM_THOUSANDTHS:
            raise RowError("bad-quantity", "quantity")
        price_text, amount_text = row[at["unit_price"]].strip(), row[at["amount"]].strip()
        price = self._cents[price_text] if price_text else 0
        if price is None:
            raise RowError("bad-amount", "unit_price")
        if amount_text:
            amount = self._cents[amount_text]
            if amount is None:
                raise RowError("bad-amount", "amount")
            if not price_text and quantity:
                price = (abs(amount) * 1000 + abs(quantity) // 2) // abs(quantity)
        elif price_text:
            discount = self._cents[row[at["discount"]].strip() or "0"]
            if discount is None:
                raise RowError("bad-amount", "discount")
            gross = (abs(quantity * price) + 500) // 1000
            amount = max(gross - abs(discount), 0) * (-1 if quantity * price < 0 else 1)
        else:
            raise RowError("missing-value", "amount")
        if abs(amount) > MAXIMUM_CENTS or abs(price) > MAXIMUM_CENTS:
            raise RowError("bad-amount", "amount")
        if quantity == 0 and amount != 0:
            raise RowError("amount-without-quantity", "quantity")
        if quantity < 0 < amount:
            raise RowError("signs-differ", "amount")
        return quantity, price, amount


def _keep(known: dict[tuple[str, ...], _Known], cells: tuple[str, ...], value: _Known) -> None:
    if len(known) >= _KNOWN:
        known.clear()
    if sum(map(len, cells)) <= _LONGEST_KNOWN:
        known[cells] = value


def _written(cents: int) -> str:
    whole, part = divmod(abs(cents), 100)
    return f"{whole}.{part:02d}"


def _isbn(cell: str) -> str | None:
    text = tidy(cell).replace("-", "").replace(" ", "")
    return text if _ISBN.fullmatch(text) else NULL
