"""Whether two cards are one customer's, and why: evidence added up in bits.

After Fellegi and Sunter, "A Theory for Record Linkage" (1969): what two cards agree in counts
log2(m / u) bits, where m is how often two cards of one customer agree in it and u how often two
cards of different customers do; what they differ in counts log2((1 - m) / (1 - u)), below zero;
what either card does not say counts nothing. A rare name is met by chance less often than a common
one, so agreeing in it counts more. The sum, and how rarely any two cards are one customer's to
begin with, are the odds; the score is the probability in thousandths.

The model takes evidence for independent, and a household's is not: a family shares a surname, an
address and a phone. Where given names differ, all of that together counts at most a few bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from math import log2
from typing import Final

from app.vocabulary import BirthdayCalendar, CustomerKind, DuplicateReason, Gender

Identities = frozenset[str]


@dataclass(frozen=True, slots=True)
class BirthdayFacts:
    """A birthday as its card says it; ``solar`` is the day it was in the solar calendar."""

    calendar: BirthdayCalendar
    year: int | None
    month: int
    day: int
    is_leap_month: bool = False
    solar: date | None = None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What of a card can be compared; empty where the card says nothing.

    ``name`` is folded, ``readings`` are the ways it is read, in letters without spaces. ``surname``
    and ``given`` are its parts; ``given`` is empty where only a surname is known. The shares say
    how many of all people have the surname, the name, and a name that reads so, from 0 to 1.
    Addresses and employers are folded; identities are in the form in which they are kept.
    """

    kind: CustomerKind
    name: str
    readings: frozenset[str]
    surname: str
    given: str
    is_latin: bool
    surname_share: float
    name_share: float
    reading_share: float
    gender: Gender | None = None
    birthday: BirthdayFacts | None = None
    phones: Identities = frozenset()
    emails: Identities = frozenset()
    member_numbers: Identities = frozenset()
    other_identities: Identities = frozenset()
    employer: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two texts are that are not the same, from 0 to 1; measured outside.

    ``name`` is about characters that look or sound alike, ``one_character`` tells of names of which
    one character of the given name differs and nothing else.
    """

    name: float = 0.0
    one_character: bool = False
    address: float = 0.0
    employer: float = 0.0


@dataclass(frozen=True, slots=True)
class DuplicatePolicy:
    """Bits of evidence, and from which score on something is done about it.

    The m and u that each weight comes from stand in docs/adr/0017-duplicates.md. Two cards are
    refused or listed only if something besides the name agrees.
    """

    version: int = 1
    prior: float = -20.0
    """One pair in a million is one customer's: as with 100,000 cards of which one in ten is."""
    refuse_at: int = 850
    list_at: int = 700

    same_name_m: float = 0.8
    same_reading_m: float = 0.1
    """Of two cards in characters that were written differently."""
    transcribed_m: float = 0.9
    """Of a card in characters and one in letters."""
    name_at_most: float = 17.0
    """A name alone never outweighs the prior."""
    similar_name: float = 6.0
    similar_organization: float = 10.0
    same_surname_at_most: float = 6.0
    one_character_differs: float = -3.0
    different_name: float = -8.0

    same_birthday: float = 14.0
    same_day_of_year: float = 8.0
    other_calendar: float = 9.0
    swapped_birthday: float = 8.0
    similar_birthday: float = 3.0
    different_birthday: float = -6.0

    same_gender: float = 1.0
    different_gender: float = -5.0

    same_phone: float = 14.0
    similar_phone: float = 10.0
    different_phone: float = -1.0
    same_email: float = 14.0
    different_email: float = -1.0
    same_member_number: float = 20.0
    same_other_identity: float = 18.0

    same_address: float = 10.0
    similar_address: float = 5.0
    different_address: float = -1.0
    same_employer: float = 6.0
    similar_employer: float = 4.0
    different_employer: float = -1.0

    household_at_most: float = 8.0
    similar_from: float = 0.85
    """From which likeness on texts are similar."""


DEFAULT_POLICY: Final = DuplicatePolicy()

_OF_A_HOUSEHOLD: Final = frozenset(
    {
        DuplicateReason.SAME_PHONE,
        DuplicateReason.SIMILAR_PHONE,
        DuplicateReason.SAME_EMAIL,
        DuplicateReason.SAME_ADDRESS,
        DuplicateReason.SIMILAR_ADDRESS,
    }
)
_OF_THE_NAME: Final = frozenset(
    {
        DuplicateReason.SAME_NAME,
        DuplicateReason.SAME_NAME_PINYIN,
        DuplicateReason.SIMILAR_NAME,
        DuplicateReason.SAME_SURNAME,
        DuplicateReason.SAME_GENDER,
    }
)
_OTHER_PEOPLE: Final = frozenset(
    {DuplicateReason.ONE_CHARACTER_DIFFERS, DuplicateReason.DIFFERENT_NAME}
)


@dataclass(frozen=True, slots=True)
class WeighedReason:
    """What counted, in tenths of a bit; below zero it counted against."""

    code: DuplicateReason
    weight: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How likely two cards are one customer's (thousandths), and why, the weightiest first.

    ``is_corroborated`` tells whether anything besides the name speaks for it.
    """

    score: int
    reasons: tuple[WeighedReason, ...]
    is_corroborated: bool

    def is_refused(self, policy: DuplicatePolicy = DEFAULT_POLICY) -> bool:
        """Tell whether a new card is refused for the other one's sake."""
        return self.is_corroborated and self.score >= policy.refuse_at

    def is_listed(self, policy: DuplicatePolicy = DEFAULT_POLICY) -> bool:
        """Tell whether somebody should look at the two."""
        return self.is_corroborated and self.score >= policy.list_at


NOT_COMPARABLE: Final = Comparison(0, (), is_corroborated=False)


def compare(
    first: CardFacts,
    second: CardFacts,
    likeness: Likeness,
    policy: DuplicatePolicy = DEFAULT_POLICY,
) -> Comparison:
    """Weigh what two cards say; their order makes no difference.

    A person and an organization are never the same customer.
    """
    if first.kind is not second.kind:
        return NOT_COMPARABLE
    evidence = [
        found for weigh in _WEIGHED if (found := weigh(first, second, likeness, policy)) is not None
    ]
    evidence.extend(_household(evidence, policy))
    bits = policy.prior + sum(weight for _, weight in evidence)
    reasons = sorted(
        (WeighedReason(code, round(weight * 10)) for code, weight in evidence),
        key=lambda reason: (-abs(reason.weight), reason.code),
    )
    return Comparison(
        score=_thousandths(bits),
        reasons=tuple(reasons),
        is_corroborated=any(weight > 0 and code not in _OF_THE_NAME for code, weight in evidence),
    )


Evidence = tuple[DuplicateReason, float]


def _thousandths(bits: float) -> int:
    # Beyond forty bits the power would only be rounded away.
    odds: float = 2.0 ** max(-40.0, min(40.0, bits))
    return round(1000 * odds / (1 + odds))


def _household(evidence: list[Evidence], policy: DuplicatePolicy) -> list[Evidence]:
    if not any(code in _OTHER_PEOPLE for code, _ in evidence):
        return []
    shared = sum(weight for code, weight in evidence if code in _OF_A_HOUSEHOLD)
    over = shared - policy.household_at_most
    return [(DuplicateReason.SHARED_HOUSEHOLD, -over)] if over > 0 else []


def _name(
    first: CardFacts, second: CardFacts, likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if not first.given or not second.given:
        return _surname(first, second, policy)
    if first.name == second.name:
        share = max(first.name_share, second.name_share)
        return DuplicateReason.SAME_NAME, _rarity(policy.same_name_m, share, policy.name_at_most)
    if first.readings & second.readings:
        share = max(first.reading_share, second.reading_share)
        is_transcribed = first.is_latin or second.is_latin
        m = policy.transcribed_m if is_transcribed else policy.same_reading_m
        return DuplicateReason.SAME_NAME_PINYIN, _rarity(m, share, policy.name_at_most)
    if likeness.name >= policy.similar_from:
        of_people = first.kind is CustomerKind.INDIVIDUAL
        bits = policy.similar_name if of_people else policy.similar_organization
        return DuplicateReason.SIMILAR_NAME, bits
    if likeness.one_character:
        return DuplicateReason.ONE_CHARACTER_DIFFERS, policy.one_character_differs
    return DuplicateReason.DIFFERENT_NAME, policy.different_name


def _surname(first: CardFacts, second: CardFacts, policy: DuplicatePolicy) -> Evidence:
    if first.surname == second.surname:
        share = max(first.surname_share, second.surname_share)
        bits = _rarity(1.0, share, policy.same_surname_at_most)
        return DuplicateReason.SAME_SURNAME, bits
    return DuplicateReason.DIFFERENT_NAME, policy.different_name


def _rarity(m: float, u: float, at_most: float) -> float:
    return max(0.0, min(at_most, log2(m / max(u, 1e-12))))


def _birthday(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    one, other = first.birthday, second.birthday
    if one is None or other is None:
        return None
    if one.calendar is not other.calendar:
        return _across_calendars(one, other, policy)
    same_day = (one.month, one.day) == (other.month, other.day)
    if one.year is None or other.year is None:
        if same_day:
            return DuplicateReason.SAME_DAY_OF_YEAR, policy.same_day_of_year
        return DuplicateReason.DIFFERENT_BIRTHDAY, policy.different_birthday
    if same_day and one.year == other.year:
        # Whether the month was a leap one is often not asked; then it is one part that differs.
        if one.is_leap_month is other.is_leap_month:
            return DuplicateReason.SAME_BIRTHDAY, policy.same_birthday
        return DuplicateReason.SIMILAR_BIRTHDAY, policy.similar_birthday
    if one.year == other.year and (one.month, one.day) == (other.day, other.month):
        return DuplicateReason.SWAPPED_BIRTHDAY, policy.swapped_birthday
    differing = (one.year != other.year) + (one.month != other.month) + (one.day != other.day)
    if differing == 1:
        return DuplicateReason.SIMILAR_BIRTHDAY, policy.similar_birthday
    return DuplicateReason.DIFFERENT_BIRTHDAY, policy.different_birthday


def _across_calendars(
    one: BirthdayFacts, other: BirthdayFacts, policy: DuplicatePolicy
) -> Evidence:
    if one.solar is not None and one.solar == other.solar:
        return DuplicateReason.SAME_BIRTHDAY, policy.same_birthday
    same_numbers = (one.month, one.day) == (other.month, other.day)
    if same_numbers and one.year is not None and one.year == other.year:
        return DuplicateReason.OTHER_CALENDAR, policy.other_calendar
    return DuplicateReason.DIFFERENT_BIRTHDAY, policy.different_birthday


def _gender(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if first.gender is None or second.gender is None:
        return None
    if first.gender is second.gender:
        return DuplicateReason.SAME_GENDER, policy.same_gender
    return DuplicateReason.DIFFERENT_GENDER, policy.different_gender


def _phone(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if not first.phones or not second.phones:
        return None
    if first.phones & second.phones:
        return DuplicateReason.SAME_PHONE, policy.same_phone
    if any(is_one_slip(one, other) for one in first.phones for other in second.phones):
        return DuplicateReason.SIMILAR_PHONE, policy.similar_phone
    return DuplicateReason.DIFFERENT_PHONE, policy.different_phone


def is_one_slip(one: str, other: str) -> bool:
    """Tell whether two numbers differ in one digit, or in two neighbours that are swapped."""
    if len(one) != len(other):
        return False
    places = [place for place in range(len(one)) if one[place] != other[place]]
    if len(places) == 1:
        return True
    if len(places) != 2 or places[1] - places[0] != 1:
        return False
    left, right = places
    return one[left] == other[right] and one[right] == other[left]


def _email(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if not first.emails or not second.emails:
        return None
    if first.emails & second.emails:
        return DuplicateReason.SAME_EMAIL, policy.same_email
    return DuplicateReason.DIFFERENT_EMAIL, policy.different_email


def _member_number(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    # Somebody may well hold two numbers: differing ones say nothing.
    if first.member_numbers & second.member_numbers:
        return DuplicateReason.SAME_MEMBER_NUMBER, policy.same_member_number
    return None


def _other_identity(
    first: CardFacts, second: CardFacts, _likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if first.other_identities & second.other_identities:
        return DuplicateReason.SAME_OTHER_IDENTITY, policy.same_other_identity
    return None


def _address(
    first: CardFacts, second: CardFacts, likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if not first.address or not second.address:
        return None
    if likeness.address >= 1:
        return DuplicateReason.SAME_ADDRESS, policy.same_address
    if likeness.address >= policy.similar_from:
        return DuplicateReason.SIMILAR_ADDRESS, policy.similar_address
    return DuplicateReason.DIFFERENT_ADDRESS, policy.different_address


def _employer(
    first: CardFacts, second: CardFacts, likeness: Likeness, policy: DuplicatePolicy
) -> Evidence | None:
    if not first.employer or not second.employer:
        return None
    if first.employer == second.employer:
        return DuplicateReason.SAME_EMPLOYER, policy.same_employer
    if likeness.employer >= policy.similar_from:
        return DuplicateReason.SIMILAR_EMPLOYER, policy.similar_employer
    return DuplicateReason.DIFFERENT_EMPLOYER, policy.different_employer


_Weigh = Callable[[CardFacts, CardFacts, Likeness, DuplicatePolicy], Evidence | None]
_WEIGHED: Final[tuple[_Weigh, ...]] = (
    _name,
    _birthday,
    _gender,
    _phone,
    _email,
    _member_number,
    _other_identity,
    _address,
    _employer,
)
