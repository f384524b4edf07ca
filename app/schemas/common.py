"""What all bodies share: how inputs and outputs are read and written."""

from pydantic import BaseModel, ConfigDict, Field

from app.vocabulary import Code


class Input(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """A response body: every field is always there."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class BilingualText(Output):
    """The same sentence in both languages."""

    en: str
    zh: str


class LabelledCode(Output):
    """A code with its labels."""

    code: str = Field(description="The code as it stands in other answers.")
    en: str = Field(description="English label.")
    zh: str = Field(description="Chinese label.")

    @classmethod
    def of(cls, code: Code) -> "LabelledCode":
        """Return a vocabulary's member with its labels."""
        return cls(code=str(code), en=code.label.en, zh=code.label.zh)
