"""Examples for the API document, put together from what the fields say of themselves.

A model's own example is taken as it is. Where there is none, each property gives its own, else a
value that its type allows; what may be null and has no example is null. So every body of every
operation is shown, and no example can contradict its schema for long: the linters check each.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_BY_FORMAT: Final = {
    "uuid": "0193a1c2-d3e4-7f00-8000-000000000001",
    "date": "2026-11-21",
    "date-time": "2026-11-21T10:30:00Z",
}
_REFERENCE: Final = "#/components/schemas/"


def example_of(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """Return an example for a JSON schema; ``schemas`` are the document's components.

    Raises:
        ValueError: the schema is none of those that our models make.
    """
    # What a field says of itself goes before what it refers to says of all that are like it.
    for given in (schema.get("examples"), schema.get("enum")):
        if given:
            return given[0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_REFERENCE)], schemas)
    if "const" in schema:
        return schema["const"]
    if "default" in schema:
        return schema["default"]
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if branches:
        nothing = any(branch.get("type") == "null" for branch in branches)
        return None if nothing else example_of(branches[0], schemas)
    return _of_type(schema, schemas)


def _of_type(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return _of_object(schema, schemas)
    if kind == "array":
        item = schema.get("items") or schema["prefixItems"][0]
        return [example_of(item, schemas)]
    if kind == "string":
        return _BY_FORMAT.get(schema.get("format", ""), "text")
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return False
    raise ValueError(f"no example can be made for {dict(schema)}")


def _of_object(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    made = {
        name: example_of(part, schemas)
        for name, part in properties.items()
        if name in schema.get("required", ())
    }
    values = schema.get("additionalProperties")
    if not properties and isinstance(values, Mapping) and values:
        made["name"] = example_of(values, schemas)
    return made
