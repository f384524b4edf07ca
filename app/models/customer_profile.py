"""What a customer's figures say: scores, segment, group, signs; made anew by the night."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Texts, Total, code_check, code_field, optional_code_field
from app.vocabulary import CustomerGroup, RfmSegment, TierLevel

Growth = Annotated[Decimal | None, Field(sa_type=sa.Numeric(4, 3))]
TotalOrNone = Annotated[Decimal | None, Field(sa_type=sa.Numeric(28, 2))]


class CustomerProfile(SQLModel, table=True):
    """Scores of 1 to 5, segment, group and signs by the calibration of the policy in force.

    Scores are empty for who never bought; ``growth`` lies between -1 and 1, ``contribution`` is
    margin less cost to serve of the rolling window, empty while no cost of goods is known.
    ``next_level`` is the one above what the figures earn. All of it comes from figures alone: which
    level is held, and what is being reviewed, is for the reader to look at.
    """

    __tablename__ = "customer_profile"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("segment", RfmSegment),
        code_check("customer_group", CustomerGroup),
        code_check("next_level", TierLevel),
        sa.Index(None, "segment", "customer_id"),
        sa.Index(None, "customer_group", "customer_id"),
        sa.Index(
            "ix_customer_profile_hollow",
            "is_severe",
            "customer_id",
            postgresql_where=sa.text("is_hollow"),
        ),
        sa.Index(
            "ix_customer_profile_potential",
            "missing",
            "customer_id",
            postgresql_where=sa.text("has_potential"),
        ),
        sa.Index(
            "ix_customer_profile_pruning",
            "contribution",
            "customer_id",
            postgresql_where=sa.text("is_pruning_candidate"),
        ),
        {"postgresql_with": {"fillfactor": 80}},
    )

    customer_id: UUID = Field(primary_key=True)
    recency_score: int | None = None
    frequency_score: int | None = None
    monetary_score: int | None = None
    segment: RfmSegment = code_field(RfmSegment)
    customer_group: CustomerGroup = code_field(CustomerGroup)
    growth: Growth = None
    contribution: TotalOrNone = None
    pace: Total
    next_level: TierLevel | None = optional_code_field(TierLevel)
    missing: TotalOrNone = None
    has_potential: bool
    is_hollow: bool
    is_severe: bool
    hollow_signs: Texts
    is_pruning_candidate: bool
