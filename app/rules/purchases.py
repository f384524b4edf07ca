"""Receipts: what makes one unique, whether it adds up, what of it can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from app.vocabulary import EventFault, ReceiptRule

CENT = Decimal("0.01")
Fault = EventFault


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a sale and what is left of it after earlier refunds."""

    line_number: int
    quantity_left: Decimal
    amount_left: Decimal
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """A part of a sold line that is taken back."""

    line_number: int
    refunds_line: int
    quantity: Decimal
    amount: Decimal
    unit_cost: Decimal | None


def receipt_key(rule: ReceiptRule, business_day: date, receipt_number: str) -> str:
    """Return what makes a receipt unique at its source: the number, with its day or year."""
    if rule is ReceiptRule.DAILY:
        return f"{business_day.isoformat()}/{receipt_number}"
    if rule is ReceiptRule.YEARLY:
        return f"{business_day.year}/{receipt_number}"
    return receipt_number


def line_amount(quantity: Decimal, unit_price: Decimal, discount: Decimal) -> Decimal:
    """Return what a line costs: quantity × unit price − discount, to the cent, half up."""
    return (quantity * unit_price - discount).quantize(CENT, ROUND_HALF_UP)


def sale_adds_up(
    lines: Sequence[tuple[Decimal, Decimal, Decimal, Decimal]], total: Decimal
) -> bool:
    """Tell whether (quantity, unit price, discount, amount) of the lines and the total agree."""
    return total == sum((amount for *_, amount in lines), Decimal(0)) and all(
        amount == line_amount(quantity, unit_price, discount)
        for quantity, unit_price, discount, amount in lines
    )


def whole_rest(sold: Sequence[SoldLine]) -> tuple[ReturnedLine, ...]:
    """Return everything of a sale that was not taken back before."""
    left = [line for line in sold if line.quantity_left > 0]
    return tuple(
        ReturnedLine(number, line.line_number, line.quantity_left, line.amount_left, line.unit_cost)
        for number, line in enumerate(left, start=1)
    )


def by_line(
    sold: Sequence[SoldLine], wanted: Sequence[tuple[int, int, Decimal, Decimal]]
) -> tuple[ReturnedLine, ...] | Fault:
    """Return the lines that are taken back, or why they can't be.

    ``wanted`` holds (line number, original line, quantity, amount); several may name one original
    line, together never more than is left of it.
    """
    known = {line.line_number: line for line in sold}
    left: dict[int, tuple[Decimal, Decimal]] = {
        line.line_number: (line.quantity_left, line.amount_left) for line in sold
    }
    returned: list[ReturnedLine] = []
    for line_number, original, quantity, amount in wanted:
        if original not in known:
            return Fault.LINE_UNKNOWN
        quantity_left, amount_left = left[original]
        if quantity > quantity_left or amount > amount_left:
            return Fault.REFUND_EXCEEDS_SALE
        left[original] = (quantity_left - quantity, amount_left - amount)
        returned.append(
            ReturnedLine(line_number, original, quantity, amount, known[original].unit_cost)
        )
    return tuple(returned)


def known_cost(
    lines: Sequence[tuple[Decimal, Decimal, Decimal | None]],
) -> tuple[Decimal, Decimal]:
    """Return (amount of the lines whose cost is known, their cost) of (quantity, amount, cost).

    What is unknown stays unknown: it is in neither figure.
    """
    costed = sum((amount for _, amount, cost in lines if cost is not None), Decimal(0))
    spent = sum(
        ((quantity * cost).quantize(CENT, ROUND_HALF_UP) for quantity, _, cost in lines
         if cost is not None),
        Decimal(0),
    )  # fmt: skip
    return costed, spent
