"""Bodies that change some fields: what is absent stays, what is null is emptied."""

from typing import Any

from pydantic import Field

from app.schemas.common import Input


def omittable(**about: Any) -> Any:
    """Return a field that may be left out, though null is refused where its type has no null.

    Its default is never looked at: what was sent stands in ``model_fields_set``. A factory rather
    than a value, so that the API document shows no default.
    """
    return Field(default_factory=lambda: None, **about)


class Patch(Input):
    """A body that changes the fields it names."""

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent with their values."""
        return {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name in self.model_fields_set
        }
