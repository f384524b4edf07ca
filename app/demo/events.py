"""A demo receipt as the event a till would send."""

from datetime import UTC
from typing import Any

from app.demo.values import DemoRefund, DemoSale


def event_of(receipt: DemoSale | DemoRefund, currency: str) -> dict[str, Any]:
    """Return the event of a receipt, in the service's own format and the chain's currency."""
    body: dict[str, Any] = {
        "event_id": receipt.event_id,
        "occurred_at": receipt.occurred_at.astimezone(UTC).isoformat(),
        "store": receipt.store_code,
        "receipt_number": receipt.receipt_number,
        "currency": currency,
        "total": str(receipt.total),
    }
    if isinstance(receipt, DemoSale):
        identity = receipt.identity
        customer = {"kind": identity.kind, "value": identity.value} if identity else None
        lines = [
            {
                "line_number": line.number,
                "sku": line.sku,
                "quantity": str(line.quantity),
                "unit_price": str(line.unit_price),
                "discount": str(line.discount),
                "amount": str(line.amount),
            }
            for line in receipt.lines
        ]
        return {**body, "type": "sale", "customer": customer, "lines": lines}
    returned = [
        {
            "line_number": line.number,
            "refunds_line": line.sale_line_number,
            "quantity": str(line.quantity),
            "amount": str(line.amount),
        }
        for line in receipt.lines
    ]
    return {
        **body,
        "type": "refund",
        "original": {"receipt_number": receipt.sale_receipt_number},
        "lines": returned,
    }
