"""Phone numbers: what people write, as E.164 (ITU-T), by the numbering plans of libphonenumber."""

import re
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

from app.locale.names import fold_width

MAXIMUM_PHONE_LENGTH: Final = 40
# Letters and extensions have their uses, but two of them must never become one E.164 number.
_WRITTEN = re.compile(r"[+]?[0-9 ()./-]+")


def normalise_phone(written: str, region: str) -> str:
    """Return a phone number in E.164; without a country code it is one of ``region`` (ISO 3166).

    Raises:
        ValueError: no number that the numbering plan knows; the message says nothing of it.
    """
    text = fold_width(written).strip()
    if len(text) <= MAXIMUM_PHONE_LENGTH and _WRITTEN.fullmatch(text):
        try:
            number = parse(text, region)
        except NumberParseException:
            pass
        else:
            if is_valid_number(number):
                return format_number(number, PhoneNumberFormat.E164)
    raise ValueError("Not a valid phone number: digits, with the country code when it is abroad.")


def national_digits(number: str) -> str:
    """Return the digits of an E.164 number without its country code, as they end any writing."""
    return str(parse(number).national_number)
