"""Whom the chain may reach: the statement for all cards decides as the rule does for each."""

from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlalchemy import insert

from app.core.database import Database
from app.core.ids import new_id
from app.models import Customer, CustomerConsent
from app.queries.consents import allowed_customers
from app.rules.consent import Said, Standing, decide
from app.vocabulary import (
    ConsentChannel,
    ConsentPurpose,
    ConsentState,
    CustomerKind,
    CustomerOrigin,
    CustomerStatus,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CARDS = 150


async def test_the_statement_allows_what_the_rule_allows_for_every_purpose_and_channel(
    database: Database,
) -> None:
    random = Random(7)
    standing_of = {new_id(): _said(random) for _ in range(CARDS)}
    archived = new_id()
    unasked = frozenset({ConsentPurpose.SERVICE})
    async with database.transaction() as session:
        await session.execute(
            insert(Customer),
            [
                {
                    "id": customer_id,
                    "kind": CustomerKind.INDIVIDUAL,
                    "status": CustomerStatus.ARCHIVED
                    if customer_id == archived
                    else CustomerStatus.ACTIVE,
                    "name": "王小明",
                    "origin": CustomerOrigin.STORE,
                    "registered_on": date(2026, 3, 1),
                    "birth_month_is_leap": False,
                    "version": 1,
                    "created_at": NOON,
                    "updated_at": NOON,
                }
                for customer_id in (*standing_of, archived)
            ],
        )
        await session.execute(
            insert(CustomerConsent),
            [
                {
                    "customer_id": customer_id,
                    "purpose": purpose,
                    "channel": channel,
                    "state": said.state,
                    "since": said.stated_at,
                    "record_id": new_id(),
                }
                for customer_id, standing in standing_of.items()
                for (purpose, channel), said in standing.items()
            ],
        )
        sizes = set()
        for purpose in ConsentPurpose:
            for channel in ConsentChannel:
                found = await session.scalars(allowed_customers(purpose, channel, unasked))
                expected = {
                    customer_id
                    for customer_id, standing in standing_of.items()
                    if decide(standing, purpose, channel, unasked).is_allowed
                }
                assert set(found) == expected
                sizes.add(len(expected))
    # Neither everybody nor nobody: the comparison says something.
    assert 0 < min(sizes) < max(sizes) < CARDS


def _said(random: Random) -> Standing:
    return {
        (purpose, channel): Said(
            random.choice(list(ConsentState)), NOON + timedelta(hours=random.randint(0, 2))
        )
        for purpose in ConsentPurpose
        for channel in ConsentChannel
        if random.random() < 0.4
    }
