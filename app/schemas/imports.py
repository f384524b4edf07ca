"""Bodies of imports: what is wanted, how it was read, how far it is, what was found."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import CodeText, ImportKind, ImportStatus, OnExisting, ShortText

FieldName = Annotated[str, Field(min_length=1, max_length=40, examples=["receipt_number"])]
Mapping = Annotated[
    dict[FieldName, ShortText | None],
    Field(
        description="For a field the name of its column; null for none. The other columns are "
        "found by their names.",
        examples=[{"receipt_number": "小票号", "cashier": None}],
        max_length=50,
    ),
]


class ImportCreate(Input):
    """A file that is going to be brought in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "purchases", "source": "till-s01-1", "file_name": "2026年销售明细.csv"}
            ]
        }
    )

    kind: ImportKind
    file_name: ShortText = Field(examples=["2026年销售明细.csv"])
    source: CodeText | None = Field(
        default=None,
        description="For purchases: the code of the till or web shop whose receipts these are.",
    )
    on_existing: OnExisting | None = Field(
        default=None, description="For cards: what is done with customers who have a card."
    )
    mapping: Mapping | None = None


class ImportChange(Patch):
    """What may be changed of an import before it runs."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"mapping": {"amount": "实付金额", "discount": None}}]}
    )

    on_existing: OnExisting = omittable()
    mapping: Mapping = omittable()


class ImportReading(Output):
    """How the file was read."""

    format: Literal["csv", "xlsx"] = Field(examples=["csv"])
    encoding: str | None = Field(examples=["gb18030"])
    delimiter: str | None = Field(examples=[","])


class ImportColumn(Output):
    """A column of the file, and the field it is taken for."""

    number: int = Field(description="From 1.", examples=[1])
    name: str = Field(examples=["小票号"])
    field: str | None = Field(description="Null: it is not used.", examples=["receipt_number"])


class ImportFieldRead(Output):
    """A field that such a file can have."""

    name: str = Field(examples=["receipt_number"])
    en: str = Field(examples=["Receipt number"])
    zh: str = Field(examples=["小票号"])
    is_required: bool = Field(description="Itself, or one that can stand for it.")


class ImportProgress(Output):
    """How far the present step is."""

    step: Literal["check", "write", "settle", "undo"] | None
    rows_done: int = Field(examples=[420000])
    rows_total: int = Field(examples=[1000000])
    rows_per_second: int | None = Field(examples=[21000])
    seconds_left: int | None = Field(examples=[28])


class ImportProblem(Output):
    """Why the file can't be imported."""

    code: str = Field(examples=["columns-missing"])
    en: str = Field(
        examples=["No column was found for: Receipt number (receipt_number). Name one in mapping."]
    )
    zh: str = Field(
        examples=["未找到以下字段对应的列：小票号（receipt_number）。请在 mapping 中指定。"]
    )
    fields: list[str] = Field(examples=[["receipt_number"]])


class ImportRead(Output):
    """A file that is brought in, and how far that is."""

    id: UUID
    kind: ImportKind
    status: ImportStatus
    file_name: str = Field(examples=["2026年销售明细.csv"])
    file_bytes: int = Field(examples=[52428800])
    source_id: UUID | None
    on_existing: OnExisting
    reading: ImportReading | None
    columns: list[ImportColumn]
    fields: list[ImportFieldRead] = Field(description="What columns can be taken for.")
    sample: list[list[str]] = Field(
        description="The first rows; phones and the like masked.",
        examples=[[["R1", "2026-11-01", "138***00", "58.00"]]],
    )
    counts: dict[str, int] = Field(
        description="Rows: all (`rows`), those that can be imported (`good`), `refused`, and by "
        "finding.",
        examples=[{"rows": 1000, "good": 980, "refused": 3, "duplicate-row": 17}],
    )
    written: dict[str, int] = Field(
        description="What running has written so far.",
        examples=[{"rows": 980, "receipts": 410, "awaiting": 12, "upgrades": 3}],
    )
    problem: ImportProblem | None
    progress: ImportProgress
    version: int = Field(examples=[3])
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportFindingRead(Output):
    """Something about a row: where, what, and what was done; never the value."""

    row: int = Field(description="Of the file, the row of names included.", examples=[17])
    column: int | None = Field(description="From 1.", examples=[4])
    column_name: str | None = Field(examples=["金额"])
    code: str = Field(examples=["bad-amount"])
    treatment: Literal["refused", "skipped", "kept"]
    en: str = Field(examples=["not an amount"])
    zh: str = Field(examples=["金额无法识别"])


class ImportKept(Output):
    """Something that undoing left, and why."""

    position: int = Field(examples=[17])
    object_id: UUID
    customer_id: UUID | None
    reason: str = Field(examples=["has-refunds"])
    en: str = Field(examples=["a refund that came later refers to it"])
    zh: str = Field(examples=["之后有退货引用该小票"])


class ReportSentence(Output):
    """A sentence in both languages."""

    en: str = Field(examples=["998,211 rows imported."])
    zh: str = Field(examples=["998,211 行已导入。"])


class ImportReport(Output):
    """What became of a file, for people."""

    sentences: list[ReportSentence]
    text_en: str = Field(examples=["The file has 1,000 rows. 980 rows imported."])
    text_zh: str = Field(examples=["文件共 1,000 行。980 行已导入。"])
