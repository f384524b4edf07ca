"""What every vocabulary is made of: a code with its English and Chinese labels."""

from enum import StrEnum
from typing import Self


class Label(tuple[str, str]):
    """A code's name for people: English, Chinese."""

    __slots__ = ()

    @property
    def en(self) -> str:
        """The English name."""
        return self[0]

    @property
    def zh(self) -> str:
        """The Chinese name."""
        return self[1]


class Code(StrEnum):
    """Base of all vocabularies: ``NAME = "code", "English", "中文"``."""

    label: Label

    def __new__(cls, value: str, en: str = "", zh: str = "") -> Self:
        """Make a member that is the string ``value`` and carries its label."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = Label((en, zh))
        return member
