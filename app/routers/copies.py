"""Copies of everything about a person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.copies import CopyRequest, PersonCopy
from app.services import copies
from app.vocabulary import Permission
from app.web.dependencies import Allow, DatabaseDep, SessionDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.files import Chunks, MadeFile
from app.web.parameters import CustomerId
from app.web.route import HuikeRoute

router = APIRouter(
    prefix="/v1/customers/{customer_id:uuid}/copies", tags=["privacy"], route_class=HuikeRoute
)


@router.post(
    "",
    summary="Copy out everything about a person",
    responses={
        200: {"model": PersonCopy, "description": "The copy, sent while it is made."},
        **problems(*SIGNED_IN, *ANY_REQUEST, "not-found", "card-merged"),
    },
)
async def create_copy(
    customer_id: CustomerId,
    body: CopyRequest,
    actor: Annotated[Actor, Depends(Allow(Permission.PRIVACY_WRITE))],
    session: SessionDep,
    database: DatabaseDep,
) -> Response:
    """Return every row of every table that is the person's, of merged cards too, nothing masked.

    For the person (PIPL art. 45, GDPR art. 15): who made it and why is written down. It takes no
    Idempotency-Key, since nothing may keep the answer. One that breaks off is no JSON document.
    """
    begun = await copies.begin_copy(session, actor, customer_id, body.reason)

    async def make() -> tuple[Chunks, int | None]:
        return copies.write_copy(database, begun), None

    answer = MadeFile(make, f"customer-{customer_id}.json", "application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
