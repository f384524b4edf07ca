"""Which cards a night has to look at: who rises, whose notice is at its end, who is to be told.

Raw asyncpg over the scores of the whole chain (:mod:`app.queries.tier_figures`): one pass finds a
portion in the order of ids, the rules decide about each of its cards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries import tier_figures
from app.queries.rows import as_json
from app.rules.tier_evaluation import keep_line
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerKind

# $1 the night's day, $2 today, $3 the kind of customers, $4 the lines of each level as rows.
# A night for a day in the past: who rises has to earn it on both days, who falls to be below on
# both. The current tier's policy says what kind of customer it is.
_CURRENT = """
WITH lines AS (
    SELECT * FROM jsonb_to_recordset($4::jsonb)
        AS l (level text, rises_at numeric, keep_at numeric)
)
SELECT t.customer_id
FROM tier_assignment AS t
JOIN tier_policy AS p ON p.id = t.policy_id AND p.scope = $3
LEFT JOIN lines AS held ON held.level = t.level
{scores}
WHERE t.valid_to IS NULL AND t.ends_on IS NULL AND t.customer_id > $5 AND $2::date IS NOT NULL
    AND {condition}
ORDER BY t.customer_id
LIMIT $6
"""
# A level that the policy does not know is nothing to wait at: no review holds a card there.
_RISES = """(
        held.level IS NULL
        OR {lowest} >= held.rises_at AND NOT EXISTS (
            SELECT FROM tier_review AS r
            JOIN customer_profile AS c ON c.customer_id = r.customer_id AND c.is_hollow
            WHERE r.customer_id = t.customer_id
                AND (r.status = 'open' OR (r.status = 'refused' AND r.decided_at > $7))
        )
    )"""
_IS_BELOW = """
    {highest} < held.keep_at
    AND (t.valid_from < $7 OR t.cause = 'carried')
    AND NOT EXISTS (
        SELECT FROM tier_notice AS n WHERE n.customer_id = t.customer_id AND n.status = 'open'
    )
    AND EXISTS (
        SELECT FROM customer AS c WHERE c.id = t.customer_id AND c.status <> 'erased'
    )"""
_NOTICES_AT_THEIR_END = """
WITH lines AS (
    SELECT * FROM jsonb_to_recordset($4::jsonb)
        AS l (level text, rises_at numeric, keep_at numeric)
)
SELECT n.customer_id, n.id, n.policy_id, n.level, n.falls_on
FROM tier_notice AS n
JOIN tier_policy AS p ON p.id = n.policy_id AND p.scope = $3
LEFT JOIN tier_assignment AS t ON t.customer_id = n.customer_id AND t.valid_to IS NULL
LEFT JOIN lines AS held ON held.level = t.level
{scores}
WHERE n.status = 'open' AND $2::date IS NOT NULL AND (
    n.falls_on <= $1
    OR n.policy_id <> $5
    OR t.level IS DISTINCT FROM n.level
    OR t.ends_on IS NOT NULL
    OR held.keep_at IS NULL
    OR {highest} >= held.keep_at
)
ORDER BY n.customer_id
LIMIT $6
"""
_CLOSE_NOTICES = """
UPDATE tier_notice AS n SET status = c.status, closed_at = $2
FROM jsonb_to_recordset($1::jsonb) AS c (customer_id uuid, id uuid, status text)
WHERE n.customer_id = c.customer_id AND n.id = c.id AND n.status = 'open'
"""
_GIVE_NOTICES = """
INSERT INTO tier_notice (customer_id, id, policy_id, level, next_level, status, noticed_on,
                         falls_on, explanation, created_at)
SELECT customer_id, id, policy_id, level, next_level, 'open', noticed_on, falls_on, explanation, $2
FROM jsonb_to_recordset($1::jsonb) AS r (
    customer_id uuid, id uuid, policy_id uuid, level text, next_level text, noticed_on date,
    falls_on date, explanation jsonb)
ON CONFLICT (customer_id) WHERE status = 'open' DO NOTHING
"""
_BEFORE_ALL_CARDS = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Night:
    """What a night's questions are about: the policy in force for a kind of customers, the days.

    ``is_current``: the statistics hold for the night's day.
    """

    kind: CustomerKind
    policy: Policy
    as_of: date
    today: date
    is_current: bool

    def statement(self, template: str, owner: str) -> str:
        """Return a statement with the scores of the night's day, and today's if that is another."""
        then = tier_figures.scored(self.policy, is_current=self.is_current)
        scores = f"LEFT JOIN ({then}) AS s ON s.customer_id = {owner}.customer_id"
        lowest = highest = "coalesce(s.score, 0)"
        if self.as_of != self.today:
            now = tier_figures.scored(self.policy, is_current=True, day="$2")
            scores += f" LEFT JOIN ({now}) AS s2 ON s2.customer_id = {owner}.customer_id"
            both = f"({lowest}, coalesce(s2.score, 0))"
            lowest, highest = f"least{both}", f"greatest{both}"
        return template.format(scores=scores, lowest=lowest, highest=highest)

    def lines(self) -> str:
        """Return each level with the score that leads above it, and the one that keeps it."""
        rows = []
        for rule in self.policy.levels:
            above, keep = self.policy.next_above(rule.level), keep_line(self.policy, rule.level)
            rows.append(
                {
                    "level": str(rule.level),
                    "rises_at": None if above is None else str(above.at_least),
                    "keep_at": None if keep is None else str(keep),
                }
            )
        return as_json(rows)


async def who_rises(
    connection: "asyncpg.Connection[Any]", night: Night, refused_since: datetime, limit: int
) -> list[UUID]:
    """Return cards that earn a higher level, or hold one that the policy does not know.

    Left out are those that a person has set, and those whose account is hollow still while their
    upgrade waits for a person, or was refused after ``refused_since``.
    """
    rows = await connection.fetch(
        night.statement(_CURRENT.replace("{condition}", _RISES), "t"),
        night.as_of, night.today, str(night.kind), night.lines(), _BEFORE_ALL_CARDS, limit,
        refused_since,
    )  # fmt: skip
    return [row["customer_id"] for row in rows]


async def who_is_below(
    connection: "asyncpg.Connection[Any]",
    night: Night,
    held_before: datetime,
    after: UUID | None,
    limit: int,
) -> list[UUID]:
    """Return the next cards, in the order of ids, that don't keep their level and are not told yet.

    ``held_before`` leaves out who holds it only since then.
    """
    rows = await connection.fetch(
        night.statement(_CURRENT.replace("{condition}", _IS_BELOW), "t"),
        night.as_of, night.today, str(night.kind), night.lines(), after or _BEFORE_ALL_CARDS,
        limit, held_before,
    )  # fmt: skip
    return [row["customer_id"] for row in rows]


async def notices_at_their_end(
    connection: "asyncpg.Connection[Any]", night: Night, limit: int
) -> list["asyncpg.Record"]:
    """Return open notices that are due, or no longer called for."""
    rows = await connection.fetch(
        night.statement(_NOTICES_AT_THEIR_END, "n"),
        night.as_of, night.today, str(night.kind), night.lines(), night.policy.id, limit,
    )  # fmt: skip
    return list(rows)


async def close_notices(
    connection: "asyncpg.Connection[Any]", at: datetime, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Close open notices, each with what became of it."""
    await connection.execute(_CLOSE_NOTICES, as_json(rows), at)


async def give_notices(
    connection: "asyncpg.Connection[Any]", at: datetime, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write notices; a card that has an open one keeps that."""
    await connection.execute(_GIVE_NOTICES, as_json(rows), at)
