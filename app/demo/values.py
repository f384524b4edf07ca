"""What the demo chain consists of: frozen values, no behaviour beyond sums.

Money is `Decimal` in yuan with exactly two decimals; instants are aware, in the chain's zone;
days are business days of that zone. Nothing here knows the database or the service's own types:
`app.demo.load` translates.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, TypeAlias

CHAIN_TIMEZONE = "Asia/Shanghai"

OpenInterval: TypeAlias = tuple[time, time]
Level: TypeAlias = Literal["main", "ordinary", "small"]
Role: TypeAlias = Literal[
    "admin", "manager", "store_manager", "clerk", "service", "marketing", "auditor"
]
Gender: TypeAlias = Literal["female", "male"]
IdentityKind: TypeAlias = Literal["phone", "member_number"]
SourceKind: TypeAlias = Literal["till", "web_shop"]


@dataclass(frozen=True, slots=True)
class DemoGroup:
    """One row of the published distribution: who belongs to it and what they bought, net.

    `lower` is included, `upper` is not; the open ends are None and zero.
    """

    level: Level
    customers: int
    amount: Decimal
    lower: Decimal
    upper: Decimal | None


@dataclass(frozen=True, slots=True)
class DemoStore:
    """A shop.

    `opening_hours` has seven entries, Monday first, each the day's intervals in order, never empty.
    A closing time of 00:00 is the midnight that ends the day, so the store that never closes has
    (00:00, 00:00) on each day.
    """

    code: str
    name: str
    address: str
    opening_hours: tuple[tuple[OpenInterval, ...], ...]
    is_open_24h: bool


@dataclass(frozen=True, slots=True)
class DemoSource:
    """A till or the web shop; it never uses a receipt number twice, refunds included."""

    code: str
    name: str
    kind: SourceKind
    store_code: str


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """A person who signs in. No `store_codes` means all stores."""

    username: str
    name: str
    role: Role
    store_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoCategory:
    """A shelf of the catalogue, with its labels."""

    code: str
    name_en: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A title or an article. `isbn` is 13 digits without hyphens; stationery has none."""

    sku: str
    isbn: str | None
    title: str
    category_code: str
    list_price: Decimal
    unit_cost: Decimal


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """An individual's card.

    `phone` is E.164. `registered_on` is never after the first purchase. `birthday` is solar.
    """

    member_number: str
    name: str
    gender: Gender | None
    birthday: date | None
    phone: str
    email: str | None
    home_store_code: str
    owner_username: str | None
    registered_on: date


@dataclass(frozen=True, slots=True)
class DemoContact:
    """Somebody at an organization; `role` is a code of the service's own list."""

    name: str
    title: str
    role: str
    phone: str
    decides: bool


@dataclass(frozen=True, slots=True)
class DemoOrganization:
    """A body's card, with the people there; `size_band` is a code of the service's own list."""

    member_number: str
    name: str
    industry: str
    size_band: str
    region: str
    address: str
    phone: str
    home_store_code: str
    owner_username: str
    registered_on: date
    payment_days: int
    discount_percent: int
    contacts: tuple[DemoContact, ...]


@dataclass(frozen=True, slots=True)
class DemoInteraction:
    """One contact with the holder of a card; the words for channel and outcome are the service's.

    Never before the card was made, and on a day of the chain's window.
    """

    member_number: str
    channel: str
    direction: str
    occurred_at: datetime
    duration_seconds: int | None
    subject: str
    text: str | None
    outcome: str
    next_step: str | None
    next_step_on: date | None
    staff_username: str
    store_code: str


@dataclass(frozen=True, slots=True)
class DemoDouble:
    """A second card of somebody who has one: `card` was made later, elsewhere, and bought nothing.

    `is_merged` says that the chain has found it out, and merged it into the first.
    """

    card: DemoCustomer
    of_member_number: str
    is_merged: bool


@dataclass(frozen=True, slots=True)
class DemoIdentity:
    """What the till read from the customer: the value finds a card, or none yet."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class DemoLine:
    """One line of a sale, `number` counted from 1.

    `amount` = `quantity` x `unit_price` - `discount`; `discount` is for the whole line.
    """

    number: int
    sku: str
    quantity: int
    unit_price: Decimal
    discount: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DemoRefundLine:
    """What comes back of one line of the sale: `sale_line_number` names it, `amount` is positive.

    `amount` = `quantity` x `unit_price` - `discount`, as in the sale.
    """

    number: int
    sale_line_number: int
    sku: str
    quantity: int
    unit_price: Decimal
    discount: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DemoSale:
    """A receipt of a sale.

    `member_number` is the card it belongs to, for checks; the till sent `identity` only. Both are
    None for an anonymous sale; a sale waiting for its card has an identity and no member number.
    """

    event_id: str
    receipt_number: str
    store_code: str
    source_code: str
    occurred_at: datetime
    identity: DemoIdentity | None
    member_number: str | None
    lines: tuple[DemoLine, ...]
    total: Decimal


@dataclass(frozen=True, slots=True)
class DemoRefund:
    """A receipt of a refund, from the source of its sale; `total` is positive.

    `is_whole` says that everything the sale held comes back.
    """

    event_id: str
    receipt_number: str
    sale_receipt_number: str
    store_code: str
    source_code: str
    occurred_at: datetime
    identity: DemoIdentity | None
    member_number: str | None
    is_whole: bool
    lines: tuple[DemoRefundLine, ...]
    total: Decimal


DemoReceipt: TypeAlias = DemoSale | DemoRefund


@dataclass(frozen=True, slots=True)
class DemoShowcase:
    """The customer of the tour: ordinary by `net`, and main after one `product` at list price."""

    customer: DemoCustomer
    net: Decimal
    product: DemoProduct
    source_code: str


@dataclass(frozen=True, slots=True)
class DemoChain:
    """Everything the demo loads, in the order in which it can be loaded.

    `receipts` and `interactions` are in order of `occurred_at`; a refund always follows its sale.
    All of them lie on the days `first_day` .. `last_day`, the 364 days before `load_day`.
    """

    name: str
    load_day: date
    first_day: date
    last_day: date
    groups: tuple[DemoGroup, ...]
    stores: tuple[DemoStore, ...]
    sources: tuple[DemoSource, ...]
    staff: tuple[DemoStaff, ...]
    categories: tuple[DemoCategory, ...]
    products: tuple[DemoProduct, ...]
    customers: tuple[DemoCustomer, ...]
    receipts: tuple[DemoReceipt, ...]
    organizations: tuple[DemoOrganization, ...]
    doubles: tuple[DemoDouble, ...]
    interactions: tuple[DemoInteraction, ...]
    showcase: DemoShowcase
