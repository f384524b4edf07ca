"""Column types and constraints that every table spells the same way."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.vocabulary import Code


class CodeColumn(sa.types.TypeDecorator[Code]):
    """Lower-case text in the database, a member of a vocabulary in Python."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, vocabulary: type[Code]) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Write the code's text."""
        return None if value is None else str(self.vocabulary(value))

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """Read the member with that text."""
        return None if value is None else self.vocabulary(value)


def code_check(column: str, vocabulary: type[Code]) -> sa.CheckConstraint:
    """Return the CHECK that a column holds one of the vocabulary's codes."""
    codes = ", ".join(f"'{member}'" for member in vocabulary)
    return sa.CheckConstraint(f"{column} IN ({codes})", name=column)


MONEY = sa.Numeric(14, 2)
TOTAL = sa.Numeric(28, 2)
QUANTITY = sa.Numeric(10, 3)
INSTANT = sa.DateTime(timezone=True)
JSON_COLUMN = JSONB(none_as_null=True)
TEXTS = sa.ARRAY(sa.Text)

Text = Annotated[str, Field(sa_type=sa.Text)]
TextOrNone = Annotated[str | None, Field(sa_type=sa.Text)]
Instant = Annotated[datetime, Field(sa_type=INSTANT)]
InstantOrNone = Annotated[datetime | None, Field(sa_type=INSTANT)]
Money = Annotated[Decimal, Field(sa_type=MONEY)]
Total = Annotated[Decimal, Field(sa_type=TOTAL)]
MoneyOrNone = Annotated[Decimal | None, Field(sa_type=MONEY)]
Quantity = Annotated[Decimal, Field(sa_type=QUANTITY)]
Texts = Annotated[list[str], Field(sa_type=TEXTS)]
Json = Annotated[Any, Field(sa_type=JSON_COLUMN)]
JsonOrNone = Annotated[Any, Field(sa_type=JSON_COLUMN, nullable=True)]


def code_field(vocabulary: type[Code]) -> Any:
    """Return a mandatory field that holds a code of the vocabulary."""
    return Field(sa_type=CodeColumn(vocabulary))


def optional_code_field(vocabulary: type[Code]) -> Any:
    """Return a field that holds a code of the vocabulary or nothing."""
    return Field(default=None, sa_type=CodeColumn(vocabulary), nullable=True)


def empty_field(sa_type: Any, empty: str) -> Any:
    """Return a field that rows written before it was there have as this empty value."""
    return Field(sa_type=sa_type, sa_column_kwargs={"server_default": sa.text(f"'{empty}'")})
