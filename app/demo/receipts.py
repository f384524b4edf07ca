"""Turn the customers' plans into receipts: where, when, what, and what came back.

Drafts are made customer by customer in fen; numbers and event ids are given at the end, in the
order of time, as tills would.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from app.demo.baskets import BasketLine, Baskets
from app.demo.names import uncarded_phones
from app.demo.plans import SMALLEST_RECEIPT_FEN, BuyerPlan
from app.demo.seasons import WINDOW_DAYS, Calendar, draw_second, is_term_start
from app.demo.shops import SOURCES, STORE_WEIGHTS, STORES, WEB_SOURCE_CODE
from app.demo.values import (
    CHAIN_TIMEZONE,
    DemoCustomer,
    DemoIdentity,
    DemoLine,
    DemoReceipt,
    DemoRefund,
    DemoRefundLine,
    DemoSale,
    DemoSource,
    DemoStore,
)

_ZONE = ZoneInfo(CHAIN_TIMEZONE)
_STORES = {store.code: store for store in STORES}
_SOURCES = {source.code: source for source in SOURCES}
_TILLS = {
    store.code: [s for s in SOURCES if s.store_code == store.code and s.kind == "till"]
    for store in STORES
}
_REFUND_SHARE = 0.025
_ANONYMOUS_SHARE = 0.05
_SALES_WAITING_FOR_A_CARD = 7
_LONGEST_RETURN_DAYS = 14
_SMALLEST_REFUND_HEADROOM_FEN = 25_00
_DEAREST_RETURN_FEN = 68_00


@dataclass(slots=True)
class _Draft:
    """A sale before it has a number.

    `returned` maps the index of a line to the quantity that came back of it.
    """

    day_index: int
    occurred_at: datetime
    source: DemoSource
    identity: DemoIdentity | None
    member_number: str | None
    lines: list[BasketLine]
    returned: dict[int, int] | None = None
    returned_at: datetime | None = None


class ReceiptDrafts:
    """Draws the sales and refunds of one chain."""

    def __init__(self, rng: Random, calendar: Calendar, baskets: Baskets) -> None:
        self._rng = rng
        self._calendar = calendar
        self._baskets = baskets
        self._drafts: list[_Draft] = []

    def _instant(self, store: DemoStore, day: date) -> datetime:
        second = draw_second(self._rng, store, day)
        midnight = datetime(day.year, day.month, day.day, tzinfo=_ZONE)
        return midnight + timedelta(seconds=second)

    def _draw_source(self, home_store_code: str | None, web_share: float) -> DemoSource:
        rng = self._rng
        if rng.random() < web_share:
            return _SOURCES[WEB_SOURCE_CODE]
        if home_store_code is None or rng.random() < 0.18:
            home_store_code = rng.choices(STORES, STORE_WEIGHTS)[0].code
        return rng.choice(_TILLS[home_store_code])

    def _draft(
        self,
        day_index: int,
        source: DemoSource,
        lines: list[BasketLine],
        identity: DemoIdentity | None,
        member_number: str | None,
    ) -> _Draft:
        day = self._calendar.days[day_index]
        occurred_at = self._instant(_STORES[source.store_code], day)
        draft = _Draft(day_index, occurred_at, source, identity, member_number, lines)
        self._drafts.append(draft)
        return draft

    def _identify(self, customer: DemoCustomer, source: DemoSource) -> DemoIdentity:
        if source.kind == "web_shop" or self._rng.random() < 0.3:
            return DemoIdentity("phone", customer.phone)
        return DemoIdentity("member_number", customer.member_number)

    def add_buyer(self, customer: DemoCustomer, plan: BuyerPlan) -> list[_Draft]:
        """Draft a customer's planned sales.

        What a basket costs more or less than planned is made up by the next one; only the last has
        to be exact, so that most lines are sold at a price that is printed somewhere.
        """
        rng = self._rng
        favourite = self._baskets.favourite(rng)
        web_share = rng.choice((0.0, 0.0, 0.0, 0.1, 0.5))
        drafts = []
        carried = 0
        for place, (day_index, amount) in enumerate(plan.receipts, start=1):
            amount += carried
            in_term = is_term_start(self._calendar.days[day_index])
            is_last = place == len(plan.receipts)
            lines = self._baskets.fill(
                rng, amount, favourite, is_term_start=in_term, is_exact=is_last
            )
            carried = amount - sum(line.amount for line in lines)
            if not is_last and plan.receipts[place][1] + carried < SMALLEST_RECEIPT_FEN:
                lines = self._baskets.fill(
                    rng, amount, favourite, is_term_start=in_term, is_exact=True
                )
                carried = 0
            source = self._draw_source(customer.home_store_code, web_share)
            identity = self._identify(customer, source)
            drafts.append(self._draft(day_index, source, lines, identity, customer.member_number))
        return drafts

    def add_refunds(self, buyers: Sequence[tuple[DemoCustomer, BuyerPlan, list[_Draft]]]) -> None:
        """Add to some buyers' sales what they brought back later; their net stays as planned.

        Frequent buyers bring back more often. Nobody's sales reach the next group's threshold on
        the way, so that no tier is earned by what was refunded.
        """
        rng = self._rng
        wanted = round(len(self._drafts) * _REFUND_SHARE)
        candidates = [
            (customer, plan, draft)
            for customer, plan, drafts in buyers
            for draft in drafts
            if plan.headroom_fen >= _SMALLEST_REFUND_HEADROOM_FEN
            and draft.day_index < WINDOW_DAYS - 3
        ]
        rng.shuffle(candidates)
        served: set[str] = set()
        for customer, plan, draft in candidates:
            if len(served) == wanted:
                break
            if customer.member_number in served:
                continue
            highest = min(plan.headroom_fen, _DEAREST_RETURN_FEN)
            kind = rng.random()
            if kind < 0.45:
                self._return_whole(customer, draft, highest)
            elif kind < 0.65 and self._return_one_of_two(draft, highest):
                pass
            elif not self._return_extra_line(draft, highest):
                continue
            served.add(customer.member_number)

    def _return_whole(self, customer: DemoCustomer, near: _Draft, highest: int) -> None:
        """Sell something more on the day of a sale, and take it back."""
        lines: list[BasketLine] = []
        spent = 0
        for _ in range(self._rng.choice((1, 1, 2))):
            taken = {line.product.sku for line in lines}
            line = self._baskets.draw_line(self._rng, highest - spent, taken)
            if line is not None:
                lines.append(line)
                spent += line.amount
        identity = self._identify(customer, near.source)
        draft = self._draft(near.day_index, near.source, lines, identity, customer.member_number)
        self._bring_back(draft, {index: line.quantity for index, line in enumerate(lines)})

    def _return_one_of_two(self, draft: _Draft, highest: int) -> bool:
        """Sell one more of a line's article, and take that one back."""
        for index, line in enumerate(draft.lines):
            if line.quantity == 1 and line.amount <= highest:
                draft.lines[index] = BasketLine(line.product, 2, line.price, 2 * line.discount)
                self._bring_back(draft, {index: 1})
                return True
        return False

    def _return_extra_line(self, draft: _Draft, highest: int) -> bool:
        """Sell one line more, and take it back."""
        if len(draft.lines) > 5:
            return False
        taken = {line.product.sku for line in draft.lines}
        line = self._baskets.draw_line(self._rng, highest, taken)
        if line is None:
            return False
        place = self._rng.randrange(len(draft.lines) + 1)
        draft.lines.insert(place, line)
        self._bring_back(draft, {place: line.quantity})
        return True

    def _bring_back(self, draft: _Draft, returned: dict[int, int]) -> None:
        latest = min(draft.day_index + _LONGEST_RETURN_DAYS, WINDOW_DAYS - 1)
        day = self._calendar.days[self._rng.randint(draft.day_index + 1, latest)]
        draft.returned = returned
        draft.returned_at = self._instant(_STORES[draft.source.store_code], day)

    def add_nobodys_sales(self) -> None:
        """Draft the sales without a customer, and those whose phone has no card yet."""
        rng = self._rng
        anonymous = round(len(self._drafts) * _ANONYMOUS_SHARE / (1 - _ANONYMOUS_SHARE))
        phones = uncarded_phones(rng, _SALES_WAITING_FOR_A_CARD - 2)
        waiting = [DemoIdentity("phone", phone) for phone in (*phones, phones[0], phones[1])]
        for identity in (*waiting, *([None] * anonymous)):
            day_index = self._calendar.draw(rng, 1, 0, WINDOW_DAYS - 1)[0]
            day = self._calendar.days[day_index]
            lines = self._baskets.fill_freely(rng, is_term_start=is_term_start(day))
            source = self._draw_source(None, 0.0 if identity is None else 0.3)
            self._draft(day_index, source, lines, identity, None)

    def number(self) -> tuple[DemoReceipt, ...]:
        """Give every receipt its number and event id, in the order of time."""
        due: list[tuple[datetime, str, int, bool, _Draft]] = []
        for place, draft in enumerate(self._drafts):
            due.append((draft.occurred_at, draft.source.code, place, False, draft))
            if draft.returned_at is not None:
                due.append((draft.returned_at, draft.source.code, place, True, draft))
        due.sort(key=lambda entry: entry[:4])
        printed: Counter[str] = Counter()
        sales: dict[int, DemoSale] = {}
        receipts: list[DemoReceipt] = []
        for _, source_code, place, is_refund, draft in due:
            printed[source_code] += 1
            serial = printed[source_code]
            if is_refund:
                receipts.append(_refund(draft, sales[place], serial))
            else:
                sales[place] = _sale(draft, serial)
                receipts.append(sales[place])
        return tuple(receipts)


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _numbers(source: DemoSource, serial: int) -> tuple[str, str]:
    """Return event id and receipt number of a source's receipt."""
    prefix = "W" if source.kind == "web_shop" else f"{source.store_code[1:]}{source.code[-1]}"
    return f"demo-{source.code}-{serial:06d}", f"{prefix}-{serial:06d}"


def _sale(draft: _Draft, serial: int) -> DemoSale:
    event_id, receipt_number = _numbers(draft.source, serial)
    return DemoSale(
        event_id=event_id,
        receipt_number=receipt_number,
        store_code=draft.source.store_code,
        source_code=draft.source.code,
        occurred_at=draft.occurred_at,
        identity=draft.identity,
        member_number=draft.member_number,
        lines=tuple(
            DemoLine(
                number=number,
                sku=line.product.sku,
                quantity=line.quantity,
                unit_price=_yuan(line.price),
                discount=_yuan(line.discount),
                amount=_yuan(line.amount),
            )
            for number, line in enumerate(draft.lines, start=1)
        ),
        total=_yuan(sum(line.amount for line in draft.lines)),
    )


def _returned_lines(draft: _Draft) -> Iterator[tuple[int, BasketLine]]:
    """Yield the index of each line something came back of, with what came back."""
    for index, quantity in sorted((draft.returned or {}).items()):
        line = draft.lines[index]
        discount = line.discount * quantity // line.quantity
        yield index, BasketLine(line.product, quantity, line.price, discount)


def _refund(draft: _Draft, sale: DemoSale, serial: int) -> DemoRefund:
    if draft.returned_at is None:
        raise ValueError("a sale nothing came back of has no refund")
    event_id, receipt_number = _numbers(draft.source, serial)
    returned = list(_returned_lines(draft))
    total = _yuan(sum(line.amount for _, line in returned))
    return DemoRefund(
        event_id=event_id,
        receipt_number=receipt_number,
        sale_receipt_number=sale.receipt_number,
        store_code=sale.store_code,
        source_code=sale.source_code,
        occurred_at=draft.returned_at,
        identity=sale.identity,
        member_number=sale.member_number,
        is_whole=total == sale.total,
        lines=tuple(
            DemoRefundLine(
                number=number,
                sale_line_number=index + 1,
                sku=line.product.sku,
                quantity=line.quantity,
                unit_price=_yuan(line.price),
                discount=_yuan(line.discount),
                amount=_yuan(line.amount),
            )
            for number, (index, line) in enumerate(returned, start=1)
        ),
        total=total,
    )
