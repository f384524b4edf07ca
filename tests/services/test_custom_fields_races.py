"""A choice cannot be left out while a card is being given it."""

import asyncio

from app.core.config import Settings
from app.core.database import Database
from app.core.errors import ConflictError
from app.rules.access import SYSTEM
from app.schemas.custom_fields import ChoiceInput, CustomFieldChange, CustomFieldCreate
from app.schemas.customers import CustomerCreate
from app.services import custom_fields, customers
from app.vocabulary import CustomerKind, FieldType
from tests.support.world import build_world

CHOICES = [ChoiceInput(code="a", en="A", zh="甲"), ChoiceInput(code="b", en="B", zh="乙")]


async def test_leaving_out_a_choice_waits_for_cards_that_are_being_given_it(
    fresh_database: Database, settings: Settings
) -> None:
    await build_world(fresh_database)
    async with fresh_database.transaction() as session:
        field = await custom_fields.create_custom_field(
            session,
            SYSTEM,
            CustomFieldCreate(
                kind=CustomerKind.INDIVIDUAL, code="letter", label_en="Letter", label_zh="字母",
                type=FieldType.CHOICE, choices=CHOICES,
            ),
        )  # fmt: skip
    is_given, may_end = asyncio.Event(), asyncio.Event()

    async def give() -> None:
        async with fresh_database.transaction() as session:
            await customers.create_customer(
                session,
                SYSTEM,
                settings,
                CustomerCreate(kind=CustomerKind.INDIVIDUAL, name="甲", custom={"letter": "a"}),
            )
            is_given.set()
            await may_end.wait()

    async def leave_out() -> str:
        await is_given.wait()
        async with fresh_database.transaction() as session:
            try:
                await custom_fields.change_custom_field(
                    session, SYSTEM, field.id, 1, CustomFieldChange(choices=CHOICES[1:])
                )
            except ConflictError as refused:
                return refused.code
        return "left out"

    giving, leaving = asyncio.create_task(give()), asyncio.create_task(leave_out())
    await is_given.wait()
    done, _ = await asyncio.wait({leaving}, timeout=0.3)
    assert done == set()
    may_end.set()
    await giving
    assert await leaving == "conflict"
    async with fresh_database.transaction() as session:
        kept = await custom_fields.get_custom_field(session, field.id)
    assert [choice.code for choice in kept.choices or ()] == ["a", "b"]
