"""What a name is found by: its characters and its readings, from each of its beginnings."""

from typing import Final, NamedTuple

from app.locale.pinyin import LONGEST_PERSONS_NAME, readings

MAXIMUM_BEGINNINGS: Final = 16
"""Of one name; what comes after the sixteenth character or word is found with what is before."""
LONGEST_KEY: Final = 48


class NameKey(NamedTuple):
    """A beginning of a name in one reading.

    ``start`` counts characters and words. ``characters`` is left out of all readings but the
    likeliest, ``initials`` where there is only one: each is indexed once.
    """

    start: int
    is_likeliest: bool
    characters: str | None
    letters: str
    initials: str | None


def name_keys(name: str) -> list[NameKey]:
    """Return the keys of a name, the whole of it first, in a fixed order."""
    found = readings(name)
    length = min(len(found.units), MAXIMUM_BEGINNINGS)
    alternatives = [reading.syllables for reading in found.alternatives]
    keys: list[NameKey] = []
    for start in range(length):
        characters = "".join(found.units[start:])[:LONGEST_KEY]
        known: set[tuple[str, ...]] = set()
        for number, syllables in enumerate(alternatives):
            rest = syllables[start:]
            if rest in known:
                continue
            known.add(rest)
            initials = "".join(syllable[0] for syllable in rest)[:LONGEST_KEY]
            keys.append(
                NameKey(
                    start,
                    number == 0,
                    characters if number == 0 else None,
                    "".join(rest)[:LONGEST_KEY],
                    initials if len(initials) > 1 else None,
                )
            )
            if start and len(found.units) > LONGEST_PERSONS_NAME:
                # Long names would have dozens of keys; nobody begins in their middle so exactly.
                break
    return keys
