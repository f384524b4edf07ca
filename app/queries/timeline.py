"""One list of everything that happened with a card, newest first, in one statement.

Each kind is a branch that reads its own table in the order of its own index and stops after a
page; the branches are united, sorted and cut. A page therefore costs the same wherever it lies.
Raw asyncpg: the statement is put together from the branches below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from app.vocabulary import Permission, TimelineKind


@dataclass(frozen=True, slots=True)
class Branch:
    """One kind of entry: its table, when its rows happened, and what is told of them.

    The table needs an index (``customer_id``, ``at``, ``id``). ``members`` are SQL expressions by
    the name of the answer's member; amounts as text, since JSON's numbers are binary. They are
    evaluated for the page's rows only.
    """

    kind: TimelineKind
    needs: Permission
    table: str
    at: str
    members: Mapping[str, str]


def _columns(*names: str) -> dict[str, str]:
    return {name: f"t.{name}" for name in names}


BRANCHES: Final[tuple[Branch, ...]] = (
    Branch(
        TimelineKind.PURCHASE,
        Permission.PURCHASES_READ,
        "purchase",
        "occurred_at",
        {
            "purchase_kind": "t.kind",
            "amount": "t.amount::text",
            **_columns(
                "status", "currency", "store_id", "receipt_number", "refund_of_id", "voided_at"
            ),
        },
    ),
    Branch(
        TimelineKind.INTERACTION,
        Permission.INTERACTIONS_READ,
        "interaction",
        "occurred_at",
        {
            "cost": "t.cost::text",
            **_columns(
                "channel", "direction", "subject", "outcome", "duration_seconds", "next_step_on",
                "next_step_done_at", "store_id", "staff_id", "purchase_id",
            ),
        },
    ),
    Branch(
        TimelineKind.TIER_CHANGE,
        Permission.TIERS_READ,
        "tier_assignment",
        "valid_from",
        {
            "previous_level": """(
                SELECT p.level FROM tier_assignment AS p
                WHERE p.customer_id = t.customer_id AND (p.valid_from, p.id) < (t.valid_from, t.id)
                ORDER BY p.valid_from DESC, p.id DESC LIMIT 1)""",
            "sentences": "t.explanation -> 'sentences'",
            **_columns("level", "cause", "purchase_id"),
        },
    ),
    Branch(
        TimelineKind.CONSENT,
        Permission.CUSTOMERS_READ,
        "consent_record",
        "stated_at",
        _columns("purpose", "channel", "state", "proof", "recorded_at"),
    ),
    Branch(
        TimelineKind.MERGE,
        Permission.CUSTOMERS_READ,
        "customer_merge",
        "merged_at",
        _columns("loser_ids", "status", "undone_at", "actor_kind", "actor_id"),
    ),
)  # fmt: skip
"""Entries of one instant stand in this order. A new kind is one more branch."""

Place = tuple[datetime, TimelineKind, UUID]
"""Where an entry stands: its instant, its kind, its id."""


@cache
def statement(kinds: tuple[TimelineKind, ...], after: TimelineKind | None) -> str:
    """Return the statement for these kinds, after an entry of the kind ``after`` if there is one.

    Parameters: the customer, how many, and the instant and the id of the entry it goes on after.
    """
    ranks = {branch.kind: rank for rank, branch in enumerate(BRANCHES)}
    parts = []
    for branch in BRANCHES:
        if branch.kind not in kinds:
            continue
        rank = ranks[branch.kind]
        # Of that very instant come the same kind's smaller ids, and the kinds that stand later.
        further = ""
        if after is not None:
            further = {
                -1: f"AND t.{branch.at} < $3",
                0: f"AND (t.{branch.at}, t.id) < ($3, $4)",
                1: f"AND t.{branch.at} <= $3",
            }[(rank > ranks[after]) - (rank < ranks[after])]
        members = ", ".join(f"'{name}', {value}" for name, value in branch.members.items())
        parts.append(f"""
            (SELECT '{branch.kind}' AS kind, {rank} AS rank, t.{branch.at} AS at, t.id,
                jsonb_build_object({members}) AS members
            FROM {branch.table} AS t WHERE t.customer_id = $1 {further}
            ORDER BY t.{branch.at} DESC, t.id DESC LIMIT $2)
        """)  # noqa: S608 - built from constants of this module
    # A parameter has to be spoken of to have a type.
    is_silent = after is not None and after not in kinds
    bound = "WHERE $4::uuid IS NOT NULL" if is_silent else ""
    return f"""
        SELECT kind, at, id, members FROM ({" UNION ALL ".join(parts)}) AS entry {bound}
        ORDER BY at DESC, rank, id DESC LIMIT $2
    """  # noqa: S608 - built from constants, and numbers of our own


async def list_entries(
    connection: Any,
    customer_id: UUID,
    kinds: Sequence[TimelineKind],
    after: Place | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return entries of these kinds, newest first, after a place: members, kind, at, id."""
    if not kinds:
        return []
    text = statement(tuple(sorted(set(kinds))), after and after[1])
    place = () if after is None else (after[0], after[2])
    rows = await connection.fetch(text, customer_id, limit, *place)
    return [
        {**row["members"], "kind": row["kind"], "at": row["at"], "id": row["id"]} for row in rows
    ]
