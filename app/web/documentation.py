"""What a route says about itself in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.web.problems import MEDIA_TYPE, PROBLEMS


class FieldProblem(BaseModel):
    """One thing wrong with one part of the input."""

    pointer: str = Field(description="JSON pointer (RFC 6901) to the part.", examples=["/name"])
    code: str = Field(description="A stable code.", examples=["missing"])
    detail: str = Field(description="What is wrong; never the value itself.")


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`/problems/<code>`: a page that explains it.")
    title: str = Field(description="What kind of problem it is, in the reader's language.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What is wrong with this request, and what to do about it.")
    instance: str = Field(description="The path of the request, without its query.")
    request_id: str = Field(description="The id under which the request is logged.")
    errors: list[FieldProblem] | None = Field(
        default=None, description="For `validation` and `identity-taken`: what is wrong where."
    )


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that can answer with these problem codes.

    Codes of one status share a response; each code is an example of it.
    """
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        status: {
            "model": Problem,
            "description": _description(status, of_status),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        code: {"summary": PROBLEMS[code].title, "value": _example(code)}
                        for code in of_status
                    },
                }
            },
        }
        for status, of_status in sorted(by_status.items())
    }


def _description(status: int, codes: list[str]) -> str:
    if "unavailable" in codes:
        # Every operation that asks the database can meet any of these, and they are handled alike.
        others = [code for code, kind in PROBLEMS.items() if kind.status == status]
        return "Not now; try again after Retry-After: " + ", ".join(f"`{code}`" for code in others)
    return "; ".join(PROBLEMS[code].title for code in codes)


def _example(code: str) -> dict[str, Any]:
    kind = PROBLEMS[code]
    document: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.explanation,
        "instance": "/v1/…",
        "request_id": "0193a1c2d3e4",
    }
    if code == "validation":
        document["errors"] = [{"pointer": "/name", "code": "missing", "detail": "Field required"}]
    return document


SIGNED_IN = ("unauthenticated", "forbidden")
"""What every guarded route can answer."""

ANY_REQUEST = (
    "malformed-json", "too-large", "unsupported-media-type", "validation", "internal-error",
    "unavailable",
)  # fmt: skip
"""What every route with a body can answer."""
