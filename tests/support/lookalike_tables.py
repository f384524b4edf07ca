"""Write made-up cards into the tables, as an older system's data would come to lie there."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from app.core import clock
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from tests.support.lookalikes import MadeCard

_CARD_COLUMNS = (
    "id", "kind", "status", "name", "gender", "birthday_calendar", "birth_year", "birth_month",
    "birth_day", "birth_month_is_leap", "employer", "address", "origin", "registered_on", "version",
    "created_at", "updated_at",
)  # fmt: skip
_IDENTITY_COLUMNS = (
    "customer_id", "id", "kind", "system", "value", "is_primary", "added_at",
)  # fmt: skip


async def write_made_cards(database: Database, cards: Sequence[MadeCard]) -> list[UUID]:
    """Write cards and their phones; return their ids in the order of the cards.

    The phones stand on the cards only: a family's card could not claim a phone over the chain.
    """
    now = clock.now()
    ids = [new_id() for _ in cards]
    card_rows: list[tuple[object, ...]] = []
    phone_rows: list[tuple[object, ...]] = []
    for card_id, card in zip(ids, cards, strict=True):
        year, month, day = card.birthday or (None, None, None)
        card_rows.append(
            (
                card_id, "individual", "active", card.name, card.gender,
                "solar" if card.birthday else None, year, month, day, False, card.employer,
                card.address, "import", date(2026, 1, 1), 1, now, now,
            )
        )  # fmt: skip
        phone_rows.extend(
            (card_id, new_id(), "phone", "", phone, number == 0, now)
            for number, phone in enumerate(card.phones)
        )
    async with database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.copy_records_to_table("customer", records=card_rows, columns=_CARD_COLUMNS)
        await connection.copy_records_to_table(
            "customer_identity", records=phone_rows, columns=_IDENTITY_COLUMNS
        )
    return ids
