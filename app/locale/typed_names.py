"""What somebody may have typed who looks for a name: characters, pinyin, initials, or a mixture."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from app.locale.pinyin import character_readings, is_han, name_units
from app.locale.syllables import Sound, sounds

MAXIMUM_MIXTURES: Final = 4
"""Ways to read one mixture that are tried; the likeliest come first."""
_LONGEST_MIXTURE: Final = 24
_READINGS_TRIED: Final = 2
_LETTERS: Final = re.compile("[a-z]+")


@dataclass(frozen=True, slots=True)
class Mixture:
    """One way to understand characters, syllables and initials that follow each other.

    The patterns are for LIKE and hold nothing but characters, letters and its wildcards.
    ``leading_characters`` and ``leading_letters`` are what every name that fits begins with.
    """

    initials: str
    characters_pattern: str
    letters_pattern: str
    leading_characters: str
    leading_letters: str


@dataclass(frozen=True, slots=True)
class TypedName:
    """A folded search text; ``letters`` and ``initials`` are None where it has characters in it."""

    folded: str
    letters: str | None
    initials: str | None
    mixtures: tuple[Mixture, ...]


def typed_name(text: str) -> TypedName:
    """Return what a search text may mean as a name or a part of one.

    The vowel of 女 may be typed v, u, ü, or yu after l as passports have it.
    """
    units = name_units(text)
    folded = "".join(units)
    sounded = name_units(_with_v(text))
    mixtures = tuple(islice(_mixtures(sounded), MAXIMUM_MIXTURES))
    if any(map(is_han, folded)):
        return TypedName(folded, None, None, mixtures)
    letters = "".join(sounded)
    if letters != folded and next(sounds(letters), None) is None:
        # The ü of another language.
        letters = folded
    is_word = _LETTERS.fullmatch(folded) is not None
    return TypedName(folded, letters, folded if is_word and len(folded) > 1 else None, mixtures)


def _with_v(text: str) -> str:
    return re.sub("lyu", "lv", re.sub("u\u0308|[üǖǘǚǜÜ]", "v", text), flags=re.IGNORECASE)


def _mixtures(units: Sequence[str]) -> Iterator[Mixture]:
    # Characters alone are no mixture, however many ways there are to read them.
    if len("".join(units)) > _LONGEST_MIXTURE or all(map(is_han, units)):
        return
    choices: list[list[tuple[tuple[str, Sound], ...]]] = []
    for unit in units:
        if is_han(unit):
            read = character_readings(unit)[:_READINGS_TRIED]
            choices.append([((unit, Sound(syllable, is_whole=True)),) for syllable in read])
        elif _LETTERS.fullmatch(unit):
            ways = islice(sounds(unit), MAXIMUM_MIXTURES)
            choices.append([tuple(("", sound) for sound in way) for way in ways])
        else:
            return
    for parts in product(*choices):
        row = [pair for part in parts for pair in part]
        if not any(character for character, _ in row) and all(
            sound.is_whole for _, sound in row[:-1]
        ):
            # Written out but for its end it is plain pinyin, and hardly meant as something else.
            return
        if _is_a_mixture(row):
            yield _mixture(row)


def _is_a_mixture(row: Sequence[tuple[str, Sound]]) -> bool:
    characters = sum(1 for character, _ in row if character)
    if characters:
        return characters < len(row)
    # Single letters are plain initials.
    return any(len(sound.letters) > 1 for _, sound in row)


def _mixture(row: Sequence[tuple[str, Sound]]) -> Mixture:
    characters = "".join(character or "_" for character, _ in row)
    letters = "".join(sound.letters + ("" if sound.is_whole else "%") for _, sound in row)
    return Mixture(
        initials="".join(sound.letters[0] for _, sound in row),
        characters_pattern=f"{characters}%" if any(character for character, _ in row) else "%",
        letters_pattern=f"{letters}%",
        leading_characters=characters.partition("_")[0],
        leading_letters=letters.partition("%")[0],
    )
