"""Administer the fields that a chain adds to its cards."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import ConflictError, FieldError
from app.core.ids import new_id
from app.models import CustomField
from app.queries.custom_fields import choices_in_use, definition_of, definitions_in_use
from app.rules.access import Actor
from app.rules.custom_fields import Choice, check_definition, json_schema, removed_choices
from app.schemas.card_parts import MAXIMUM_FIELDS
from app.schemas.custom_fields import CustomFieldChange, CustomFieldCreate, CustomFieldRead
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action, CustomerKind

OBJECT_TYPE: Final = "custom_field"


async def create_custom_field(
    session: AsyncSession, actor: Actor, body: CustomFieldCreate
) -> CustomFieldRead:
    """Add a field to the cards of a kind.

    Raises:
        ConflictError: a field of that kind has the code, or there are too many fields.
        InvalidInputError: the definition contradicts itself.
    """
    values = body.model_dump(mode="json")
    values["scope"] = values.pop("kind")
    _check(values)
    count = select(func.count()).where(col(CustomField.scope) == body.kind)
    if (await session.scalar(count) or 0) >= MAXIMUM_FIELDS:
        raise ConflictError(
            f"Cards of a kind have {MAXIMUM_FIELDS} custom fields at most.",
            detail_zh=f"每类客户卡最多有 {MAXIMUM_FIELDS} 个自定义字段。",
        )
    now = clock.now()
    field: CustomField | None = await session.scalar(
        insert(CustomField)
        .values(id=new_id(), version=1, created_at=now, updated_at=now, **values)
        .on_conflict_do_nothing(index_elements=["scope", "code"])
        .returning(CustomField)
    )
    if field is None:
        raise ConflictError(
            "Another field of these cards has this code.",
            detail_zh="该类客户卡已有使用此编码的字段。",
        )
    await record_action(session, actor, Action.CREATED, OBJECT_TYPE, field.id, values)
    return _read(field)


async def list_custom_fields(
    session: AsyncSession,
    *,
    kind: CustomerKind | None,
    is_archived: bool | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[CustomFieldRead], list[Any] | None]:
    """Return a page of fields in the order of the form, and the position of the next page."""
    place = (col(CustomField.scope), col(CustomField.position), col(CustomField.code))
    wanted = select(CustomField).order_by(*place).limit(limit + 1)
    if kind is not None:
        wanted = wanted.where(col(CustomField.scope) == kind)
    if is_archived is not None:
        wanted = wanted.where(col(CustomField.archived_at).is_not(None) == is_archived)
    if after is not None:
        wanted = wanted.where(tuple_(*place) > tuple_(*after))
    page, position = changes.page_of(
        (await session.scalars(wanted)).all(),
        limit,
        lambda field: [str(field.scope), field.position, field.code],
    )
    return [_read(field) for field in page], position


async def get_custom_field(session: AsyncSession, field_id: UUID) -> CustomFieldRead:
    """Return a field.

    Raises:
        NotFoundError: there is none.
    """
    field = await session.get(CustomField, field_id)
    if field is None:
        raise changes.not_found()
    return _read(field)


async def change_custom_field(
    session: AsyncSession, actor: Actor, field_id: UUID, seen: int, body: CustomFieldChange
) -> CustomFieldRead:
    """Change what the body names; values of cards stay as they are, even beyond new bounds.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since version ``seen``.
        ConflictError: a choice that is left out is that of a card.
        InvalidInputError: the definition would contradict itself.
    """
    # Who writes values holds the definition (FOR KEY SHARE): this waits, and sees them after.
    field = await changes.lock(session, CustomField, field_id, key_share=False)
    await changes.check_version(session, OBJECT_TYPE, field_id, current=field.version, seen=seen)
    wanted = body.model_dump(mode="json", include=body.model_fields_set)
    _check({**field.model_dump(), **wanted})
    if "choices" in wanted:
        await _check_left_out(session, field, wanted["choices"])
    different = changes.write_changes(field, wanted)
    if different:
        await changes.save(session, actor, field, OBJECT_TYPE, different)
    return _read(field)


async def archive_custom_field(
    session: AsyncSession, actor: Actor, field_id: UUID, seen: int
) -> CustomFieldRead:
    """Put a field out of use: its values stay on cards and can be read, and no new one is taken.

    Raises:
        NotFoundError, PreconditionFailedError: as for every change.
        ConflictError: it is out of use already.
    """
    return await _move(session, actor, field_id, seen, Action.ARCHIVED)


async def restore_custom_field(
    session: AsyncSession, actor: Actor, field_id: UUID, seen: int
) -> CustomFieldRead:
    """Put a field into use again.

    Raises:
        NotFoundError, PreconditionFailedError: as for every change.
        ConflictError: it is in use.
    """
    return await _move(session, actor, field_id, seen, Action.RESTORED)


async def get_schema(session: AsyncSession, kind: CustomerKind, *, chinese: bool) -> dict[str, Any]:
    """Return the JSON Schema of ``custom`` on new cards of a kind."""
    return json_schema(await definitions_in_use(session, kind), chinese=chinese)


async def _move(
    session: AsyncSession, actor: Actor, field_id: UUID, seen: int, action: Action
) -> CustomFieldRead:
    field = await changes.lock(session, CustomField, field_id, key_share=False)
    await changes.check_version(session, OBJECT_TYPE, field_id, current=field.version, seen=seen)
    archives = action is Action.ARCHIVED
    if (field.archived_at is not None) == archives:
        raise ConflictError(
            "The field is out of use already." if archives else "The field is in use.",
            code="invalid-transition",
            detail_zh="该字段已停用。" if archives else "该字段正在使用。",
        )
    field.archived_at = clock.now() if archives else None
    await changes.save(session, actor, field, OBJECT_TYPE, ["archived_at"], action)
    return _read(field)


def _check(values: Mapping[str, Any]) -> None:
    choices = values["choices"]
    refusals = check_definition(
        values["type"],
        None if choices is None else [Choice(**choice) for choice in choices],
        values["minimum"],
        values["maximum"],
    )
    if refusals:
        raise changes.not_acceptable(
            [
                FieldError(
                    "/" + "/".join(refusal.place), refusal.code, refusal.detail, refusal.detail_zh
                )
                for refusal in refusals
            ]
        )


async def _check_left_out(
    session: AsyncSession, field: CustomField, choices: Sequence[Mapping[str, str]]
) -> None:
    left_out = removed_choices(
        definition_of(field).choices, [Choice(**choice) for choice in choices]
    )
    used = await choices_in_use(session, field, left_out) if left_out else []
    if used:
        raise ConflictError(
            "Cards have choices that would be left out; relabel them instead.",
            detail_zh="有客户卡正在使用将被移除的选项；可以修改其名称。",
            members={"choices": used},
        )


def _read(field: CustomField) -> CustomFieldRead:
    shown = {name: getattr(field, name, None) for name in CustomFieldRead.model_fields}
    return CustomFieldRead.model_validate({**shown, "kind": field.scope})
