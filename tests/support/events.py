"""Events as a till would send them."""

from decimal import Decimal
from itertools import count
from typing import Any

from app.core import clock

_numbers = count(1)


def sale(
    amount: str = "58.00", *, member: str | None = "HK000001", at: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Return a sale of one line; ``changes`` replace or add members of the event."""
    number = next(_numbers)
    return {
        "type": "sale",
        "event_id": f"e-{number}",
        "occurred_at": at or clock.now().isoformat(),
        "store": "S01",
        "receipt_number": f"R{number}",
        "currency": "CNY",
        "customer": {"kind": "member_number", "value": member} if member else None,
        "lines": [
            {"line_number": 1, "sku": "B1", "quantity": "1", "unit_price": amount, "amount": amount}
        ],
        "total": amount,
        **changes,
    }


def refund(
    original: dict[str, Any], amount: str | None = None, quantity: str = "1", **changes: Any
) -> dict[str, Any]:
    """Return a refund of a sale: of line 1 when an amount is given, else of the whole rest."""
    number = next(_numbers)
    event = {
        "type": "refund",
        "event_id": f"e-{number}",
        "occurred_at": clock.now().isoformat(),
        "store": "S01",
        "receipt_number": f"R{number}",
        "currency": "CNY",
        "original": {"receipt_number": original["receipt_number"]},
        "total": amount or original["total"],
    }
    if amount is not None:
        event["lines"] = [
            {"line_number": 1, "refunds_line": 1, "quantity": quantity, "amount": amount}
        ]
    return {**event, **changes}


def void(original: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a void of a receipt."""
    return {
        "type": "void",
        "event_id": f"e-{next(_numbers)}",
        "occurred_at": clock.now().isoformat(),
        "store": "S01",
        "original": {"receipt_number": original["receipt_number"]},
        **changes,
    }


def total(*amounts: str) -> str:
    """Return the sum of amounts as an event spells it."""
    return str(sum((Decimal(amount) for amount in amounts), Decimal(0)))
