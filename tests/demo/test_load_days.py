"""The first days of the demo chain, loaded with other settings and with a fault in them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.demo import DemoChain
from app.demo.load import load_demo
from app.demo.showcase import showcase_sale
from app.demo.values import DemoSale
from app.models import Product, Purchase, Store
from tests.demo.figures import LOAD_DAYS, chain_of
from tests.support import databases

LOADED_ON = LOAD_DAYS[0]
RECEIPTS = 40


@pytest.fixture
async def empty(worker_name: str) -> AsyncIterator[Database]:
    """A database without rows, which a test may fill."""
    async with databases.clone(f"{worker_name}_days_{new_id().hex[-12:]}") as name:
        database = Database(databases.url_for(name, databases.SERVICE), Settings(_env_file=None))
        yield database
        await database.close()


def first_days() -> DemoChain:
    """The chain as far as its first receipts."""
    chain = chain_of(LOADED_ON)
    return replace(chain, receipts=chain.receipts[:RECEIPTS])


async def test_the_demo_sells_in_the_currency_of_the_chain(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.demo.load.build_chain", lambda _day: first_days())
    settings = Settings(_env_file=None, currency="HKD")
    await load_demo(empty, settings, LOADED_ON, "a demo password")
    async with empty.transaction() as session:
        events = await session.execute(
            text("SELECT body ->> 'currency', count(*) FROM pos_event GROUP BY 1")
        )
        assert events.all() == [("HKD", RECEIPTS)]
        sources = await session.scalars(text("SELECT DISTINCT currency FROM source"))
        assert list(sources) == ["HKD"]
    assert (await showcase_sale(empty)).event["currency"] == "HKD"


async def test_a_receipt_of_the_demo_that_is_not_applied_undoes_the_load(
    empty: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = first_days()
    last = chain.receipts[-1]
    assert isinstance(last, DemoSale)
    other = next(receipt for receipt in chain.receipts if receipt.store_code != last.store_code)
    broken = replace(
        chain, receipts=(*chain.receipts[:-1], replace(last, store_code=other.store_code))
    )
    monkeypatch.setattr("app.demo.load.build_chain", lambda _day: broken)
    with pytest.raises(RuntimeError, match=f"{last.event_id} is held: /problems/wrong-store"):
        await load_demo(empty, settings, LOADED_ON, "a demo password")
    async with empty.transaction() as session:
        for table in (Store, Product, Purchase):
            assert await session.scalar(select(func.count()).select_from(table)) == 0
