"""What the chain sells."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.catalogue import Isbn, ProductChange, ProductCreate, ProductRead
from app.services import catalogue
from app.services.catalogue import ProductFilter
from app.vocabulary import Permission, ShortText
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import OnlyActive, ProductId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/products", tags=["catalogue"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.CATALOGUE_READ))]
Editor = Annotated[Actor, Depends(Allow(Permission.CATALOGUE_WRITE))]


@router.post(
    "",
    status_code=201,
    summary="Take a product into the catalogue",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent],
)
async def create_product(
    body: ProductCreate, actor: Editor, session: SessionDep, response: Response
) -> ProductRead:
    """Create a title or article; SKU and ISBN are unique."""
    product = await catalogue.create_product(session, actor, body)
    set_created(response, f"/v1/products/{product.id}", product.version)
    return ProductRead.model_validate(product)


@router.get("", summary="List the catalogue", responses=problems(*ON_LISTING))
async def list_products(
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    q: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="What the SKU begins with."
        ),
    ] = None,
    category: Annotated[ShortText | None, Query(description="Exactly this category.")] = None,
    isbn: Annotated[Isbn | None, Query(description="Exactly this ISBN.")] = None,
    is_active: OnlyActive = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ProductRead]:
    """List products by SKU."""
    wanted = ProductFilter(sku_prefix=q, category=category, isbn=isbn, is_active=is_active)
    listing = {"list": "products", **asdict(wanted)}
    page, position = await catalogue.list_products(
        session, wanted, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=[ProductRead.model_validate(product) for product in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get("/{product_id}", summary="Read a product", responses=problems(*ON_READING))
async def get_product(
    product_id: ProductId, _: Reader, session: SessionDep, response: Response
) -> ProductRead:
    """Return a product; its ETag is needed to change it."""
    product = await catalogue.get_product(session, product_id)
    set_etag(response, product.version)
    return ProductRead.model_validate(product)


@router.patch(
    "/{product_id}", summary="Change a product", responses=problems(*ON_CHANGING, "conflict")
)
async def update_product(
    product_id: ProductId,
    body: ProductChange,
    actor: Editor,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ProductRead:
    """Change the fields that the body names; lines of past receipts stay as they were."""
    product = await catalogue.change_product(
        session, actor, product_id, seen_version(if_match), body
    )
    set_etag(response, product.version)
    return ProductRead.model_validate(product)
