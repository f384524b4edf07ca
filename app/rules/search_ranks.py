"""Which hit of a search comes before which other one."""

from typing import Final

from app.vocabulary import MatchReason

LADDER: Final[tuple[tuple[MatchReason, bool], ...]] = (
    (MatchReason.PHONE, True),
    (MatchReason.MEMBER_NUMBER, True),
    (MatchReason.EMAIL, True),
    (MatchReason.WECHAT, True),
    (MatchReason.EXTERNAL, True),
    (MatchReason.EXACT_NAME, True),
    (MatchReason.NAME_PREFIX, False),
    (MatchReason.PHONE_SUFFIX, False),
    (MatchReason.PINYIN, True),
    (MatchReason.PINYIN, False),
    (MatchReason.INITIALS, True),
    (MatchReason.INITIALS, False),
    (MatchReason.MIXED, False),
    (MatchReason.MEMBER_NUMBER_PREFIX, False),
    (MatchReason.NAME_PART, False),
    (MatchReason.PINYIN_PART, False),
    (MatchReason.INITIALS_PART, False),
    (MatchReason.EMAIL_PREFIX, False),
)
"""Reasons from the strongest to the weakest; whether all of it matched, or its beginning."""

_RANKS: Final = {rung: rank for rank, rung in enumerate(LADDER)}


def rank_of(reason: MatchReason, *, is_whole: bool, is_likeliest: bool) -> tuple[int, bool]:
    """Return how strong a reason is: the smaller the stronger.

    On each rung the readings that a name most likely has go before the others.
    """
    rank = _RANKS.get((reason, is_whole))
    return (_RANKS[(reason, False)] if rank is None else rank, not is_likeliest)
