"""What is shown of a phone, an e-mail address or a WeChat id to those who need not know it whole.

Enough is left to tell two apart and to compare with what a customer says on the phone; never
enough to reach them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

HIDDEN: Final = "****"
"""Stands in every masked value, and in none that can be kept."""
_SHOWN_LAST: Final = 4
_SHOWN_FIRST: Final = 3
_LEAST_HIDDEN: Final = 4


def mask_phone(number: str) -> str:
    """Return a phone number with its middle hidden: ``+86138****8000``.

    The country code stays. Of the rest the last four digits stay and at most three at the front,
    as long as four are hidden; short numbers show less. Numbers that are not E.164 are read as
    they are written, without what is no digit.
    """
    digits = "".join(character for character in number if character.isdecimal())
    code = _country_code(digits) if number.startswith("+") else ""
    national = digits[len(code) :]
    last = max(min(_SHOWN_LAST, len(national) - _LEAST_HIDDEN), 0)
    first = max(min(_SHOWN_FIRST, len(national) - last - _LEAST_HIDDEN), 0)
    prefix = f"+{code}" if code else ""
    return f"{prefix}{national[:first]}{HIDDEN}{national[len(national) - last :]}"


def _country_code(digits: str) -> str:
    # No country code begins another one (ITU-T E.164).
    return next(
        (
            digits[:length]
            for length in (1, 2, 3)
            if digits[:length] and int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE
        ),
        "",
    )


def mask_email(address: str) -> str:
    """Return an e-mail address with all but the first letter of its local part hidden.

    A local part of one letter shows nothing: ``x****@example.com``, ``****@example.com``.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        return HIDDEN
    return f"{local[:1] if len(local) > 1 else ''}{HIDDEN}@{domain}"


def mask_word(word: str) -> str:
    """Return a WeChat id, or another single word, by its ends: ``w****7``; short ones show none."""
    return f"{word[0]}{HIDDEN}{word[-1]}" if len(word) >= 6 else HIDDEN


MASKS: Final[Mapping[str, Callable[[str], str]]] = {
    "phone": mask_phone,
    "email": mask_email,
    "wechat": mask_word,
}
"""By kind of identity, and by name of field; other kinds are shown as they are."""


def mask_identity(kind: str, value: str) -> str:
    """Return an identity's value as everybody may see it: ways to reach somebody are hidden."""
    mask = MASKS.get(kind)
    return value if mask is None else mask(value)


def mask_within(value: Any, field: str = "") -> Any:
    """Return a JSON value in which every phone, e-mail address and WeChat id is masked.

    They are known by the member that holds them (``phone``, ``email``, ``wechat``), or by the
    ``kind`` beside a ``value``. What is masked already is not masked again.
    """
    if isinstance(value, str):
        return value if HIDDEN in value else mask_identity(field, value)
    if isinstance(value, list):
        return [mask_within(part, field) for part in value]
    if isinstance(value, dict):
        kind = value.get("kind")
        return {
            name: mask_within(part, kind if name == "value" and isinstance(kind, str) else name)
            for name, part in value.items()
        }
    return value
