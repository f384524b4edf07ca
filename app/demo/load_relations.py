"""Write what the demo chain knows of its customers beside their receipts.

Organizations with the people there, what was spoken of, what customers agreed to, cards that exist
twice, and one pair that was merged: by the services that staff would use, as the last day of the
year goes by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.errors import HuikeError
from app.demo.values import DemoChain, DemoInteraction, DemoOrganization
from app.rules.access import SYSTEM
from app.schemas.consents import ConsentsStated
from app.schemas.contacts import ContactCreate
from app.schemas.customers import CustomerCreate
from app.schemas.merges import MergeExecute, MergeRequest
from app.services import (
    consents,
    contacts,
    customers,
    duplicate_scan,
    merge_plans,
    merges,
    search_keys,
)
from app.services.completeness import refresh_completeness
from app.services.interaction_recording import Draft, record_contacts
from app.vocabulary import Channel, Direction, InteractionOutcome

_BATCH: Final = 200
_AGREES: Final = (
    {"purpose": "marketing", "channel": "wechat", "state": "granted", "proof": "form"},
    {"purpose": "greeting", "channel": "any", "state": "granted", "proof": "form"},
)
_DECLINES: Final = (
    {"purpose": "marketing", "channel": "any", "state": "withdrawn", "proof": "spoken"},
)


@dataclass(frozen=True, slots=True)
class Places:
    """Ids of what is there: stores and staff by code or user name, cards by member number."""

    stores: Mapping[str, UUID]
    staff: Mapping[str, UUID]
    cards: dict[str, UUID]


async def load_relations(
    session: AsyncSession, settings: Settings, chain: DemoChain, places: Places
) -> None:
    """Write everything; the clock stands on the last day of the year.

    Raises:
        HuikeError: something of the demo was refused, which is a fault of ours.
    """
    for organization in chain.organizations:
        places.cards[organization.member_number] = await _organization(
            session, settings, organization, places
        )
    await _conversations(session, settings, chain.interactions, places)
    await _agreements(session, chain, places)
    await refresh_completeness(session, settings, list(places.cards.values()))
    await search_keys.reindex(session, *places.cards.values())
    await _scan_for_duplicates(session)
    for double in chain.doubles:
        if double.is_merged:
            surviving = places.cards[double.of_member_number]
            await _merge(session, settings, surviving, places.cards[double.card.member_number])


async def _organization(
    session: AsyncSession, settings: Settings, body: DemoOrganization, places: Places
) -> UUID:
    given = CustomerCreate.model_validate(
        {
            "kind": "organization",
            "name": body.name,
            "industry": body.industry,
            "size_band": body.size_band,
            "region": body.region,
            "address": body.address,
            "home_store_id": str(places.stores[body.home_store_code]),
            "owner_staff_id": str(places.staff[body.owner_username]),
            "registered_on": body.registered_on.isoformat(),
            "terms": {
                "payment_days": body.payment_days,
                "discount_percent": str(body.discount_percent),
                "invoice_title": body.name,
            },
            "identities": [
                {"kind": "member_number", "value": body.member_number, "is_primary": True},
                {"kind": "phone", "value": body.phone, "is_primary": True},
            ],
        }
    )
    card = await customers.create_customer(session, SYSTEM, settings, given)
    version = card.version
    for person in body.contacts:
        who = ContactCreate.model_validate(
            {
                "name": person.name,
                "title": person.title,
                "role": person.role,
                "decides": person.decides,
                "phone": person.phone,
            }
        )
        written = await contacts.create_contact(session, SYSTEM, settings, card.id, version, who)
        version = written.version
    return card.id


async def _conversations(
    session: AsyncSession,
    settings: Settings,
    interactions: Sequence[DemoInteraction],
    places: Places,
) -> None:
    for start in range(0, len(interactions), _BATCH):
        some = interactions[start : start + _BATCH]
        drafts = [Draft(_contact(one, places), places.cards[one.member_number]) for one in some]
        for outcome in await record_contacts(session, SYSTEM, settings, drafts):
            if isinstance(outcome, HuikeError):
                raise outcome


def _contact(one: DemoInteraction, places: Places) -> dict[str, Any]:
    return {
        "channel": Channel(one.channel),
        "direction": Direction(one.direction),
        "occurred_at": one.occurred_at,
        "duration_seconds": one.duration_seconds,
        "subject": one.subject,
        "text": one.text,
        "outcome": InteractionOutcome(one.outcome),
        "next_step": one.next_step,
        "next_step_on": one.next_step_on,
        "staff_id": places.staff[one.staff_username],
        "store_id": places.stores[one.store_code],
        "contact_id": None,
        "purchase_id": None,
    }


async def _agreements(session: AsyncSession, chain: DemoChain, places: Places) -> None:
    """Let those agree who are spoken with most; every seventh of them declines."""
    spoken = sorted({one.member_number for one in chain.interactions})
    for index, number in enumerate(spoken[::6]):
        said = _DECLINES if index % 7 == 6 else _AGREES
        given = ConsentsStated.model_validate({"statements": list(said)})
        await consents.record_consents(session, SYSTEM, places.cards[number], given)


async def _scan_for_duplicates(session: AsyncSession) -> None:
    for step in (duplicate_scan.take_up_stale, duplicate_scan.compare_next, duplicate_scan.finish):
        after = (await step(session, None)).last_card
        while after is not None:
            after = (await step(session, after)).last_card


async def _merge(session: AsyncSession, settings: Settings, survivor: UUID, loser: UUID) -> None:
    request = MergeRequest(surviving_id=survivor, loser_ids=[loser])
    planned = await merge_plans.plan_merge(session, SYSTEM, settings, request)
    given = MergeExecute(
        surviving_id=survivor,
        loser_ids=[loser],
        fingerprint=planned.plan.fingerprint,
        reason="同一位客户，在另一家门店重复建卡",
    )
    await merges.execute_merge(session, SYSTEM, settings, given)
