"""What a chain starts with, as rows: stores, staff, tills with their secrets, the catalogue."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from app.core import security
from app.core.ids import new_id
from app.demo.values import DemoChain
from app.models import Product, Source, SourceSecret, Staff, StaffStore, Store
from app.services.posting_run import SourceFacts
from app.vocabulary import ReceiptRule, Role, SourceKind, SourceMode

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Rows = tuple[type[SQLModel], list[dict[str, Any]]]


def source_facts(
    chain: DemoChain, stores: Mapping[str, UUID], currency: str
) -> dict[str, SourceFacts]:
    """Return the chain's tills and web shop with ids of their own, by code."""
    return {
        source.code: SourceFacts(
            id=new_id(),
            code=source.code,
            store_id=stores[source.store_code],
            store_code=source.store_code,
            mode=SourceMode.LIVE,
            receipt_rule=ReceiptRule.EVER,
            currency=currency,
        )
        for source in chain.sources
    }


def founding_rows(
    chain: DemoChain,
    stores: Mapping[str, UUID],
    staff: Mapping[str, UUID],
    sources: Mapping[str, SourceFacts],
    password_hash: str,
    now: datetime,
) -> list[Rows]:
    """Return the rows of everything that is there before the first customer, in order.

    The mappings give the id of each code or user name.
    """
    stamps = {"version": 1, "created_at": now, "updated_at": now}
    return [
        (
            Store,
            [
                {
                    "id": stores[store.code],
                    "code": store.code,
                    "name": store.name,
                    "address": store.address,
                    "opening_hours": {
                        weekday: [[_clock_time(a), _clock_time(b, "24:00")] for a, b in intervals]
                        for weekday, intervals in zip(WEEKDAYS, store.opening_hours, strict=True)
                    },
                    "is_active": True,
                    **stamps,
                }
                for store in chain.stores
            ],
        ),
        (
            Staff,
            [
                {
                    "id": staff[person.username],
                    "username": person.username,
                    "display_name": person.name,
                    "role": Role(person.role),
                    "password_hash": password_hash,
                    "password_changed_at": now,
                    **stamps,
                }
                for person in chain.staff
            ],
        ),
        (
            StaffStore,
            [
                {"staff_id": staff[person.username], "store_id": stores[code]}
                for person in chain.staff
                for code in person.store_codes
            ],
        ),
        (
            Source,
            [
                {
                    "id": sources[source.code].id,
                    "code": source.code,
                    "name": source.name,
                    "kind": SourceKind(source.kind),
                    "store_id": stores[source.store_code],
                    "mode": SourceMode.LIVE,
                    "receipt_rule": ReceiptRule.EVER,
                    "currency": sources[source.code].currency,
                    "is_active": True,
                    **stamps,
                }
                for source in chain.sources
            ],
        ),
        (
            SourceSecret,
            [
                {
                    "id": new_id(),
                    "source_id": facts.id,
                    "slot": 1,
                    "secret": security.new_webhook_secret(),
                    "created_at": now,
                }
                for facts in sources.values()
            ],
        ),
        (
            Product,
            [
                {
                    "id": new_id(),
                    "sku": product.sku,
                    "isbn": product.isbn,
                    "title": product.title,
                    "category": product.category_code,
                    "list_price": product.list_price,
                    "unit_cost": product.unit_cost,
                    "is_active": True,
                    **stamps,
                }
                for product in chain.products
            ],
        ),
    ]


def _clock_time(moment: time, midnight: str = "00:00") -> str:
    return midnight if moment == time(0) else moment.strftime("%H:%M")
