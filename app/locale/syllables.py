"""The syllables of Mandarin, and how a row of letters may be meant as some of them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

_BY_INITIAL: Final = {
    "": "a ai an ang ao e ei en eng er o ou",
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u",
    "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan un uo v ve ue",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo v ve ue",
    "g": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "k": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "q": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "zh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
    "ch": "a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo",
    "sh": "a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo",
    "r": "an ang ao e en eng i ong ou u ua uan ui un uo",
    "z": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "c": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "s": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "y": "a an ang ao e i in ing o ong ou u uan ue un",
    "w": "a ai an ang ei en eng o u",
}
SYLLABLES: Final = frozenset(
    initial + final for initial, finals in _BY_INITIAL.items() for final in finals.split()
)
INITIALS: Final = frozenset(_BY_INITIAL) - {""}
_LONGEST_SYLLABLE: Final = 6
_BEGINNINGS: Final = frozenset(
    syllable[:length] for syllable in SYLLABLES for length in range(1, len(syllable))
)


class Sound(NamedTuple):
    """What somebody typed of one syllable: all of it, or its beginning."""

    letters: str
    is_whole: bool


def sounds(letters: str) -> Iterator[tuple[Sound, ...]]:
    """Yield how letters may be meant as syllables, initials, and a begun syllable at the end.

    Long syllables come first: ``liml`` is li, m, l. Nothing is yielded for what is no pinyin.
    """
    steps: dict[int, list[Sound]] = {len(letters): []}
    # From the end, so that whoever walks from the beginning comes to no dead end.
    for start in reversed(range(len(letters))):
        found = [
            sound for sound in _choices(letters[start:]) if start + len(sound.letters) in steps
        ]
        if found:
            steps[start] = found

    def walk(start: int) -> Iterator[tuple[Sound, ...]]:
        if start == len(letters):
            yield ()
        for sound in steps.get(start, ()):
            for rest in walk(start + len(sound.letters)):
                yield (sound, *rest)

    return walk(0)


def _choices(rest: str) -> Iterator[Sound]:
    for length in range(min(_LONGEST_SYLLABLE, len(rest)), 0, -1):
        if rest[:length] in SYLLABLES:
            yield Sound(rest[:length], is_whole=True)
    # The last syllable is typed as far as somebody has come.
    if rest in _BEGINNINGS and rest not in INITIALS:
        yield Sound(rest, is_whole=False)
    for length in range(min(2, len(rest)), 0, -1):
        if rest[:length] in INITIALS:
            yield Sound(rest[:length], is_whole=False)
