"""Where search keys stand, and which hit goes before which."""

from itertools import product

import pytest

from app.rules.search_places import SEARCHED_STATUSES, KeyPart, part_of, place_of, places_of
from app.rules.search_ranks import LADDER, rank_of
from app.vocabulary import CustomerKind, CustomerStatus, MatchReason


def test_every_part_kind_and_status_has_a_place_of_its_own() -> None:
    places = {
        place_of(part, kind, status): part
        for part, kind, status in product(KeyPart, CustomerKind, SEARCHED_STATUSES)
    }
    assert len(places) == len(KeyPart) * len(CustomerKind) * len(SEARCHED_STATUSES)
    assert all(part_of(place) is part for place, part in places.items())


@pytest.mark.parametrize("status", [CustomerStatus.MERGED, CustomerStatus.ERASED])
def test_merged_and_erased_cards_have_no_place(status: CustomerStatus) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        place_of(KeyPart.NAME, CustomerKind.INDIVIDUAL, status)


@pytest.mark.parametrize(
    ("kind", "include_archived", "places"),
    [
        (None, False, [8, 9]),
        (None, True, [8, 9, 10, 11]),
        (CustomerKind.INDIVIDUAL, False, [8]),
        (CustomerKind.ORGANIZATION, True, [9, 11]),
    ],
)
def test_a_search_looks_where_cards_of_its_kind_and_status_are(
    kind: CustomerKind | None, include_archived: bool, places: list[int]
) -> None:
    assert list(places_of(KeyPart.INNER, kind, include_archived=include_archived)) == places


def test_every_reason_has_a_rung() -> None:
    assert {reason for reason, _ in LADDER} == set(MatchReason)
    for reason, is_whole in product(MatchReason, (True, False)):
        if (reason, is_whole) in LADDER or (reason, False) in LADDER:
            likely, other = (
                rank_of(reason, is_whole=is_whole, is_likeliest=likeliest)
                for likeliest in (True, False)
            )
            assert likely < other


def test_what_matches_whole_goes_before_what_begins_so() -> None:
    for reason in (MatchReason.PINYIN, MatchReason.INITIALS):
        whole = rank_of(reason, is_whole=True, is_likeliest=False)
        assert whole < rank_of(reason, is_whole=False, is_likeliest=True)
