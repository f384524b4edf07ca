"""Write the demo chain into an empty database, the way it would have come to be.

The clock is put to each day of the year in turn: cards appear when their customers register, and
the day's receipts are posted by the same code that serves tills, so that statistics, tiers and
their history are what a year of use would have left. One transaction: all of it or nothing.
"""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.demo.chain import build_chain
from app.demo.events import event_of
from app.demo.founding import founding_rows, source_facts
from app.demo.load_relations import Places, load_relations
from app.demo.values import DemoChain, DemoCustomer, DemoRefund, DemoSale
from app.models import (
    Customer,
    CustomerChange,
    CustomerIdentity,
    Identity,
    OutboxEvent,
    Purchase,
    Store,
)
from app.schemas.pos_events import RefundEvent, SaleEvent
from app.services import pos_intake, tier_moves
from app.services.pos_intake import ReceivedEvent
from app.services.posting_run import SourceFacts
from app.vocabulary import (
    ActorKind,
    BirthdayCalendar,
    CustomerKind,
    CustomerOrigin,
    CustomerStatus,
    DomainEvent,
    EventStatus,
    Gender,
    IdentityKind,
)

log = structlog.get_logger()
CLOSING = time(23, 59, 30)
# A year of the demo has receipts that wait for their card, and none that anything is wrong with.
_EXPECTED = frozenset({EventStatus.APPLIED, EventStatus.AWAITING_CUSTOMER})
LOAD_LOCK = zlib.crc32(b"huike demo chain")


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the database holds of the demo chain."""

    was_loaded: bool
    customers: int
    receipts: int


async def load_demo(
    database: Database, settings: Settings, load_day: date, password: str
) -> DemoSummary:
    """Load the chain as of ``load_day`` unless it is there; ``password`` is that of all staff.

    Several may call it at once: one loads, the others find it loaded.

    Raises:
        RuntimeError: a receipt of the demo was not applied, which is a fault of ours.
    """
    async with database.transaction() as session:
        if await _is_there(session):
            return await _summary(session, was_loaded=False)
    # Made before the transaction, which may not stand idle for long.
    chain = await asyncio.to_thread(build_chain, load_day)
    password_hash = await security.hash_password(password)
    async with database.transaction() as session:
        await session.execute(select(func.pg_advisory_xact_lock(LOAD_LOCK)))
        if await _is_there(session):
            return await _summary(session, was_loaded=False)
        log.info("demo_loading", load_day=str(load_day), receipts=len(chain.receipts))
        await _Loader(session, settings, chain, password_hash).load()
        await session.execute(text("ANALYZE"))
        return await _summary(session, was_loaded=True)


async def _is_there(session: AsyncSession) -> bool:
    return await session.scalar(select(col(Store.id)).limit(1)) is not None


async def _summary(session: AsyncSession, *, was_loaded: bool) -> DemoSummary:
    in_use = select(func.count()).where(col(Customer.status) == CustomerStatus.ACTIVE)
    customers = await session.scalar(in_use) or 0
    receipts = await session.scalar(select(func.count()).select_from(Purchase)) or 0
    return DemoSummary(was_loaded, customers, receipts)


class _Loader:
    """One load: what was written so far, by the codes the chain knows it by."""

    def __init__(
        self, session: AsyncSession, settings: Settings, chain: DemoChain, password_hash: str
    ) -> None:
        self.session = session
        self.settings = settings
        self.chain = chain
        self.password_hash = password_hash
        self.stores: dict[str, UUID] = {}
        self.staff: dict[str, UUID] = {}
        self.sources: dict[str, SourceFacts] = {}
        self.cards: dict[str, UUID] = {}

    async def load(self) -> None:
        """Write everything, day by day."""
        founded = datetime.combine(
            self.chain.first_day - timedelta(days=1), time(9), self.settings.zone
        )
        standing = clock.FixedClock(founded)
        with clock.using(standing):
            await self._found_chain()
            cards: dict[date, list[DemoCustomer]] = defaultdict(list)
            doubles = [double.card for double in self.chain.doubles]
            for customer in (*self.chain.customers, *doubles):
                cards[max(customer.registered_on, self.chain.first_day)].append(customer)
            receipts: dict[date, list[DemoSale | DemoRefund]] = defaultdict(list)
            for receipt in self.chain.receipts:
                receipts[receipt.occurred_at.date()].append(receipt)
            for day in sorted(cards.keys() | receipts.keys()):
                standing.move_to(datetime.combine(day, time(8), self.settings.zone))
                await self._register(cards.get(day, []))
                standing.move_to(datetime.combine(day, CLOSING, self.settings.zone))
                await self._post(receipts.get(day, []))
            standing.move_to(datetime.combine(self.chain.last_day, CLOSING, self.settings.zone))
            places = Places(self.stores, self.staff, self.cards)
            await load_relations(self.session, self.settings, self.chain, places)

    async def _insert(self, table: type[SQLModel], rows: list[dict[str, Any]]) -> None:
        if rows:
            await self.session.execute(insert(table), rows)

    async def _found_chain(self) -> None:
        self.stores = {store.code: new_id() for store in self.chain.stores}
        self.staff = {person.username: new_id() for person in self.chain.staff}
        self.sources = source_facts(self.chain, self.stores, self.settings.currency)
        for table, rows in founding_rows(
            self.chain, self.stores, self.staff, self.sources, self.password_hash, clock.now()
        ):
            await self._insert(table, rows)

    async def _register(self, customers: list[DemoCustomer]) -> None:
        """Write a day's new cards, as creating each over the API would."""
        if not customers:
            return
        now = clock.now()
        ids = {customer.member_number: new_id() for customer in customers}
        self.cards |= ids
        await self._insert(Customer, [self._card(ids, customer) for customer in customers])
        identities = [
            (ids[customer.member_number], kind, value)
            for customer in customers
            for kind, value in (
                (IdentityKind.MEMBER_NUMBER, customer.member_number),
                (IdentityKind.PHONE, customer.phone),
                (IdentityKind.EMAIL, customer.email),
            )
            if value
        ]
        await self._insert(
            Identity,
            [
                {
                    "kind": kind,
                    "system": "",
                    "value": value,
                    "customer_id": owner,
                    "created_at": now,
                }
                for owner, kind, value in identities
            ],
        )
        await self._insert(
            CustomerIdentity,
            [
                {
                    "customer_id": owner,
                    "id": new_id(),
                    "kind": kind,
                    "system": "",
                    "value": value,
                    "is_primary": True,
                    "added_at": now,
                }
                for owner, kind, value in identities
            ],
        )
        await self._insert(
            CustomerChange,
            [
                {
                    "customer_id": customer_id,
                    "id": new_id(),
                    "version": 1,
                    "changed_at": now,
                    "actor_kind": ActorKind.SYSTEM,
                    "changes": {"name": [None, customer.name]},
                }
                for customer, customer_id in zip(customers, ids.values(), strict=True)
            ],
        )
        await self._insert(
            OutboxEvent,
            [
                {
                    "id": new_id(),
                    "type": DomainEvent.CUSTOMER_CREATED,
                    "occurred_at": now,
                    "customer_id": customer_id,
                    "subject_id": customer_id,
                    "payload": {},
                }
                for customer_id in ids.values()
            ],
        )
        await tier_moves.assign_initial_to(
            self.session,
            self.settings,
            dict.fromkeys(ids.values(), CustomerKind.INDIVIDUAL),
        )

    def _card(self, ids: Mapping[str, UUID], customer: DemoCustomer) -> dict[str, Any]:
        now, birthday = clock.now(), customer.birthday
        return {
            "id": ids[customer.member_number],
            "kind": CustomerKind.INDIVIDUAL,
            "status": CustomerStatus.ACTIVE,
            "name": customer.name,
            "gender": Gender(customer.gender) if customer.gender else None,
            "birthday_calendar": BirthdayCalendar.SOLAR if birthday else None,
            "birth_year": birthday.year if birthday else None,
            "birth_month": birthday.month if birthday else None,
            "birth_day": birthday.day if birthday else None,
            "birth_month_is_leap": False,
            "origin": CustomerOrigin.STORE,
            "home_store_id": self.stores[customer.home_store_code],
            "owner_staff_id": self.staff[customer.owner_username]
            if customer.owner_username
            else None,
            "registered_on": customer.registered_on,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }

    async def _post(self, receipts: list[DemoSale | DemoRefund]) -> None:
        """Post a day's receipts the way tills' events are."""
        received = []
        for receipt in receipts:
            body = event_of(receipt, self.settings.currency)
            event = (
                SaleEvent.model_validate(body)
                if isinstance(receipt, DemoSale)
                else RefundEvent.model_validate(body)
            )
            received.append(ReceivedEvent(self.sources[receipt.source_code], body, event))
        for taken in await pos_intake.take_events(self.session, self.settings, received):
            if taken.result.status not in _EXPECTED:
                reason = taken.result.problem.type if taken.result.problem else "no reason"
                raise RuntimeError(
                    f"demo receipt {taken.result.event_id} is {taken.result.status}: {reason}"
                )
