"""Tell how customers are spread over segments and groups."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import profile_reports
from app.rules.access import Actor
from app.rules.rfm import BOUNDARIES, Boundary
from app.schemas.common import LabelledCode
from app.schemas.customer_profiles import (
    CustomerGroups,
    CustomerGroupShare,
    GroupReferences,
    RfmCutPoints,
    RfmSegments,
    RfmSegmentShare,
    ScoreRange,
)
from app.services.customer_profiles import profiles_as_of
from app.services.profile_answers import condition_read
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerGroup, CustomerKind

_NOBODY: Final = (0, Decimal("0.00"))


async def get_rfm_segments(session: AsyncSession, actor: Actor, kind: CustomerKind) -> RfmSegments:
    """Return customers and amounts by segment, with boundaries and cut points.

    For somebody bound to stores, those whose home store is theirs.
    """
    calibration = (await active_policies(session))[kind].calibration
    cuts = None if calibration is None else calibration.rfm
    found = await profile_reports.shares(
        await raw_connection(session), "segment", str(kind), _stores(actor)
    )
    customers, amount = _sums(found)
    return RfmSegments(
        as_of=await profiles_as_of(session),
        kind=kind,
        calibrated_on=None if calibration is None else calibration.as_of,
        cuts=None
        if cuts is None
        else RfmCutPoints(
            days_since_last_purchase=list(cuts.days_since_last_purchase),
            purchase_days=list(cuts.purchase_days),
            net_spend=list(cuts.net_spend),
        ),
        customers=customers,
        amount=amount,
        segments=[
            _segment(boundary, *found.get(str(boundary.segment), _NOBODY), customers, amount)
            for boundary in BOUNDARIES
        ],
    )


def _segment(
    boundary: Boundary, count: int, net: Decimal, customers: int, amount: Decimal
) -> RfmSegmentShare:
    is_scored = boundary.recency is not None
    return RfmSegmentShare(
        segment=LabelledCode.of(boundary.segment),
        condition=condition_read(boundary),
        recency=_range(boundary.recency),
        frequency=_range(boundary.frequency) if is_scored else None,
        frequency_and_money_at_least=str(boundary.frequency_and_money) if is_scored else None,
        customers=count,
        customers_share=_percent(Decimal(count), Decimal(customers)),
        amount=net,
        amount_share=_percent(net, amount),
    )


async def get_customer_groups(
    session: AsyncSession, actor: Actor, kind: CustomerKind
) -> CustomerGroups:
    """Return customers and amounts by group, with what cards are held against.

    For somebody bound to stores, those whose home store is theirs.
    """
    calibration = (await active_policies(session))[kind].calibration
    references = None if calibration is None else calibration.references
    found = await profile_reports.shares(
        await raw_connection(session), "customer_group", str(kind), _stores(actor)
    )
    customers, amount = _sums(found)
    return CustomerGroups(
        as_of=await profiles_as_of(session),
        kind=kind,
        calibrated_on=None if calibration is None else calibration.as_of,
        references=None if references is None else GroupReferences.model_validate(references),
        customers=customers,
        amount=amount,
        groups=[
            CustomerGroupShare(
                group=LabelledCode.of(group),
                customers=count,
                customers_share=_percent(Decimal(count), Decimal(customers)),
                amount=net,
                amount_share=_percent(net, amount),
            )
            for group, (count, net) in (
                (group, found.get(str(group), _NOBODY)) for group in CustomerGroup
            )
        ],
    )


def _stores(actor: Actor) -> list[UUID] | None:
    return None if actor.store_ids is None else sorted(actor.store_ids)


def _sums(found: Mapping[str, tuple[int, Decimal]]) -> tuple[int, Decimal]:
    customers = sum(count for count, _ in found.values())
    return customers, sum((net for _, net in found.values()), Decimal("0.00"))


def _range(scores: tuple[int, int] | None) -> ScoreRange | None:
    return None if scores is None else ScoreRange(first=scores[0], last=scores[1])


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole * 100).quantize(Decimal("0.1")) if whole else Decimal("0.0")
