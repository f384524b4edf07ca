"""A scan of made-up cards finds those of one customer, and hardly others.

``HUIKE_FAULTS_FULL=1`` makes it a hundred thousand cards.
"""

import os
import sys
from collections import Counter

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.jobs.duplicates import run_scan
from app.models import DuplicatePair
from tests.support.lookalike_tables import write_made_cards
from tests.support.lookalikes import Proportions, make_cards, true_pairs

SEED = 20261128
IS_FULL = os.environ.get("HUIKE_FAULTS_FULL") == "1"
COUNT, PAIRS = (100_000, 9_813) if IS_FULL else (20_000, 1_952)


# The full form takes minutes.
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_scan_finds_the_cards_of_one_customer_and_hardly_others(
    fresh_database: Database, settings: Settings
) -> None:
    # given
    cards = make_cards(SEED, COUNT, Proportions())
    truth = true_pairs(cards)
    ids = await write_made_cards(fresh_database, cards)
    assert (len(cards), len(truth)) == (COUNT, PAIRS)

    # when
    counts = await run_scan(fresh_database.url, settings, full=False)

    # then
    places = {card_id: place for place, card_id in enumerate(ids)}
    async with fresh_database.transaction() as session:
        rows = await session.execute(
            select(col(DuplicatePair.first_id), col(DuplicatePair.second_id))
        )
        found = {ordered_places(places[first], places[second]) for first, second in rows}
    right = found & truth.keys()
    precision, recall = len(right) / len(found), len(right) / len(truth)
    of_kind = Counter(truth.values())
    found_of_kind = Counter(truth[pair] for pair in right)
    lines = [
        f"{len(cards):,} cards, {len(truth):,} true pairs, {counts['compared_pairs']:,} compared",
        f"precision {precision:.4f}, recall {recall:.4f}",
        *(
            f"  {kind:<18}{found_of_kind[kind]:>6} of {count:>6}  {found_of_kind[kind] / count:.3f}"
            for kind, count in sorted(of_kind.items())
        ),
    ]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert precision >= 0.95
    assert recall >= 0.85
    # Work grows with the cards, not with their square.
    assert counts["compared_pairs"] < 10 * len(cards)


def ordered_places(one: int, other: int) -> tuple[int, int]:
    """Return two places, the smaller first."""
    return min(one, other), max(one, other)
