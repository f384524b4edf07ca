"""What of a card is compared, and the blocking keys it is found by."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from app.locale import likeness as measure
from app.locale.lunar import LunarDay, to_solar
from app.locale.name_shares import NameParts, name_parts, organization_parts
from app.locale.pinyin import fold_name, name_units, readings
from app.rules.duplicates import BirthdayFacts, CardFacts, Comparison, Likeness, compare
from app.vocabulary import BirthdayCalendar, CustomerKind, Gender, IdentityKind

KEY_READINGS: Final = 2
"""Of one name that blocking keys are made of: surnames with two readings are found by both."""
_ENDING_DIGITS: Final = 4
# What a company's name ends with, and what says nothing about which company it is.
_LEGAL_FORM = re.compile(
    "(股份有限公司|有限责任公司|集团有限公司|有限公司|股份公司|集团公司|公司|集团"
    "|coltd|ltd|inc|llc|gmbh|corporation|company)+$"
)

BlockingKey = tuple[int, int | None]
"""A key, and what it is refined by where too many cards have it; both are hashes."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A card, stored or only proposed, that others are looked for that look like it.

    ``id`` is the card's id, or any other that tells this probe from the rest.
    """

    id: UUID
    facts: CardFacts
    keys: tuple[BlockingKey, ...]


@dataclass(frozen=True, slots=True)
class GivenBirthday:
    """A birthday as a card keeps it."""

    calendar: BirthdayCalendar
    year: int | None
    month: int
    day: int
    is_leap_month: bool = False


def facts_of(
    kind: CustomerKind,
    name: str,
    *,
    gender: Gender | None = None,
    birthday: GivenBirthday | None = None,
    employer: str | None = None,
    address: str | None = None,
    identities: Iterable[tuple[IdentityKind, str, str]] = (),
) -> CardFacts:
    """Return what of a card is compared; identities are (kind, system, normalised value)."""
    by_kind: dict[IdentityKind, set[str]] = {}
    for identity_kind, system, value in identities:
        compared = (
            value if identity_kind in _COMPARED_ALONE else f"{identity_kind}:{system}:{value}"
        )
        by_kind.setdefault(identity_kind, set()).add(compared)
    spelled = _name_of(kind, name)
    return CardFacts(
        kind=kind,
        name=spelled.folded,
        readings=spelled.readings,
        surname=spelled.parts.surname,
        given=spelled.parts.given,
        is_latin=spelled.folded.isascii(),
        surname_share=spelled.parts.surname_share,
        name_share=spelled.parts.name_share,
        reading_share=spelled.parts.reading_share,
        gender=gender,
        birthday=None if birthday is None else _birthday_facts(birthday),
        phones=frozenset(by_kind.pop(IdentityKind.PHONE, ())),
        emails=frozenset(by_kind.pop(IdentityKind.EMAIL, ())),
        member_numbers=frozenset(by_kind.pop(IdentityKind.MEMBER_NUMBER, ())),
        other_identities=frozenset().union(*by_kind.values()),
        employer=_folded_body(employer or ""),
        address=fold_name(address or ""),
    )


def probe_of(card_id: UUID, name: str, facts: CardFacts) -> Probe:
    """Return a card with the blocking keys it is found by; ``name`` is as the card has it."""
    return Probe(card_id, facts, tuple(_keys(facts, _name_of(facts.kind, name))))


def facts_of_row(card: Mapping[str, Any]) -> CardFacts:
    """Return what is compared of a row of :func:`app.queries.duplicates.read_cards`."""
    calendar, gender = card["birthday_calendar"], card["gender"]
    birthday = None
    if calendar is not None:
        birthday = GivenBirthday(
            BirthdayCalendar(calendar),
            card["birth_year"],
            card["birth_month"],
            card["birth_day"],
            card["birth_month_is_leap"],
        )
    return facts_of(
        CustomerKind(card["kind"]),
        card["name"],
        gender=None if gender is None else Gender(gender),
        birthday=birthday,
        employer=card["employer"],
        address=card["address"],
        identities=[
            (IdentityKind(kind), system, value)
            for kind, system, value in zip(
                card["kinds"], card["systems"], card["values"], strict=True
            )
        ],
    )


def probe_of_row(card: Mapping[str, Any]) -> Probe:
    """Return a row of :func:`app.queries.duplicates.read_cards` with its blocking keys."""
    return probe_of(card["id"], card["name"], facts_of_row(card))


def compare_facts(first: CardFacts, second: CardFacts) -> Comparison:
    """Return how likely two cards are one customer's, by the policy in force."""
    return compare(first, second, likeness_of(first, second))


def likeness_of(first: CardFacts, second: CardFacts) -> Likeness:
    """Measure how alike two cards' texts are that are not the same."""
    name, one_character = 0.0, False
    if first.name != second.name and not first.readings & second.readings:
        if first.kind is CustomerKind.ORGANIZATION:
            name = measure.organization_likeness(first.name, second.name)
        else:
            name = measure.name_likeness(first.name, second.name, first.readings, second.readings)
            one_character = _differ_in_one_character(first, second)
    address = employer = 0.0
    if first.address and second.address:
        address = measure.address_likeness(first.address, second.address)
    if first.employer and second.employer and first.employer != second.employer:
        employer = measure.organization_likeness(first.employer, second.employer)
    return Likeness(name, one_character, address, employer)


def _differ_in_one_character(first: CardFacts, second: CardFacts) -> bool:
    # Of two characters one has to stay: of a given name of one nothing would.
    return (
        bool(first.surname)
        and first.surname == second.surname
        and len(first.given) == len(second.given) == 2
        and len(measure.differing_characters(first.given, second.given)) == 1
    )


_COMPARED_ALONE: Final = frozenset(
    {IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.MEMBER_NUMBER}
)


@dataclass(frozen=True, slots=True)
class _Name:
    folded: str
    readings: frozenset[str]
    likeliest: tuple[str, ...]
    initials: str
    parts: NameParts


@lru_cache(maxsize=16384)
def _name_of(kind: CustomerKind, name: str) -> _Name:
    if kind is CustomerKind.ORGANIZATION:
        folded = _folded_body(name)
        read = readings(folded)
        parts = organization_parts(folded)
    else:
        folded = fold_name(name)
        read = readings(name)
        parts = name_parts(folded)
    full = [reading.full for reading in read.alternatives]
    if folded.isascii():
        # Xiaoming Wang is Wang Xiaoming.
        words = name_units(name)
        full = (
            list(
                dict.fromkeys(
                    [*full, "".join((*words[1:], words[0])), "".join((words[-1], *words[:-1]))]
                )
            )
            if words
            else full
        )
    return _Name(folded, frozenset(full), tuple(full[:KEY_READINGS]), read.initials, parts)


def _folded_body(name: str) -> str:
    folded = fold_name(name)
    return _LEGAL_FORM.sub("", folded) or folded


def _birthday_facts(given: GivenBirthday) -> BirthdayFacts:
    solar = None
    if given.year is not None:
        day = (given.year, given.month, given.day)
        is_solar = given.calendar is BirthdayCalendar.SOLAR
        solar = date(*day) if is_solar else _solar_day(*day, given.is_leap_month)
    return BirthdayFacts(
        given.calendar, given.year, given.month, given.day, given.is_leap_month, solar
    )


@lru_cache(maxsize=4096)
def _solar_day(year: int, month: int, day: int, is_leap_month: bool) -> date | None:
    try:
        return to_solar(LunarDay(year, month, day, is_leap_month))
    except ValueError:
        # People keep the day they were told, whether that year had it or not.
        return None


def _keys(facts: CardFacts, name: _Name) -> Iterator[BlockingKey]:
    """Yield each key once: whatever two cards of one customer may still have in common.

    People with a name that too many have are compared where the day of the birthday agrees, or
    something that has a key of its own.
    """
    seen: set[int] = set()
    refinements: dict[str, int] = {}
    for parts, refined_by in _parts_of_keys(facts, name):
        key = _hash(facts.kind[0], *parts)
        if key in seen:
            continue
        seen.add(key)
        if refined_by is None:
            yield key, None
        else:
            if refined_by not in refinements:
                refinements[refined_by] = _hash(refined_by)
            yield key, refinements[refined_by]


def _parts_of_keys(
    facts: CardFacts, name: _Name
) -> Iterator[tuple[tuple[object, ...], str | None]]:
    letter = name.initials[:1]
    birthday = facts.birthday
    day = None if birthday is None else f"{birthday.month}-{birthday.day}"
    for reading in name.likeliest:
        yield ("name", reading), day
    if birthday is not None and birthday.year is not None:
        yield ("born", birthday.year, day, letter), name.initials
        if birthday.solar is not None:
            # A day that was taken over from the lunar calendar is met in the solar one.
            solar = birthday.solar
            yield ("born", solar.year, f"{solar.month}-{solar.day}", letter), name.initials
    for phone in facts.phones:
        # A slip in either half leaves the other half as it is.
        yield ("beginning", phone[:-_ENDING_DIGITS], letter), name.initials
        yield ("ending", phone[-_ENDING_DIGITS:], letter), name.likeliest[0]
    for email in facts.emails:
        yield ("email", email), name.initials
    for number in facts.member_numbers:
        yield ("member", number), None
    for other in facts.other_identities:
        yield ("other", other), None
    if facts.address:
        yield ("address", facts.address, letter), name.initials
    if facts.employer:
        yield ("employer", facts.employer, name.initials), name.likeliest[0]


def _hash(*parts: object) -> int:
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
