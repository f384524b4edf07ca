"""What a list of cards is narrowed to, and the conditions that do it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal, select
from sqlmodel import col

from app.models import Customer, CustomerProfile, TierAssignment
from app.models.columns import TEXTS
from app.schemas.customers import CustomerSort, StatusFilter
from app.vocabulary import CustomerGroup, CustomerKind, CustomerStatus, RfmSegment, TierLevel


@dataclass(frozen=True, slots=True)
class CardFilters:
    """What a list of cards is narrowed to; None leaves a part open. Days are both included."""

    status: StatusFilter = "active"
    kind: CustomerKind | None = None
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None
    tier: TierLevel | None = None
    segment: RfmSegment | None = None
    group: CustomerGroup | None = None
    registered_from: date | None = None
    registered_to: date | None = None
    tags: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    custom: tuple[str, ...] = ()
    completeness_below: int | None = None

    def listing(self, sort: CustomerSort) -> Mapping[str, Any]:
        """Return what a cursor is good for: this list, so filtered, so sorted."""
        return {"list": "customers", "sort": sort, **asdict(self)}


def conditions_of(filters: CardFilters) -> list[ColumnElement[bool]]:
    """Return the conditions on cards and their current tiers."""
    wanted: list[tuple[Any, object]] = [
        (Customer.kind, filters.kind),
        (Customer.home_store_id, filters.home_store_id),
        (Customer.owner_staff_id, filters.owner_staff_id),
        (TierAssignment.level, filters.tier),
    ]
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in wanted if value is not None
    ]
    # What was merged or erased is in no list: its survivor is, or nobody.
    conditions.append(
        col(Customer.status).in_((CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED))
        if filters.status == "any"
        else col(Customer.status) == filters.status
    )
    # As a set of ids: the list keeps its own order, and looks each card's profile up, unless few
    # are in the segment.
    of_profile = [
        column == value
        for column, value in (
            (col(CustomerProfile.segment), filters.segment),
            (col(CustomerProfile.customer_group), filters.group),
        )
        if value is not None
    ]
    if of_profile:
        wanted_ids = select(col(CustomerProfile.customer_id)).where(*of_profile)
        conditions.append(col(Customer.id).in_(wanted_ids))
    if filters.registered_from is not None:
        conditions.append(col(Customer.registered_on) >= filters.registered_from)
    if filters.registered_to is not None:
        conditions.append(col(Customer.registered_on) <= filters.registered_to)
    for column, words in ((Customer.tags, filters.tags), (Customer.interests, filters.interests)):
        if words:
            conditions.append(col(column).op("@>")(literal(list(words), TEXTS)))
    if filters.completeness_below is not None:
        conditions.append(col(Customer.completeness) < filters.completeness_below)
    return conditions
