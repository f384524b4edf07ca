"""Reads of a merged card's id are answered with the surviving card, and say so."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from app.rules.access import Actor
from app.services.survivors import surviving_id
from app.web.dependencies import SessionDep, authenticate
from app.web.parameters import CustomerId

_ID = re.compile("/customers/[^/]+")


async def surviving_customer(
    customer_id: CustomerId,
    request: Request,
    response: Response,
    session: SessionDep,
    _actor: Annotated[Actor, Depends(authenticate)],
) -> UUID:
    """Return the card that the id leads to, and say so where it is another one."""
    survivor = await surviving_id(session, customer_id)
    if survivor != customer_id:
        # The address of what is answered (RFC 9110, 8.7): the same with the surviving card's id.
        path = _ID.sub(f"/customers/{survivor}", request.url.path, count=1)
        query = f"?{request.url.query}" if request.url.query else ""
        response.headers["Content-Location"] = f"{path}{query}"
    return survivor


ReadCustomerId = Annotated[UUID, Depends(surviving_customer)]
"""For routes that read: ``customer_id`` of the path, or of the card it was merged into.

The answer to a merged card's id then carries ``Content-Location`` with the surviving card's
address. Routes that change something take :data:`~app.web.parameters.CustomerId`, and refuse a
merged card (409 ``card-merged``).
"""
