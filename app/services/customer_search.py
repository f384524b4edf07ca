"""Search for customers: what somebody typed, as a ladder of probes, the best page of what is found.

The first stage looks for names from their beginning and for identities; only where that does not
fill a page the second looks for other readings, mixtures, and inside names. The number of
statements is fixed, and what each probe reads is bounded.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import raw_connection
from app.locale.masking import mask_phone
from app.locale.name_keys import LONGEST_KEY
from app.locale.names import fold_width, is_one_word
from app.locale.phones import normalise_phone
from app.locale.typed_names import Mixture, TypedName, typed_name
from app.queries.search_keys import phone_key
from app.queries.search_probes import (
    Column,
    Found,
    Patterns,
    Probe,
    Summary,
    run_probes,
    summaries,
)
from app.rules.access import Actor
from app.rules.search_places import KeyPart, part_of, places_of
from app.rules.search_ranks import rank_of
from app.schemas.common import LabelledCode
from app.schemas.customer_search import CustomerSearch, SearchHit, SearchResult
from app.vocabulary import CustomerStatus, MatchReason

SHORTEST_PHONE_SUFFIX: Final = 4
SHORTEST_EMAIL_PREFIX: Final = 3
MAXIMUM_OWN_STORES: Final = 20
"""Whose customers come first; of somebody bound to more stores, those that opened first."""

_PHONE: Final = re.compile(r"[+]?[0-9 ()./-]+")
_NAME_PARTS: Final = (KeyPart.NAME, KeyPart.ALTERNATIVE, KeyPart.INNER)
_BY_SOUND: Final = frozenset(
    {
        MatchReason.PINYIN,
        MatchReason.PINYIN_PART,
        MatchReason.INITIALS,
        MatchReason.INITIALS_PART,
        MatchReason.MIXED,
    }
)
_WHOLE_WORDS: Final = {
    KeyPart.MEMBER_NUMBER: (MatchReason.MEMBER_NUMBER, MatchReason.MEMBER_NUMBER_PREFIX),
    KeyPart.EMAIL: (MatchReason.EMAIL, MatchReason.EMAIL_PREFIX),
    KeyPart.WECHAT: (MatchReason.WECHAT, MatchReason.WECHAT),
    KeyPart.EXTERNAL: (MatchReason.EXTERNAL, MatchReason.EXTERNAL),
}


@dataclass(frozen=True, slots=True)
class _Typed:
    """A search text in all its meanings; ``phone_keys`` are digits from the last to the first."""

    name: TypedName
    word: str | None
    phone_keys: tuple[str, ...]
    whole_phone_key: str | None

    @property
    def is_address(self) -> bool:
        """Whether it can be nothing but an e-mail address or its beginning."""
        return self.word is not None and "@" in self.word


@dataclass(frozen=True, slots=True)
class _Match:
    stage: int
    rank: tuple[int, bool]
    reason: MatchReason
    found: Found


async def search_customers(
    session: AsyncSession, actor: Actor, settings: Settings, given: CustomerSearch
) -> SearchResult:
    """Return the best page of cards for what was typed, with the reasons.

    In each stage the customers of the preferred stores come first, by the ladder of reasons; equal
    hits keep the order of their keys and ids.
    """
    connection = await raw_connection(session)
    typed = _understood(given.query, settings.phone_region)
    own = _own_stores(actor, given.store_id)
    wanted = given.limit + 1
    matches: list[_Match] = []
    cut_short = False
    for number, stage in enumerate((_first_stage(typed), _second_stage(typed))):
        probes = [
            Probe(step.column, place, step.text, step.is_whole, step.patterns)
            for step in stage
            for place in places_of(step.part, given.kind, include_archived=given.include_archived)
        ]
        found = await run_probes(connection, probes, own, wanted)
        matches += [_match(typed, number, row) for row in found]
        # Several keys may be one card's, so that a full stretch may hold few cards.
        cut_short = cut_short or any(row.is_of_full_stretch for row in found)
        if len({match.found.customer_id for match in matches}) >= wanted:
            break
    ranked = _ranked(matches, frozenset(own))
    shown = await summaries(connection, list(ranked)[: given.limit])
    return SearchResult(
        items=[
            _hit(shown[card_id], of_card, frozenset(own))
            for card_id, of_card in list(ranked.items())[: given.limit]
            if card_id in shown
        ],
        has_more=cut_short or len(ranked) > given.limit,
    )


@dataclass(frozen=True, slots=True)
class _Step:
    part: KeyPart
    column: Column
    text: str
    is_whole: bool = False
    patterns: Patterns | None = None


def _understood(query: str, region: str) -> _Typed:
    text = fold_width(query).strip()
    digits = phone_key(text)
    keys: list[str] = []
    whole = None
    if _PHONE.fullmatch(text) and len(digits) >= SHORTEST_PHONE_SUFFIX:
        keys.append(digits)
        try:
            whole = phone_key(normalise_phone(text, region))
        except ValueError:
            pass
        else:
            keys.append(whole)
    return _Typed(
        typed_name(query),
        text.casefold() if is_one_word(text) else None,
        tuple(dict.fromkeys(keys)),
        whole,
    )


def _own_stores(actor: Actor, preferred: UUID | None) -> list[UUID]:
    if preferred is not None:
        return [preferred]
    return sorted(actor.store_ids or ())[:MAXIMUM_OWN_STORES]


def _first_stage(typed: _Typed) -> Iterator[_Step]:
    if not typed.is_address:
        yield from _by_name(typed.name, KeyPart.NAME)
    for key in typed.phone_keys:
        yield _Step(KeyPart.PHONE, Column.LETTERS, key)
    word = typed.word
    if word is not None:
        for part in (KeyPart.WECHAT, KeyPart.EXTERNAL):
            yield _Step(part, Column.LETTERS, word, is_whole=True)
        yield _Step(KeyPart.EMAIL, Column.LETTERS, word, is_whole="@" not in word)
        has_digit = any(map(str.isdecimal, word))
        yield _Step(KeyPart.MEMBER_NUMBER, Column.LETTERS, word, is_whole=not has_digit)


def _second_stage(typed: _Typed) -> Iterator[_Step]:
    if not typed.is_address:
        for mixture in typed.name.mixtures:
            yield from _by_mixture(mixture)
        for part in (KeyPart.ALTERNATIVE, KeyPart.INNER):
            yield from _by_name(typed.name, part)
    word = typed.word
    if word is not None and word.isascii() and len(word) >= SHORTEST_EMAIL_PREFIX:
        yield _Step(KeyPart.EMAIL, Column.LETTERS, word)


def _by_name(name: TypedName, part: KeyPart) -> Iterator[_Step]:
    if not name.folded:
        # A lone accent is no name, and not the beginning of every name.
        return
    # Of a longer name no key says more than its beginning.
    if name.letters is None:
        # Other readings have the same characters, and are not indexed by them.
        if part is not KeyPart.ALTERNATIVE:
            yield _Step(part, Column.CHARACTERS, name.folded[:LONGEST_KEY])
        return
    yield _Step(part, Column.LETTERS, name.letters[:LONGEST_KEY])
    if name.initials is not None:
        yield _Step(part, Column.INITIALS, name.initials[:LONGEST_KEY])


def _by_mixture(mixture: Mixture) -> Iterator[_Step]:
    """Yield stretches of which one at least is short, or full of what fits.

    What a rare character begins is short; where the character is common, many of the names that
    sound so have it.
    """
    patterns = Patterns(mixture.characters_pattern, mixture.letters_pattern, f"{mixture.initials}%")
    stretches = []
    if mixture.leading_characters:
        stretches.append((Column.CHARACTERS, mixture.leading_characters))
    if len(mixture.leading_letters) > 1:
        stretches.append((Column.LETTERS, mixture.leading_letters))
    if len(mixture.initials) > 2 or not stretches:
        stretches.append((Column.INITIALS, mixture.initials))
    for part in _NAME_PARTS:
        for column, text in stretches:
            yield _Step(part, column, text, patterns=patterns)


def _match(typed: _Typed, stage: int, found: Found) -> _Match:
    part = part_of(found.place)
    reason, is_whole = _reason(typed, part, found)
    return _Match(
        stage,
        rank_of(reason, is_whole=is_whole, is_likeliest=part is not KeyPart.ALTERNATIVE),
        reason,
        found,
    )


def _reason(typed: _Typed, part: KeyPart, found: Found) -> tuple[MatchReason, bool]:
    if part is KeyPart.PHONE:
        is_whole = found.letters == typed.whole_phone_key
        return (MatchReason.PHONE if is_whole else MatchReason.PHONE_SUFFIX), is_whole
    if part in _WHOLE_WORDS:
        is_whole = found.letters == typed.word
        return _WHOLE_WORDS[part][0 if is_whole else 1], is_whole
    is_inner = part is KeyPart.INNER
    if found.is_by_pattern:
        return MatchReason.MIXED, False
    # Words in other scripts are their own pinyin.
    folded = typed.name.folded[:LONGEST_KEY]
    if found.characters is not None and found.characters.startswith(folded):
        if is_inner:
            return MatchReason.NAME_PART, False
        is_whole = found.characters == typed.name.folded
        return (MatchReason.EXACT_NAME if is_whole else MatchReason.NAME_PREFIX), is_whole
    if found.column is Column.LETTERS:
        is_whole = found.letters == typed.name.letters
        return (MatchReason.PINYIN_PART if is_inner else MatchReason.PINYIN), is_whole
    is_whole = found.initials == typed.name.initials
    return (MatchReason.INITIALS_PART if is_inner else MatchReason.INITIALS), is_whole


def _ranked(matches: Iterable[_Match], own: frozenset[UUID]) -> dict[UUID, list[_Match]]:
    """Return the matches of each card, the best card first, the best match first."""
    ordered = sorted(
        matches,
        key=lambda match: (
            match.stage,
            match.found.home_store_id not in own,
            match.rank,
            match.found.text,
            match.found.customer_id,
        ),
    )
    ranked: dict[UUID, list[_Match]] = {}
    for match in ordered:
        ranked.setdefault(match.found.customer_id, []).append(match)
    return ranked


def _hit(card: Summary, matches: Sequence[_Match], own: frozenset[UUID]) -> SearchHit:
    reasons = dict.fromkeys(match.reason for match in matches)
    phones = [
        f"+{phone_key(match.found.letters)}"
        for match in matches
        if part_of(match.found.place) is KeyPart.PHONE
    ]
    phone = phones[0] if phones else card.phone
    read = [match.found.letters for match in matches if match.reason in _BY_SOUND]
    return SearchHit(
        id=card.id,
        kind=card.kind,
        status=CustomerStatus(card.status),
        name=card.name,
        tier=None if card.tier is None else LabelledCode.of(card.tier),
        home_store_id=card.home_store_id,
        owner_staff_id=card.owner_staff_id,
        phone=None if phone is None else mask_phone(phone),
        is_own_store=card.home_store_id in own,
        reasons=[LabelledCode.of(reason) for reason in reasons],
        matched_reading=read[0] if read else None,
    )
