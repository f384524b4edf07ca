"""Purchases of a file: staged receipts become receipts, and the cards' figures follow."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import ImportJob, Source
from app.queries import (
    customer_stats,
    import_purchases,
    import_settlement,
    imports,
    pos_events,
)
from app.queries.import_purchases import PortionFacts
from app.queries.import_settlement import CountedFrom
from app.rules.tier_policies import Policy, window_from
from app.rules.tiering import Step
from app.services import tier_settlement
from app.services.posting import post_events
from app.services.posting_run import pending_of
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import TierCause

ROWS_AT_ONCE: Final = 20_000
CARDS_AT_ONCE: Final = 2_000


async def write_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[int | None, Mapping[str, int]]:
    """Write the next receipts with all that belongs to them, but for the cards' figures.

    Raises:
        RetryTransactionError: a customer moved at this very moment; run it again.
    """
    connection = await raw_connection(session)
    upto, receipts = await import_purchases.bounds(connection, job.id, job.position, ROWS_AT_ONCE)
    if upto is None:
        return None, {}
    assert job.source_id is not None
    source = await session.get_one(Source, job.source_id)
    now = clock.now()
    facts = PortionFacts(job.id, source.id, source.currency, settings.timezone)
    await import_purchases.fill(connection, job.id, job.position, upto, receipts)
    if upto >= import_purchases.FIRST_REFUND:
        await import_purchases.match_refunds(connection, source.id)
    await import_purchases.await_customers(connection, now)
    await import_purchases.claim(connection, facts, now)
    told = await import_purchases.told(connection)
    if told["existing"]:
        rows = await import_purchases.rows_of_existing(connection)
        await imports.add_findings(connection, job.id, [(row, "receipt-exists", 0) for row in rows])
    # From here on tills wait for these cards: what can be done before is done.
    await import_purchases.lock_cards(connection)
    await import_purchases.write(connection, facts, now)
    awaited = await import_purchases.awaited_keys(connection)
    if awaited:
        # A till's refund may have come before the file that brings its sale.
        parked = await pos_events.parked_for(connection, [(source.id, key) for key in awaited])
        await post_events(session, settings, [pending_of(row) for row in parked])
    else:
        await import_purchases.commit_soon(connection)
    return upto, {
        "rows": told["rows"],
        "rows_seen": told["all_rows"],
        "receipts": told["receipts"],
        "awaiting": told["awaiting"],
        "linked_refunds": told["linked_refunds"],
        "receipt-exists": told["existing"],
        "refund": told["refund_rows"],
        "zero-price": told["free_rows"],
        "no-customer": told["nobodys_rows"],
    }


async def settle_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[UUID | None, Mapping[str, int]]:
    """Bring the figures and tiers of the next cards up to date, as if tills had sold all this."""
    connection = await raw_connection(session)
    cards = await imports.touched_cards(connection, job.id, job.settled_to, CARDS_AT_ONCE)
    if not cards:
        return None, {}
    await customer_stats.lock_cards(connection, cards)
    today = clock.today(settings.zone)
    rules = {
        str(kind): _counted_from(policy, today)
        for kind, policy in (await active_policies(session)).items()
    }
    steps: dict[UUID, list[Step]] = defaultdict(list)
    unmoved: list[UUID] = []
    brought = await import_settlement.telling_purchases(connection, job.id, cards, rules)
    for customer_id, purchase_id, refund_of, adds in brought:
        if purchase_id is None:
            unmoved.append(customer_id)
        else:
            steps[customer_id].append(Step(purchase_id, adds, refund_of))
    await customer_stats.rebuild(connection, today, unmoved)
    settled = await tier_settlement.settle(session, settings, steps)
    upgrades = sum(
        any(outcome.cause is TierCause.UPGRADE for outcome in one.outcomes)
        for one in settled.values()
    )
    return cards[-1], {"upgrades": upgrades}


def _counted_from(policy: Policy, today: date) -> CountedFrom:
    first_day = window_from(policy, today)
    if not policy.is_additive:
        # Other scores are known for a card as a whole: then its last receipt is all it takes.
        return CountedFrom(first_day, [], [])
    ascending = sorted(policy.levels, key=lambda rule: rule.at_least)
    return CountedFrom(
        first_day,
        [str(rule.level) for rule in ascending],
        [rule.at_least for rule in ascending],
    )
