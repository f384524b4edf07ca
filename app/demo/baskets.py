"""Put catalogue items into a basket so that it costs about, or exactly, what it should.

All money is whole fen. Lines are sold at list price or with the member's 5 or 10 %. Where the sum
must be exact, the last line is an article a little dearer than what is missing, and the difference
is its discount.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from app.demo.values import DemoProduct

_SMALLEST_LAST_LINE_FEN = 5_00
_MOST_LINES = 6
_LINE_FEN = 42_00
_DEAREST_SINGLE_FEN = 120_00
_MEMBER_PERCENTS = (0, 0, 0, 0, 5, 10)
# How much dearer than the rest the last line's list price may be, in percent, tried in order.
_LAST_LINE_REACHES = (106, 115, 130, 155)

_CATEGORY_WEIGHTS = {
    "children": 26,
    "literature": 22,
    "textbooks": 14,
    "social-science": 9,
    "science": 8,
    "art": 4,
    "lifestyle": 7,
    "stationery": 10,
}
_TERM_START_EXTRA = {"textbooks": 44, "stationery": 18}


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A line in fen; `discount` is for the whole line."""

    product: DemoProduct
    quantity: int
    price: int
    discount: int

    @property
    def amount(self) -> int:
        return self.quantity * self.price - self.discount


def _at_member_price(product: DemoProduct, quantity: int, percent: int) -> BasketLine:
    """Sell with a member's discount, rounded down to the jiao."""
    price = int(product.list_price * 100)
    return BasketLine(product, quantity, price, quantity * price * percent // 1000 * 10)


class _Shelf:
    """Products in order of price, so that a price band is a slice."""

    __slots__ = ("prices", "products")

    def __init__(self, products: Sequence[DemoProduct]) -> None:
        self.products = sorted(products, key=lambda product: (product.list_price, product.sku))
        self.prices = [int(product.list_price * 100) for product in self.products]

    def pick(self, rng: Random, lowest: int, highest: int, taken: set[str]) -> DemoProduct | None:
        """Pick a product not taken yet with `lowest` <= price <= `highest`."""
        start = bisect_left(self.prices, lowest)
        stop = bisect_right(self.prices, highest)
        band = [product for product in self.products[start:stop] if product.sku not in taken]
        return rng.choice(band) if band else None


class Baskets:
    """Fills baskets from one catalogue."""

    def __init__(self, products: Sequence[DemoProduct]) -> None:
        self._all = _Shelf(products)
        self._shelves = {
            code: _Shelf([product for product in products if product.category_code == code])
            for code in _CATEGORY_WEIGHTS
        }
        self._codes = tuple(_CATEGORY_WEIGHTS)
        self._weights = tuple(_CATEGORY_WEIGHTS.values())
        self._term_weights = tuple(
            weight + _TERM_START_EXTRA.get(code, 0) for code, weight in _CATEGORY_WEIGHTS.items()
        )

    def favourite(self, rng: Random) -> str:
        """Draw the category a customer comes for."""
        return rng.choices(self._codes, self._weights)[0]

    def _draw_shelf(self, rng: Random, favourite: str | None, is_term_start: bool) -> _Shelf:
        if favourite is not None and rng.random() < 0.45:
            return self._shelves[favourite]
        weights = self._term_weights if is_term_start else self._weights
        return self._shelves[rng.choices(self._codes, weights)[0]]

    def fill(
        self,
        rng: Random,
        amount: int,
        favourite: str,
        *,
        is_term_start: bool,
        is_exact: bool,
    ) -> list[BasketLine]:
        """Fill a basket of 1 to 6 lines that costs `amount` fen, at least 5 yuan, or nearly so.

        Raises:
            ValueError: no article fits; the catalogue has a gap in its prices.
        """
        wanted = max(1, min(_MOST_LINES, round(amount / _LINE_FEN * rng.uniform(0.6, 1.6))))
        percent = rng.choice(_MEMBER_PERCENTS)
        lines: list[BasketLine] = []
        taken: set[str] = set()
        rest = amount
        for lines_left in range(wanted, 1, -1):
            aim = int(rest / lines_left * rng.uniform(0.6, 1.25))
            most = min(aim * 12 // 10, rest - _SMALLEST_LAST_LINE_FEN * lines_left)
            quantity = self._draw_quantity(rng, aim)
            shelf = self._draw_shelf(rng, favourite, is_term_start)
            band = (aim * 4 // 10 // quantity, most // quantity, taken)
            product = shelf.pick(rng, *band) or self._all.pick(rng, *band)
            if product is None:
                continue
            lines.append(_at_member_price(product, quantity, percent))
            taken.add(product.sku)
            rest -= lines[-1].amount
        liked = self._draw_shelf(rng, favourite, is_term_start)
        last = self._last_line(rng, rest, taken, liked)
        if not is_exact:
            last = _at_member_price(last.product, last.quantity, percent)
        return [*lines, last]

    @staticmethod
    def _draw_quantity(rng: Random, aim: int) -> int:
        if aim > _DEAREST_SINGLE_FEN:
            return -(-aim // (_DEAREST_SINGLE_FEN // 2))
        return 2 if aim > 16_00 and rng.random() < 0.10 else 1

    def _last_line(self, rng: Random, rest: int, taken: set[str], liked: _Shelf) -> BasketLine:
        fewest = max(1, -(-rest // _DEAREST_SINGLE_FEN))
        for quantity in range(fewest, fewest + 6):
            lowest = -(-rest // quantity)
            for reach in _LAST_LINE_REACHES:
                highest = rest * reach // 100 // quantity
                for shelf in (liked, self._all):
                    product = shelf.pick(rng, lowest, highest, taken)
                    if product is not None:
                        price = int(product.list_price * 100)
                        return BasketLine(product, quantity, price, quantity * price - rest)
        raise ValueError(f"nothing in the catalogue makes a line of {rest} fen")

    def fill_freely(self, rng: Random, *, is_term_start: bool) -> list[BasketLine]:
        """Fill a basket of 1 to 4 lines at list price, whatever it costs."""
        lines: list[BasketLine] = []
        taken: set[str] = set()
        for _ in range(rng.choices((1, 2, 3, 4), (52, 28, 14, 6))[0]):
            line = self.draw_line(rng, 70_00, taken, is_term_start=is_term_start)
            if line is not None:
                lines.append(line)
                taken.add(line.product.sku)
        return lines

    def draw_line(
        self, rng: Random, highest: int, taken: set[str], *, is_term_start: bool = False
    ) -> BasketLine | None:
        """Draw one article at list price of at most `highest` fen; None where nothing is left."""
        shelf = self._draw_shelf(rng, None, is_term_start)
        product = shelf.pick(rng, 0, highest, taken) or self._all.pick(rng, 0, highest, taken)
        if product is None:
            return None
        return BasketLine(product, 1, int(product.list_price * 100), 0)
