"""Files that are brought in: the upload, what was read of it, and what it wrote."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Json,
    JsonOrNone,
    Money,
    MoneyOrNone,
    Quantity,
    Text,
    TextOrNone,
    code_check,
    code_field,
)
from app.vocabulary import ActorKind, ImportKind, ImportStatus, OnExisting

# What is read of a file can be read again: it is not worth the log, nor a place on a standby.
_UNLOGGED = {"prefixes": ["UNLOGGED"]}


def _of_job() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["import_id"], ["import_job.id"], ondelete="CASCADE")


class ImportJob(SQLModel, table=True):
    """One file that is brought in, and how far that is.

    ``mapping`` says for each field the number of its column, as proposed and as ``wanted``;
    ``sample`` shows rows, phones and the like masked. ``phase`` and ``position`` are moved in the
    transaction of the rows they count.
    ``counts`` is ``{"checked": {code: rows}, "run": {code: number}}``, and ``"takes"`` while
    nothing has come of taking the file up so often.
    """

    __tablename__ = "import_job"
    __table_args__ = (
        sa.ForeignKeyConstraint(["source_id"], ["source.id"]),
        code_check("kind", ImportKind),
        code_check("status", ImportStatus),
        code_check("on_existing", OnExisting),
        code_check("created_by_kind", ActorKind),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.Index(None, "created_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    kind: ImportKind = code_field(ImportKind)
    status: ImportStatus = code_field(ImportStatus)
    source_id: UUID | None = None
    on_existing: OnExisting = code_field(OnExisting)
    file_name: Text
    file_bytes: int = Field(default=0, sa_type=sa.BigInteger)
    reading: JsonOrNone = None
    columns: Json
    mapping: Json
    wanted: JsonOrNone = None
    sample: Json
    counts: Json
    problem: JsonOrNone = None
    staged: int = 0
    rows_total: int = 0
    rows_done: int = 0
    phase: Text = ""
    position: int = Field(default=0, sa_type=sa.BigInteger)
    settled_to: UUID | None = None
    is_cancelling: bool = False
    version: int = 1
    created_by_kind: ActorKind = code_field(ActorKind)
    created_by_id: UUID | None = None
    created_at: Instant
    updated_at: Instant
    started_at: InstantOrNone = None
    finished_at: InstantOrNone = None


class ImportChunk(SQLModel, table=True):
    """A part of an uploaded file, where a worker on any machine can read it."""

    __tablename__ = "import_chunk"
    __table_args__ = (_of_job(),)

    import_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    body: bytes = Field(sa_type=sa.LargeBinary)


class ImportFinding(SQLModel, table=True):
    """Something about a row of the file: its number, its column, a code; never its value."""

    __tablename__ = "import_finding"
    __table_args__ = (_of_job(),)

    import_id: UUID = Field(primary_key=True)
    row_number: int = Field(primary_key=True)
    code: Text = Field(primary_key=True, sa_type=sa.Text)
    column_number: int = Field(primary_key=True)


class ImportRow(SQLModel, table=True):
    """A row of cards or interactions as it was read, ready to be written."""

    __tablename__ = "import_row"
    __table_args__ = (_UNLOGGED,)

    import_id: UUID = Field(primary_key=True)
    row_number: int = Field(primary_key=True)
    body: Json


class ImportLine(SQLModel, table=True):
    """A line of a receipt as it was read; lines with the same ``position`` are one receipt.

    Refunds have positions after all sales. ``original_key`` is the receipt that one takes back.
    """

    __tablename__ = "import_line"
    __table_args__ = (_UNLOGGED,)

    import_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=sa.BigInteger)
    row_number: int = Field(primary_key=True)
    receipt_number: Text
    receipt_key: Text
    original_key: TextOrNone = None
    occurred_at: Instant
    store_id: UUID
    who_kind: TextOrNone = None
    who_system: TextOrNone = None
    who_value: TextOrNone = None
    cashier: TextOrNone = None
    sku: TextOrNone = None
    isbn: TextOrNone = None
    title: TextOrNone = None
    category: TextOrNone = None
    quantity: Quantity
    unit_price: Money
    amount: Money
    unit_cost: MoneyOrNone = None


class ImportItem(SQLModel, table=True):
    """What an import wrote: a card, a receipt, a contact; ``before`` is what a changed card said.

    ``kept`` is the code of the reason for which undoing left it.
    """

    __tablename__ = "import_item"
    __table_args__ = (
        _of_job(),
        sa.Index(
            None, "customer_id", "import_id", postgresql_where=sa.text("customer_id IS NOT NULL")
        ),
    )

    import_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=sa.BigInteger)
    object_id: UUID
    customer_id: UUID | None = None
    key: TextOrNone = None
    before: JsonOrNone = None
    kept: TextOrNone = None
