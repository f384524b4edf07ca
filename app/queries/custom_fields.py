"""Definitions of custom fields, and cards found by the values of them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.errors import FieldError, InvalidInputError
from app.models import Customer, CustomField
from app.models.columns import JSON_COLUMN
from app.rules.custom_fields import Choice, Definition, NotAllowedError, from_text
from app.vocabulary import CustomerKind, FieldType

_POINTER: Final = "/query/custom"


def definition_of(field: CustomField) -> Definition:
    """Return a stored definition as the rules take it."""
    return Definition(
        code=field.code,
        type=field.type,
        label_en=field.label_en,
        label_zh=field.label_zh,
        section=field.section,
        choices=tuple(Choice(**choice) for choice in field.choices or ()),
        is_required=field.is_required,
        minimum=field.minimum,
        maximum=field.maximum,
        help_en=field.help_en,
        help_zh=field.help_zh,
    )


async def definitions_in_use(
    session: AsyncSession, kind: CustomerKind, *, lock: bool = False
) -> list[Definition]:
    """Return the definitions for cards of a kind, in the order of the form.

    With ``lock`` they stay what they are until the transaction ends: whoever writes a value holds
    the definition that allows it, and whoever takes a choice away waits and then sees the value.
    """
    statement = (
        select(CustomField)
        .where(col(CustomField.scope) == kind, col(CustomField.archived_at).is_(None))
        .order_by(col(CustomField.position), col(CustomField.code))
        .execution_options(populate_existing=True)
    )
    if lock:
        statement = statement.with_for_update(key_share=True, read=True)
    return [definition_of(field) for field in await session.scalars(statement)]


async def conditions(
    session: AsyncSession, kind: CustomerKind | None, wanted: Sequence[str]
) -> list[ColumnElement[bool]]:
    """Return the conditions of filters ``code:value``, each found by the index of ``custom``.

    Fields out of use can be asked for: their values stand.

    Raises:
        InvalidInputError: no such field, or no value of it is written so.
    """
    if not wanted:
        return []
    pairs = [text.partition(":")[::2] for text in wanted]
    statement = select(CustomField).where(col(CustomField.code).in_({code for code, _ in pairs}))
    if kind is not None:
        statement = statement.where(col(CustomField.scope) == kind)
    fields: dict[str, list[CustomField]] = {}
    for field in await session.scalars(statement):
        fields.setdefault(field.code, []).append(field)
    return [_condition(fields.get(code, []), value) for code, value in pairs]


def _condition(fields: Sequence[CustomField], written: str) -> ColumnElement[bool]:
    if not fields:
        raise _refused("unknown", "There is no such field.", "没有此自定义字段。")
    found, refusal = [], None
    for field in fields:
        try:
            value = from_text(definition_of(field), written)
        except NotAllowedError as error:
            refusal = error
        else:
            found.append(and_(col(Customer.kind) == field.scope, holds(field.code, value)))
    if not found:
        assert refusal is not None
        raise _refused(refusal.code, refusal.detail, refusal.detail_zh)
    return or_(*found)


def _refused(code: str, detail: str, detail_zh: str) -> InvalidInputError:
    return InvalidInputError(
        "Some values are not acceptable.",
        [FieldError(_POINTER, code, detail, detail_zh)],
        detail_zh="部分内容不符合要求。",
    )


def holds(code: str, value: Any) -> ColumnElement[bool]:
    """Return the condition that a card holds a value; of several choices, that it is among them."""
    return col(Customer.custom).op("@>")(literal({code: value}, JSON_COLUMN))


async def choices_in_use(
    session: AsyncSession, field: CustomField, codes: Sequence[str]
) -> list[str]:
    """Return those choices that some card of the kind has, whatever became of the card."""
    wanted = [[code] if field.type is FieldType.MULTI_CHOICE else code for code in codes]
    found = await session.execute(
        select(
            *(
                exists().where(col(Customer.kind) == field.scope, holds(field.code, value))
                for value in wanted
            )
        )
    )
    return [code for code, is_used in zip(codes, found.one(), strict=True) if is_used]
