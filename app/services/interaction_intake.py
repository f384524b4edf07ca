"""What is sent about contacts, made ready to be recorded."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.errors import FieldError, HuikeError, InvalidInputError
from app.rules.access import Actor
from app.schemas.customers import IdentityReference
from app.schemas.interactions import (
    CallerContactCreate,
    InteractionCreate,
    InteractionEntry,
)
from app.services.changes import not_acceptable
from app.services.customer_identities import key_of
from app.services.identities import IdentityKey
from app.services.interaction_recording import (
    Draft,
    Entry,
    Recorded,
    record_contact,
    record_contacts,
)

_FIELDS: Final = tuple(InteractionCreate.model_fields)
"""What a contact says of itself, in the names of the columns."""


async def record_interaction(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    given: InteractionCreate,
) -> Recorded:
    """Record a contact with a card; any shop's staff may, since contact happens anywhere.

    Raises:
        NotFoundError: no such card.
        ConflictError, GoneError: it was merged into another one, or its person erased.
        ForbiddenError: the shop it happened at is not among the actor's.
        InvalidInputError: values that contradict each other, lie in the future, or name nothing.
    """
    draft = Draft(_values_of(given), customer_id)
    return await record_contact(session, actor, settings, draft)


async def record_caller_contact(
    session: AsyncSession, actor: Actor, settings: Settings, given: CallerContactCreate
) -> tuple[Recorded, IdentityKey | None]:
    """Record a contact with whoever has an identity, or will have it; return what it awaits.

    Raises:
        ForbiddenError, InvalidInputError: as for a contact with a card.
    """
    key = _key_of(given.identity, settings)
    draft = Draft(_values_of(given), identity=key)
    recorded = await record_contact(session, actor, settings, draft)
    return recorded, key if recorded.customer_id is None else None


async def record_batch(
    session: AsyncSession, actor: Actor, settings: Settings, entries: Sequence[InteractionEntry]
) -> list[Recorded | HuikeError]:
    """Record what a service desk entered; each entry is recorded once, or refused for itself."""
    drafts: list[Draft | HuikeError] = [_draft_of(settings, entry) for entry in entries]
    good = [draft for draft in drafts if isinstance(draft, Draft)]
    outcomes = iter(await record_contacts(session, actor, settings, good))
    return [next(outcomes) if isinstance(draft, Draft) else draft for draft in drafts]


def _draft_of(settings: Settings, entry: InteractionEntry) -> Draft | HuikeError:
    if entry.customer_id is not None and entry.identity is not None:
        return not_acceptable(
            [
                FieldError(
                    "/identity",
                    "either-or",
                    "A customer_id or an identity, not both.",
                    "customer_id 与 identity 只能给其一。",
                )
            ]
        )
    try:
        key = _key_of(entry.identity, settings)
    except InvalidInputError as refusal:
        return refusal
    digest = hmac.new(settings.secret_key.get_secret_value().encode(), b"entry:", hashlib.sha256)
    digest.update(entry.model_dump_json().encode())
    return Draft(
        _values_of(entry), entry.customer_id, key, Entry(entry.entry_id, digest.hexdigest())
    )


def _values_of(given: Any) -> dict[str, Any]:
    return {field: getattr(given, field, None) for field in _FIELDS}


def _key_of(reference: IdentityReference | None, settings: Settings) -> IdentityKey | None:
    return None if reference is None else key_of(reference, settings, "/identity")
