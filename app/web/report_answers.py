"""Reports as answers: 200 with the result, or 202 with the job to follow."""

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.models import Report
from app.schemas.reports import ReportJob
from app.services.reports import Asked

Model = TypeVar("Model", bound=BaseModel)

RETRY_AFTER_SECONDS = 2
ASYNCHRONOUS = "respond-async"
ON_ASKING_FOR_REPORT: dict[int | str, dict[str, Any]] = {
    202: {
        "model": ReportJob,
        "description": "It takes longer: a worker makes it. Follow it at `Location`.",
    }
}
"""What a route whose report may be left to a worker answers besides."""


def wants_to_follow(
    prefer: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description="`respond-async`: answer 202 with a job to follow, without a try (RFC "
            "7240). Other preferences are ignored.",
            json_schema_extra={"example": "respond-async"},
        ),
    ] = None,
) -> bool:
    """Tell whether the client prefers a job to follow to waiting."""
    preferences = (prefer or "").split(",")
    return ASYNCHRONOUS in {
        preference.partition(";")[0].partition("=")[0].strip().lower() for preference in preferences
    }


InBackground = Annotated[bool, Depends(wants_to_follow)]


def report_answer(asked: Asked, model: type[Model], *, in_background: bool) -> Model | Response:
    """Return the report by its model, or the answer that says where to follow its making."""
    if asked.result is not None:
        return model.model_validate(asked.result)
    assert asked.report is not None
    return job_accepted(asked.report, in_background=in_background)


def job_accepted(report: Report, *, in_background: bool) -> Response:
    """Return 202 with the report as it stands, where it can be followed, and when to look."""
    headers = {
        "Location": f"/v1/reports/jobs/{report.id}",
        "Retry-After": str(RETRY_AFTER_SECONDS),
    }
    if in_background:
        headers["Preference-Applied"] = ASYNCHRONOUS
    return JSONResponse(
        ReportJob.model_validate(report).model_dump(mode="json"), status_code=202, headers=headers
    )
