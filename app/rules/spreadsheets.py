"""What spreadsheet programs take for a formula, and how it is kept from being one.

Somebody's name may be ``=HYPERLINK(…)``: opened by a spreadsheet program, a cell that begins so is
worked out rather than shown (OWASP, CSV injection).
"""

from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Full-width signs too: some programs fold them when a cell is edited."""


def begins_like_a_formula(text: str) -> bool:
    """Tell whether a spreadsheet program might work a cell with this text out."""
    return text.startswith(FORMULA_STARTS)


def harmless(text: str) -> str:
    """Return text that is shown as text, with an apostrophe before what looks like a formula."""
    return f"'{text}" if begins_like_a_formula(text) else text
