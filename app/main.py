"""The application: lifespan, middleware, routers, the table of errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.core.config import Settings
from app.core.database import Database
from app.routers import ROUTERS
from app.web.dependencies import unguarded_routes
from app.web.docs_pages import install_docs_pages
from app.web.middleware import (
    AllowOrigins,
    AnswerHead,
    CatchFailures,
    Identify,
    KeepDeadline,
    LimitBody,
    RunAgain,
)
from app.web.openapi import DESCRIPTION, TAGS, install_openapi
from app.web.problems import install_problem_handlers
from app.web.route import HuikeRoute

VERSION = "0.1.0"


def create_app(settings: Settings, database: Database) -> FastAPI:
    """Return the service over an open database.

    Raises:
        RuntimeError: a route does not say who may call it.
        UnsafeSettingsError: it would serve beyond loopback with a weak secret.
    """
    settings.check_safe_to_serve()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    app = FastAPI(
        title="Huike 惠客",
        summary="Customer relationships of a retail chain",
        description=DESCRIPTION,
        version=VERSION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        servers=[{"url": "/", "description": "This server"}],
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    app.router.route_class = HuikeRoute
    app.state.settings = settings
    app.state.database = database
    app.state.is_draining = False
    for router in ROUTERS:
        app.include_router(router)
    install_docs_pages(app)
    install_openapi(app)
    install_problem_handlers(app)
    unguarded = unguarded_routes(app)
    if unguarded:
        raise RuntimeError(f"routes that don't say who may call them: {unguarded}")
    # Added last is outermost.
    app.add_middleware(RunAgain)
    app.add_middleware(KeepDeadline, settings=settings)
    app.add_middleware(LimitBody, settings=settings)
    app.add_middleware(AnswerHead)
    app.add_middleware(CatchFailures)
    if settings.cors_origins:
        app.add_middleware(AllowOrigins, settings=settings)
    app.add_middleware(Identify)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
