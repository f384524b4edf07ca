"""Lists of cards that are narrowed by words are read by the index of the words."""

from typing import Any

import pytest
from sqlalchemy import event, insert

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import CustomField
from app.queries.card_filters import CardFilters
from app.queries.customers import list_cards
from app.queries.verification import DueFilters
from app.services.verification import list_due_for_verification
from app.vocabulary import CustomerKind, FieldGroup, FieldType

BITMAPS_ONLY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off"
IN_ORDER_ONLY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"


class Plans:
    """Notes what is sent, and asks for its plans."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sent: list[tuple[str, Any]] = []

    def note(self, _c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        """Note a statement."""
        self.sent.append((statement, parameters))

    async def of(self, listing: Any, switches: str) -> list[str]:
        """Return the plans of the statements that read cards, with some ways switched off."""
        engine = self.database.engine.sync_engine
        async with self.database.transaction() as session:
            connection = await raw_connection(session)
            event.listen(engine, "before_cursor_execute", self.note)
            try:
                await listing(session)
            finally:
                event.remove(engine, "before_cursor_execute", self.note)
            await connection.execute(switches)
            return [
                "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sent}", *values))
                for sent, values in self.sent
                if "FROM customer LEFT" in sent
            ]


@pytest.fixture
async def fields(database: Database) -> None:
    """One custom field, so that there is something to filter by."""
    async with database.transaction() as session:
        await session.execute(
            insert(CustomField).values(
                id=new_id(), scope=CustomerKind.INDIVIDUAL, code="school", label_en="School",
                label_zh="学校", type=FieldType.TEXT, section=FieldGroup.EDUCATION,
                is_required=False, position=0, version=1, created_at=clock.now(),
                updated_at=clock.now(),
            )
        )  # fmt: skip


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        pytest.param(CardFilters(tags=("vip", "new")), "ix_customer_tags", id="tags"),
        pytest.param(CardFilters(interests=("tea",)), "ix_customer_interests", id="interests"),
        pytest.param(CardFilters(custom=("school:一中",)), "ix_customer_custom", id="custom"),
        pytest.param(
            CardFilters(completeness_below=20), "ix_customer_completeness_id", id="completeness"
        ),
    ],
)
async def test_a_filter_has_its_index(database: Database, filters: CardFilters, index: str) -> None:
    (plan,) = await Plans(database).of(
        lambda session: list_cards(session, filters, "-created_at", None, 51), BITMAPS_ONLY
    )
    assert f"Bitmap Index Scan on {index}" in plan
    assert "Seq Scan on customer " not in plan


async def test_cards_that_are_due_are_read_in_the_order_of_an_index(
    database: Database, settings: Settings
) -> None:
    plans = await Plans(database).of(
        lambda session: list_due_for_verification(
            session, settings, DueFilters(), limit=50, after=None
        ),
        IN_ORDER_ONLY,
    )
    assert len(plans) == 2
    for plan in plans:
        assert "using ix_customer_verified_on_id on customer" in plan
        assert "Sort" not in plan
