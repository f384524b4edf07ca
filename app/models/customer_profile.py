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

    Scores are empty for who never bought. What lists are ordered by, and show, is there for the
    cards in them: next level, what is missing, growth (-1 to 1) and pace (else zero) where there is
    potential, contribution (margin less cost to serve) of candidates for pruning. Such figures
    change with every day that passes, and a card of which nothing new is said is not written. All
    of it comes from figures alone: which level is held, and what is being reviewed, is for the
    reader to see.
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
