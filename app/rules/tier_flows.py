"""How customers flowed between levels: from opening to closing, each level's sums close.

A move is upward or downward by the order of levels of the policy that made it. Where that policy
does not know the level that was left, as after a change of policies, it is neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from app.vocabulary import TierLevel


class Direction(Enum):
    """Where a move leads."""

    UP = "up"
    DOWN = "down"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Moved:
    """So many moves of one kind; no ``before`` is an arrival, no ``after`` a departure.

    ``order`` holds the levels of the policy that moved them, from the highest to the lowest.
    """

    before: TierLevel | None
    after: TierLevel | None
    order: Sequence[TierLevel]
    moves: int


@dataclass(slots=True)
class LevelFlow:
    """A level's customers at the opening, what came and went, and those at the closing."""

    level: TierLevel
    opening: int = 0
    new: int = 0
    up_in: int = 0
    down_in: int = 0
    other_in: int = 0
    up_out: int = 0
    down_out: int = 0
    other_out: int = 0
    gone: int = 0

    @property
    def closing(self) -> int:
        """Opening, and all that came, less all that went."""
        came = self.new + self.up_in + self.down_in + self.other_in
        return self.opening + came - self.up_out - self.down_out - self.other_out - self.gone


def order_of(body: Mapping[str, Any]) -> list[TierLevel]:
    """Return the levels of a stored policy, from the highest to the lowest.

    What reaches a share or composite level is in the version's calibration; its order is not.
    """

    def rank(part: Mapping[str, Any]) -> Decimal:
        if "top_percent" in part:
            return Decimal(part["top_percent"])
        return -Decimal(part["at_least"])

    return [TierLevel(part["level"]) for part in sorted(body["levels"], key=rank)]


def direction_of(order: Sequence[TierLevel], before: TierLevel, after: TierLevel) -> Direction:
    """Return where a move leads, by levels from the highest to the lowest."""
    if before not in order or after not in order:
        return Direction.OTHER
    return Direction.UP if order.index(after) < order.index(before) else Direction.DOWN


def flows(
    opening: Mapping[TierLevel, int], moved: Iterable[Moved], order: Sequence[TierLevel]
) -> list[LevelFlow]:
    """Return each level's flows: the levels of ``order``, then others that somebody held.

    A move from a level to itself, by another purchase or policy, is none.
    """
    table = {level: LevelFlow(level, opening.get(level, 0)) for level in (*order, *opening)}

    def row(level: TierLevel) -> LevelFlow:
        return table.setdefault(level, LevelFlow(level))

    for one in moved:
        if one.before is None:
            if one.after is not None:
                row(one.after).new += one.moves
        elif one.after is None:
            row(one.before).gone += one.moves
        elif one.before != one.after:
            before, after = row(one.before), row(one.after)
            match direction_of(one.order, one.before, one.after):
                case Direction.UP:
                    before.up_out += one.moves
                    after.up_in += one.moves
                case Direction.DOWN:
                    before.down_out += one.moves
                    after.down_in += one.moves
                case Direction.OTHER:
                    before.other_out += one.moves
                    after.other_in += one.moves
    others = [level for level in TierLevel if level in table and level not in order]
    return [table[level] for level in (*order, *others)]
