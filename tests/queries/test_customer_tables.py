"""The list of customers' tables knows every table of customers, and every column it names."""

from app.models import metadata
from app.queries.customer_tables import CUSTOMER_TABLES, OnErasure


def test_every_table_that_names_a_customer_is_in_the_list_once() -> None:
    naming = {table.name for table in metadata.tables.values() if "customer_id" in table.columns}
    listed = [table.name for table in CUSTOMER_TABLES]
    assert len(set(listed)) == len(listed)
    assert set(listed) == naming | {"customer"}


def test_what_is_personal_is_a_column_and_goes_with_an_erasure() -> None:
    for table in CUSTOMER_TABLES:
        columns = metadata.tables[table.name].columns
        assert set(table.personal) <= set(columns.keys()), table.name
        assert bool(table.personal) == (table.on_erasure is not OnErasure.KEPT), table.name


def test_what_others_refer_to_comes_first() -> None:
    place = {table.name: index for index, table in enumerate(CUSTOMER_TABLES)}
    for name, index in place.items():
        for key in metadata.tables[name].foreign_keys:
            parent = key.column.table.name
            assert place.get(parent, -1) <= index, (name, parent)
