"""Is it alive, is it ready, how does it do."""

from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.core.errors import UnavailableError
from app.schemas.common import Output
from app.web.dependencies import DatabaseDep, Public
from app.web.documentation import problems
from app.web.route import HuikeRoute

router = APIRouter(tags=["operations"], route_class=HuikeRoute)


class Health(Output):
    """The answer of the health checks."""

    status: Literal["ok"]


@router.get(
    "/health/live",
    summary="The process answers",
    responses=problems("internal-error"),
    dependencies=[Depends(Public("probes carry no credentials"))],
)
async def check_live() -> Health:
    """Answer while the process runs; asks nobody else."""
    return Health(status="ok")


@router.get(
    "/health/ready",
    summary="Requests can be answered",
    responses=problems("internal-error", "shutting-down", "database-unavailable"),
    dependencies=[Depends(Public("probes carry no credentials"))],
)
async def check_ready(request: Request, database: DatabaseDep) -> Health:
    """Answer when the database answers and the service is not stopping.

    Raises:
        UnavailableError: either is not so.
    """
    if request.app.state.is_draining:
        raise UnavailableError(
            "The service is stopping.", code="shutting-down", detail_zh="服务正在停止。"
        )
    await database.ping()
    return Health(status="ok")


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Counters, gauges and histograms.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "huike_http_requests_in_progress 1.0\n",
                }
            },
        },
        **problems("internal-error"),
    },
    dependencies=[Depends(Public("figures carry no personal data; keep them inside by the proxy"))],
)
async def read_metrics() -> Response:
    """Return counters, gauges and histograms in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
