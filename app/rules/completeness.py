"""How complete a card is: the share of what it should say, by weight, that it says."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a card should say."""

    part: str
    weight: int
    is_present: bool


@dataclass(frozen=True, slots=True)
class Completeness:
    """A score from 0 to 100, and what it is made of: heavier parts first."""

    score: int
    parts: tuple[Part, ...]


def assess(weights: Mapping[str, int], present: Collection[str]) -> Completeness:
    """Return how complete a card is that says ``present``, by what its kind should say.

    Percent are rounded half up. A part that weighs nothing is none.
    """
    parts = tuple(
        Part(part, weight, part in present)
        for part, weight in sorted(weights.items(), key=lambda item: -item[1])
        if weight
    )
    total = sum(part.weight for part in parts)
    there = sum(part.weight for part in parts if part.is_present)
    return Completeness(score=(200 * there + total) // (2 * total), parts=parts)
