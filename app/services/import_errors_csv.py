"""Findings of an import as a table for a spreadsheet."""

import csv
import io
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.rules.spreadsheets import harmless
from app.services.import_told import list_findings

_AT_ONCE = 20_000
_HEAD = ("row 行", "column 列", "name 列名", "code", "treatment", "English", "中文")


async def findings_csv(session: AsyncSession, import_id: UUID) -> bytes:
    """Return what is the matter with rows as CSV in UTF-8, with the mark that Excel wants.

    Raises:
        NotFoundError: there is no such import.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_HEAD)
    after: list[Any] | None = None
    while True:
        page, after = await list_findings(
            session, import_id, treatment=None, limit=_AT_ONCE, after=after
        )
        for found in page:
            # A name of a column is the file's own: it must not become a formula.
            safe = harmless(found.column_name or "")
            table.writerow(
                (found.row, found.column or "", safe, found.code, found.treatment, found.en,
                 found.zh)
            )  # fmt: skip
        if after is None:
            return text.getvalue().encode("utf-8-sig")
