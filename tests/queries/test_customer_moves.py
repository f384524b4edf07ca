"""Whatever the list of customers' tables says of a merge, something does it."""

import pytest

from app.models import metadata
from app.queries.customer_moves import MOVING, NOTED
from app.queries.customer_pointers import POINTERS
from app.queries.customer_tables import CUSTOMER_TABLES, OnMerge
from app.services.rebuilding import REBUILDERS


def named(what: OnMerge) -> set[str]:
    """Return the tables of which the list says so."""
    return {table.name for table in CUSTOMER_TABLES if table.on_merge is what}


def test_every_table_that_points_has_its_statements_and_every_derived_one_its_function() -> None:
    assert set(POINTERS) == named(OnMerge.POINTS)
    assert set(REBUILDERS) == named(OnMerge.REBUILT)


def test_what_is_joined_is_known_to_merges() -> None:
    # A further table that is joined needs its part in app/services/merges.py and merge_undo.py.
    assert named(OnMerge.JOINS) == {"customer", "tier_assignment", "customer_consent"}


@pytest.mark.parametrize("table", MOVING, ids=lambda table: table.name)
def test_a_moving_table_is_keyed_by_its_card_and_noted_or_follows(table: object) -> None:
    (moving,) = [one for one in MOVING if one is table]
    key = [column.name for column in metadata.tables[moving.name].primary_key.columns]
    assert key[0] == "customer_id"
    if moving in NOTED:
        assert key == ["customer_id", "id"]
    else:
        assert moving.parent in {one.name for one in NOTED}
        assert moving.reference in key
    # Rows of different cards become one card's: no key of theirs may forbid it.
    uniques = [
        constraint
        for constraint in metadata.tables[moving.name].constraints
        if type(constraint).__name__ == "UniqueConstraint"
    ]
    allowed = {"uq_customer_identity_customer_id_kind_system_value"}
    assert {str(one.name) for one in uniques} <= allowed
