"""Administer the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import Product
from app.rules.access import Actor
from app.schemas.catalogue import ProductChange, ProductCreate
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action

OBJECT_TYPE = "product"


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Which products are wanted; None where it does not matter."""

    sku_prefix: str | None = None
    category: str | None = None
    isbn: str | None = None
    is_active: bool | None = None


async def create_product(session: AsyncSession, actor: Actor, body: ProductCreate) -> Product:
    """Take a title or article into the catalogue.

    Raises:
        ConflictError: the SKU or the ISBN is taken.
    """
    now = clock.now()
    fields = body.model_dump()
    product: Product | None = await session.scalar(
        insert(Product)
        .values(id=new_id(), is_active=True, version=1, created_at=now, updated_at=now, **fields)
        .on_conflict_do_nothing()
        .returning(Product)
    )
    if product is None:
        raise ConflictError(
            "Another product has this SKU or this ISBN.",
            detail_zh="该 SKU 或 ISBN 已被其他商品使用。",
        )
    await record_action(session, actor, Action.CREATED, OBJECT_TYPE, product.id, fields)
    return product


async def get_product(session: AsyncSession, product_id: UUID) -> Product:
    """Return a product.

    Raises:
        NotFoundError: there is none.
    """
    product = await session.get(Product, product_id)
    if product is None:
        raise changes.not_found()
    return product


async def list_products(
    session: AsyncSession, wanted: ProductFilter, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[Product], list[Any] | None]:
    """Return a page of products by SKU, and the position of the next page if there is one."""
    found = select(Product).order_by(col(Product.sku)).limit(limit + 1)
    if wanted.sku_prefix is not None:
        found = found.where(col(Product.sku).startswith(wanted.sku_prefix, autoescape=True))
    if wanted.category is not None:
        found = found.where(col(Product.category) == wanted.category)
    if wanted.isbn is not None:
        found = found.where(col(Product.isbn) == wanted.isbn)
    if wanted.is_active is not None:
        found = found.where(col(Product.is_active) == wanted.is_active)
    if after is not None:
        found = found.where(col(Product.sku) > after[0])
    rows = (await session.scalars(found)).all()
    return changes.page_of(rows, limit, lambda product: [product.sku])


async def change_product(
    session: AsyncSession, actor: Actor, product_id: UUID, seen: int, body: ProductChange
) -> Product:
    """Change the fields of a product that the body names; receipts keep what they were told.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since version ``seen``.
        ConflictError: another product has the ISBN (told by the unique constraint).
    """
    product = await changes.lock(session, Product, product_id)
    await changes.check_version(
        session, OBJECT_TYPE, product_id, current=product.version, seen=seen
    )
    different = changes.write_changes(product, body.changes())
    if different:
        await changes.save(session, actor, product, OBJECT_TYPE, different)
    return product
