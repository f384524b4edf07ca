"""Values of custom fields on a card, by the definitions in use."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import FieldError
from app.queries.custom_fields import definitions_in_use
from app.rules.custom_fields import check_values
from app.vocabulary import CustomerKind


async def checked(
    session: AsyncSession,
    kind: CustomerKind,
    given: Mapping[str, Any],
    found: list[FieldError],
    *,
    stands: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all values of a card as they will stand; what is wrong is added to ``found``.

    For a new card without ``stands``: then required fields have to be there. The definitions stay
    what they are until the transaction ends.
    """
    definitions = await definitions_in_use(session, kind, lock=bool(given))
    outcome = check_values(definitions, given, stands=stands)
    found.extend(
        FieldError(
            "/custom/" + "/".join(refusal.place), refusal.code, refusal.detail, refusal.detail_zh
        )
        for refusal in outcome.refusals
    )
    return dict(outcome.values)
