"""What finds a card: identities as they are kept, so that two ways of writing one are one."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from email_validator import EmailNotValidError, validate_email

from app.locale.masking import HIDDEN, MASKS
from app.locale.names import fold_width, is_one_word
from app.locale.phones import normalise_phone
from app.vocabulary import IdentityKind

MAXIMUM_VALUE_LENGTH: Final = 254
"""The longest e-mail address (RFC 5321); nothing else comes near it."""
MAXIMUM_WORD_LENGTH: Final = 128

_SYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class IdentityError(ValueError):
    """No such identity can be, said in both languages; ``part`` is the field that is wrong."""

    def __init__(
        self, message: str, message_zh: str, part: Literal["system", "value"] = "value"
    ) -> None:
        super().__init__(message)
        self.message_zh = message_zh
        self.part: Literal["system", "value"] = part


@dataclass(frozen=True, slots=True, order=True)
class IdentityKey:
    """An identity as it is unique over the chain; ``system`` is empty unless it is external."""

    kind: IdentityKind
    system: str
    value: str


def normalise(kind: IdentityKind, system: str | None, value: str, region: str) -> IdentityKey:
    """Return the identity that a written value means.

    Phones become E.164 (``region`` is that of numbers without country code), e-mail addresses get
    their domain in lower case; the rest is folded to NFKC, trimmed, and must be one word. What
    was normalised stays as it is when normalised again.

    Raises:
        IdentityError: no such identity can be; the message can be shown, and never repeats the
            value.
    """
    if len(value) > MAXIMUM_VALUE_LENGTH:
        raise _too_long(MAXIMUM_VALUE_LENGTH)
    if kind in MASKS and HIDDEN in fold_width(value):
        raise IdentityError("Masked: send it whole.", "已脱敏，请提供完整内容。")
    if kind is IdentityKind.PHONE:
        normalised = _phone(value, region)
    elif kind is IdentityKind.EMAIL:
        normalised = _email(value)
    else:
        normalised = _word(value)
    return IdentityKey(kind, _system(kind, system), normalised)


def _too_long(limit: int) -> IdentityError:
    return IdentityError(f"Longer than {limit} characters.", f"超过 {limit} 个字符。")


def _system(kind: IdentityKind, system: str | None) -> str:
    if kind is not IdentityKind.EXTERNAL:
        if system:
            raise IdentityError(
                "Only an external identity names its system.",
                "只有外部系统编号才可注明系统。",
                "system",
            )
        return ""
    if not system or not _SYSTEM.fullmatch(system):
        raise IdentityError(
            "An external identity names its system: 1 to 64 letters, digits, '_', '.', '-'.",
            "外部系统编号须注明系统：1–64 个字母、数字、“_”、“.”、“-”。",
            "system",
        )
    return system


def _phone(written: str, region: str) -> str:
    try:
        return normalise_phone(written, region)
    except ValueError as error:
        raise IdentityError(
            str(error), "不是有效的电话号码：须为数字，境外号码须带国家代码。"
        ) from error


def _email(written: str) -> str:
    try:
        # Whether a domain takes mail today says nothing about tomorrow, and asks the network.
        found = validate_email(fold_width(written).strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise IdentityError("Not a valid e-mail address.", "不是有效的电子邮箱。") from error
    return found.normalized


def _word(written: str) -> str:
    text = fold_width(written).strip()
    if len(text) > MAXIMUM_WORD_LENGTH:
        raise _too_long(MAXIMUM_WORD_LENGTH)
    if not is_one_word(text):
        raise IdentityError(
            "Empty, or with spaces or invisible characters in it.", "为空，或含有空格或不可见字符。"
        )
    return text
