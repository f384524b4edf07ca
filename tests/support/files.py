"""Files of lists, asked for and read back."""

import csv
import io
from typing import Any

import httpx
from python_calamine import CalamineWorkbook

from tests.support.world import World


async def export(
    client: httpx.AsyncClient, world: World, which: str, who: str = "manager", **body: Any
) -> httpx.Response:
    """Ask for a list as a file; CSV with Chinese names where nothing else is said."""
    return await client.post(
        f"/v1/exports/{which}", headers=world.headers(who), json={"format": "csv", **body}
    )


def rows_of(answer: httpx.Response) -> list[list[Any]]:
    """Return the rows of a file that was answered, the names first."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("text/csv"):
        assert answer.content.startswith(b"\xef\xbb\xbf")
        text = answer.content.decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline="")))
    assert int(answer.headers["content-length"]) == len(answer.content)
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    return [row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python()]
