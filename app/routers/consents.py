"""What customers agree to, with history and proof."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.rules.consent import Said, Subject
from app.schemas.common import LabelledCode
from app.schemas.consents import (
    ConsentCheck,
    ConsentRecordRead,
    Consents,
    ConsentsStated,
    ConsentsWithdrawn,
)
from app.services import consents
from app.vocabulary import ConsentChannel, ConsentPurpose, Permission
from app.web.answers import (
    ON_CREATING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CustomerId
from app.web.route import HuikeRoute
from app.web.survivors import ReadCustomerId

router = APIRouter(prefix="/v1/customers", tags=["consent"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]
Writer = Annotated[Actor, Depends(Allow(Permission.CONSENTS_WRITE))]
CARD = "/{customer_id:uuid}/consents"
RECORDING = (*ON_CREATING, "not-found", "card-merged")


@router.post(
    CARD,
    status_code=201,
    summary="Record what a customer agrees to",
    responses=problems(*RECORDING),
    dependencies=[Idempotent],
)
async def record_consents(
    customer_id: CustomerId,
    body: ConsentsStated,
    actor: Writer,
    session: SessionDep,
    response: Response,
) -> Consents:
    """Write down statements with their proof, and answer what stands then.

    For each purpose and channel the statement that was *stated* last stands, in whatever order
    they are written down; of two of the same instant, the withdrawal.
    """
    standing = await consents.record_consents(session, actor, customer_id, body)
    set_created(response, f"/v1/customers/{customer_id}/consents")
    return _consents(customer_id, standing)


@router.post(
    f"{CARD}/withdraw-all",
    status_code=201,
    summary="Record that a customer takes everything back",
    responses=problems(*RECORDING),
    dependencies=[Idempotent],
)
async def withdraw_consents(
    customer_id: CustomerId,
    body: ConsentsWithdrawn,
    actor: Writer,
    session: SessionDep,
    response: Response,
) -> Consents:
    """Withdraw every purpose for every channel, as if each were stated: “don't contact me”."""
    standing = await consents.withdraw_consents(session, actor, customer_id, body)
    set_created(response, f"/v1/customers/{customer_id}/consents")
    return _consents(customer_id, standing)


@router.get(CARD, summary="What a customer agrees to now", responses=problems(*ON_READING))
async def get_consents(
    customer_id: ReadCustomerId, _actor: Reader, session: SessionDep
) -> Consents:
    """Return what was said last; a purpose and channel without a statement was never asked.

    `is_in_force` is false for what was granted for a channel before the purpose was withdrawn for
    `any`.
    """
    return _consents(customer_id, await consents.get_consents(session, customer_id))


@router.get(
    f"{CARD}/check",
    summary="Whether the chain may reach a customer",
    responses=problems(*ON_READING),
)
async def check_consent(
    customer_id: ReadCustomerId,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    purpose: Annotated[ConsentPurpose, Query(description="What for.")],
    channel: Annotated[
        ConsentChannel, Query(description="By which way; `any` asks about the purpose as a whole.")
    ] = ConsentChannel.ANY,
) -> ConsentCheck:
    """Say whether the chain may act for this purpose by this channel now, and why.

    What was said about the channel beats what was said about `any`, but a withdrawal for `any`
    ends what was granted for a channel before. Where nothing was said, the answer is no, but for
    purposes that need no asking (care after a purchase, unless the operator set it otherwise).
    """
    decision = await consents.check_consent(session, settings, customer_id, purpose, channel)
    return ConsentCheck(
        purpose=purpose,
        channel=channel,
        is_allowed=decision.is_allowed,
        reason=LabelledCode.of(decision.reason),
        decided_by=consents.consent_read(decision.subject, decision.said, is_in_force=True)
        if decision.subject is not None and decision.said is not None
        else None,
    )


@router.get(
    f"{CARD}/history",
    summary="What a customer said about consent",
    responses=problems(*ON_READING, "invalid-cursor"),
)
async def list_consent_records(
    customer_id: ReadCustomerId,
    _actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ConsentRecordRead]:
    """Return every statement with its proof, the latest stated first."""
    listing = {"list": "consent-records", "customer": customer_id}
    place = position_after(settings, listing, cursor)
    found = await consents.list_consent_records(
        session,
        customer_id,
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=limit + 1,
    )
    page = found[:limit]
    return Page(
        items=[ConsentRecordRead.model_validate(record) for record in page],
        next_cursor=next_cursor(
            settings,
            listing,
            [page[-1].stated_at, page[-1].id] if len(found) > limit else None,
        ),
    )


def _consents(customer_id: UUID, standing: Mapping[Subject, Said]) -> Consents:
    return Consents(customer_id=customer_id, standing=consents.standing_read(standing))
