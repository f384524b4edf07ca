"""The search for customers."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.rules.access import Actor
from app.schemas.customer_search import CustomerSearch, SearchResult
from app.services import customer_search
from app.vocabulary import Permission
from app.web.dependencies import Allow, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CUSTOMERS_READ))]


@router.post(
    "/search", summary="Search for customers", responses=problems(*SIGNED_IN, *ANY_REQUEST)
)
async def search_customers(
    body: CustomerSearch, actor: Reader, session: SessionDep, settings: SettingsDep
) -> SearchResult:
    """Return the best page of cards for a name, a part of it, its pinyin or initials, or a number.

    Customers of the preferred stores come first, before what only other readings, mixtures or later
    parts of a name find; every hit says why it is one.
    There are no further pages: where there is more, more has to be typed. Personal words never
    stand in an address.
    """
    return await customer_search.search_customers(session, actor, settings, body)
