"""Names and other short texts as people type them: full-width forms, stray spaces."""

import re
import unicodedata

_GAPS = re.compile(r"\s+")


def fold_width(text: str) -> str:
    """Return the text in NFKC, where full-width letters and digits become ordinary ones."""
    return unicodedata.normalize("NFKC", text)


def tidy_name(name: str) -> str:
    """Return a name in NFKC, trimmed, with single spaces inside.

    Invisible characters (Unicode category Cf: zero-width joiners, direction marks) are left out:
    two names that look the same are then the same. The result may be empty.
    """
    visible = "".join(
        character for character in fold_width(name) if unicodedata.category(character) != "Cf"
    )
    return _GAPS.sub(" ", visible).strip()


def is_one_word(text: str) -> bool:
    """Tell whether a text has no spaces, control, format or unassigned characters in it.

    The empty text is no word.
    """
    return bool(text) and not any(unicodedata.category(character)[0] in "CZ" for character in text)
