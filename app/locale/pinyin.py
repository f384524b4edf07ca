"""Names as they are compared and searched: folded, and read aloud in pinyin.

A name is a row of units: each Chinese character is one, each word in another script is one.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, islice, product
from typing import Final

from opencc import OpenCC
from pypinyin import Style, lazy_pinyin, load_phrases_dict, pinyin

from app.locale.polyphones import READINGS
from app.locale.surnames import SURNAMES, surname_readings

MAXIMUM_READINGS: Final = 6
"""Of one name; those that differ from the likeliest in the fewest characters come first."""
LONGEST_PERSONS_NAME: Final = 4
"""In characters; what is longer is a body's name, read as running text."""
_READINGS_OF_A_CHARACTER: Final = 4
_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_UNIT = re.compile(f"[{_HAN}]|[^{_HAN}\\W_]+")
# They stand inside a word (O'Brien) and do not part it in two.
_INSIDE_WORDS = str.maketrans("", "", "'\u2019\u02bc`\u00b4")
_ACCENTS = re.compile("[\u0300-\u036f]")
# Districts and names have it so more often than poems have the morning sun.
load_phrases_dict({"朝阳": [["cháo"], ["yáng"]]})


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a name: its syllables together, and the first letter of each."""

    syllables: tuple[str, ...]

    @property
    def full(self) -> str:
        """All syllables together: ``limingming``."""
        return "".join(self.syllables)

    @property
    def initials(self) -> str:
        """The first letter of each syllable: ``lmm``; of a word in another script too."""
        return "".join(syllable[0] for syllable in self.syllables)


@dataclass(frozen=True, slots=True)
class NameReadings:
    """A folded name and how it may be read, the likeliest first; there is always one."""

    units: tuple[str, ...]
    alternatives: tuple[Reading, ...]

    @property
    def folded(self) -> str:
        """The name as :func:`fold_name` returns it."""
        return "".join(self.units)

    @property
    def full(self) -> str:
        """The likeliest reading."""
        return self.alternatives[0].full

    @property
    def initials(self) -> str:
        """The first letters of the likeliest reading."""
        return self.alternatives[0].initials


def fold_name(text: str) -> str:
    """Return a name in the form in which names are compared.

    NFKC, without case and accents, traditional characters simplified one by one, without spaces
    and punctuation. A name of nothing but such signs keeps them; the empty text stays empty.
    """
    return "".join(name_units(text))


def name_units(text: str) -> tuple[str, ...]:
    """Return the folded units of a name: Chinese characters, words in other scripts."""
    return tuple(map(_simplify, _units_of(_fold_but_script(text))))


@lru_cache(maxsize=65536)
def is_han(character: str) -> bool:
    """Tell whether it is a Chinese character."""
    return _HAN_CHARACTER.fullmatch(character) is not None


@lru_cache(maxsize=8192)
def readings(name: str) -> NameReadings:
    """Return the plausible readings of a name, at most :data:`MAXIMUM_READINGS`.

    A short name in characters begins with a surname, which has its own readings. A character
    that nobody can read stands for itself, a word in another script too.
    """
    plain = _fold_but_script(name)
    written = _units_of(plain)
    units = tuple(map(_simplify, written))
    choices = _choices(written, units)
    alternatives = map(Reading, islice(_by_likelihood(choices), MAXIMUM_READINGS))
    return NameReadings(units, tuple(alternatives))


@lru_cache(maxsize=65536)
def character_readings(character: str) -> tuple[str, ...]:
    """Return how a character may be read where it stands alone, the usual one first."""
    surname = SURNAMES.get(character)
    return _with_both_vowels(
        (*(READINGS.get(character) or (_usual(character),)), *(surname[0] if surname else ()))
    )


def _choices(written: Sequence[str], units: Sequence[str]) -> list[tuple[str, ...]]:
    # A traditional character whose reading the simplified one has lost (乾) is read as itself.
    read = [old if old in READINGS else new for old, new in zip(written, units, strict=True)]
    choices = [character_readings(unit) if is_han(unit) else (unit,) for unit in read]
    han = "".join(unit if is_han(unit) else " " for unit in read)
    first = surname_readings(han) if len(han.strip()) <= LONGEST_PERSONS_NAME else ()
    for place, likely in enumerate(first):
        choices[place] = _with_both_vowels((*likely, *choices[place]))
    rest = range(len(first), len(han))
    # Words tell how a character is read (重庆, 银行); a surname and a given name are no word.
    if any(len(choices[place]) > 1 for place in rest):
        # What it cannot read comes back character by character: its types forget that this may be.
        spoken = lazy_pinyin(han[rest.start :], errors=list)  # type: ignore[arg-type]
        for place, syllable in zip(rest, spoken, strict=True):
            if syllable in choices[place] and syllable != _usual(han[place]):
                choices[place] = tuple(dict.fromkeys((syllable, *choices[place])))
    return choices


@lru_cache(maxsize=65536)
def _usual(character: str) -> str:
    return pinyin(character, style=Style.NORMAL)[0][0]


def _by_likelihood(choices: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    likeliest = tuple(choice[0] for choice in choices)
    yield likeliest
    open_places = [place for place, choice in enumerate(choices) if len(choice) > 1]
    for differing in range(1, len(open_places) + 1):
        for places in combinations(open_places, differing):
            for others in product(*(choices[place][1:] for place in places)):
                syllables = list(likeliest)
                for place, other in zip(places, others, strict=True):
                    syllables[place] = other
                yield tuple(syllables)


def _with_both_vowels(syllables: Sequence[str]) -> tuple[str, ...]:
    # People type 吕 as lv, and as lu when they have no better key.
    typed = [form for syllable in syllables for form in (syllable, syllable.replace("v", "u"))]
    return tuple(dict.fromkeys(typed))[:_READINGS_OF_A_CHARACTER]


def _fold_but_script(text: str) -> str:
    return _without_accents(unicodedata.normalize("NFKC", text).casefold())


def _units_of(folded: str) -> tuple[str, ...]:
    units = _UNIT.findall(folded.translate(_INSIDE_WORDS))
    return tuple(units) or tuple("".join(folded.split()))


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))


@lru_cache(maxsize=65536)
def _simplify(unit: str) -> str:
    # One by one: a phrase must not change what a character of a name is compared with.
    simplified = _converter().convert(unit) if is_han(unit) else unit
    return simplified if len(simplified) == 1 else unit


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
