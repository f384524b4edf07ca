"""Every table that belongs to customers, and what becomes of its rows with a merge or an erasure.

A new table of customers needs a row here; a test compares the list with the models. Merging,
erasing and copying out walk this list, so that none of them forgets a table.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlmodel import SQLModel

from app.models import (
    ConsentRecord,
    Customer,
    CustomerChange,
    CustomerConsent,
    CustomerContact,
    CustomerIdentity,
    CustomerMerge,
    CustomerMergeItem,
    CustomerProfile,
    CustomerSearchKey,
    CustomerServiceStats,
    CustomerStats,
    Disclosure,
    DuplicateCard,
    DuplicateKey,
    Erasure,
    Identity,
    ImportItem,
    Interaction,
    InteractionChange,
    InteractionEntry,
    OutboxEvent,
    PosEvent,
    Purchase,
    PurchaseLine,
    Receipt,
    TierAssignment,
    TierNotice,
    TierReview,
)


class OnMerge(Enum):
    """What becomes of the rows of a card that is merged into another."""

    MOVES = "moves"
    """Each row goes over as it is, and comes back when the merge is undone."""
    JOINS = "joins"
    """A rule of its own makes one of both; what was is in the manifest."""
    POINTS = "points"
    """Keyed by something else: the row stays and names the surviving card."""
    REBUILT = "rebuilt"
    """Derived: made anew for both cards."""
    STAYS = "stays"
    """Tells of the card itself and stays with it."""


class OnErasure(Enum):
    """What becomes of the rows of a person who is erased."""

    KEPT = "kept"
    """Figures and ids only: totals and ledgers go on adding up."""
    CLEARED = "cleared"
    """The row stays, its personal columns are emptied."""
    DELETED = "deleted"
    """The rows go."""


@dataclass(frozen=True, slots=True)
class CustomerTable:
    """A table of customers; ``personal`` are the columns with what identifies somebody.

    ``is_copied``: its rows are in the copy that a person gets of everything about them. Left out
    is what only says again, for the service's own use, what other tables say.
    """

    model: type[SQLModel]
    on_merge: OnMerge
    on_erasure: OnErasure
    personal: tuple[str, ...] = ()
    is_copied: bool = True

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.model.__tablename__)


CUSTOMER_TABLES: Final[tuple[CustomerTable, ...]] = (
    CustomerTable(
        Customer,
        OnMerge.JOINS,
        OnErasure.CLEARED,
        (
            "name", "gender", "birthday_calendar", "birth_year", "birth_month", "birth_day",
            "birth_month_is_leap", "marital_status", "occupation", "employer", "job_title",
            "industry", "size_band", "region", "address", "note", "tags", "interests", "family",
            "terms", "custom",
        ),
    ),
    CustomerTable(CustomerIdentity, OnMerge.MOVES, OnErasure.DELETED, ("value", "label")),
    CustomerTable(Identity, OnMerge.POINTS, OnErasure.DELETED, ("value",), is_copied=False),
    CustomerTable(
        CustomerSearchKey,
        OnMerge.REBUILT,
        OnErasure.DELETED,
        ("characters", "letters", "initials"),
        is_copied=False,
    ),
    CustomerTable(
        CustomerContact,
        OnMerge.MOVES,
        OnErasure.DELETED,
        ("name", "title", "phone", "email", "note"),
    ),
    CustomerTable(CustomerChange, OnMerge.STAYS, OnErasure.CLEARED, ("changes",)),
    # A purchase before its lines, an interaction before its changes: what others refer to first.
    CustomerTable(Purchase, OnMerge.MOVES, OnErasure.KEPT),
    CustomerTable(PurchaseLine, OnMerge.MOVES, OnErasure.KEPT),
    CustomerTable(Receipt, OnMerge.POINTS, OnErasure.KEPT, is_copied=False),
    CustomerTable(PosEvent, OnMerge.POINTS, OnErasure.CLEARED, ("body", "answer")),
    CustomerTable(OutboxEvent, OnMerge.STAYS, OnErasure.KEPT, is_copied=False),
    CustomerTable(CustomerStats, OnMerge.REBUILT, OnErasure.KEPT),
    CustomerTable(TierAssignment, OnMerge.JOINS, OnErasure.CLEARED, ("reason",)),
    CustomerTable(TierNotice, OnMerge.STAYS, OnErasure.KEPT),
    CustomerTable(TierReview, OnMerge.STAYS, OnErasure.CLEARED, ("reason",)),
    CustomerTable(CustomerProfile, OnMerge.REBUILT, OnErasure.KEPT),
    CustomerTable(Interaction, OnMerge.MOVES, OnErasure.CLEARED, ("subject", "text", "next_step")),
    CustomerTable(InteractionChange, OnMerge.MOVES, OnErasure.CLEARED, ("changes",)),
    CustomerTable(InteractionEntry, OnMerge.STAYS, OnErasure.KEPT, is_copied=False),
    CustomerTable(CustomerServiceStats, OnMerge.REBUILT, OnErasure.KEPT),
    CustomerTable(ConsentRecord, OnMerge.MOVES, OnErasure.CLEARED, ("proof_reference", "wording")),
    CustomerTable(CustomerConsent, OnMerge.JOINS, OnErasure.KEPT),
    CustomerTable(Disclosure, OnMerge.STAYS, OnErasure.CLEARED, ("reason",)),
    CustomerTable(Erasure, OnMerge.STAYS, OnErasure.KEPT),
    CustomerTable(DuplicateCard, OnMerge.STAYS, OnErasure.KEPT, is_copied=False),
    CustomerTable(
        DuplicateKey,
        OnMerge.REBUILT,
        OnErasure.DELETED,
        ("key", "refinement"),
        is_copied=False,
    ),
    CustomerTable(CustomerMerge, OnMerge.STAYS, OnErasure.CLEARED, ("plan", "before", "reason")),
    CustomerTable(CustomerMergeItem, OnMerge.STAYS, OnErasure.CLEARED, ("before",)),
    CustomerTable(ImportItem, OnMerge.STAYS, OnErasure.CLEARED, ("key", "before")),
)  # fmt: skip
