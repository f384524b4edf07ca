"""``/docs`` and ``/redoc``, served with assets of an installed package: no other host is asked."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from app.web.dependencies import Public

ASSETS_PATH = "/docs/assets"
REDOC_SCRIPT_PATH = "/redoc/redoc.standalone.js"
# The one address outside that Redoc's script shows an image of.
_REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
OPENAPI_PATH = "/openapi.json"
# The pages' inline script and styles are the framework's own; everything else must be ours.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "child-src blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def assets_folder() -> Path:
    """Return where the package keeps Swagger UI and Redoc; the package itself is not imported."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"


@cache
def redoc_script() -> str:
    """Return Redoc's script with its maker's logo, which lies on another host, made ours."""
    script = (assets_folder() / "redoc.standalone.js").read_text(encoding="utf-8")
    return script.replace(_REDOC_LOGO, f"{ASSETS_PATH}/favicon.png")


def install_docs_pages(app: FastAPI) -> None:
    """Add the two pages for explorers."""
    app.mount(ASSETS_PATH, StaticFiles(directory=assets_folder()), name="docs-assets")
    everybody = [Depends(Public("documentation for explorers"))]
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}

    @app.get("/", include_in_schema=False, dependencies=everybody)
    async def start_page() -> RedirectResponse:
        return RedirectResponse("/docs", status_code=307)

    @app.get("/docs", include_in_schema=False, dependencies=everybody)
    async def swagger_page() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url=OPENAPI_PATH,
            title="Huike · Swagger UI",
            oauth2_redirect_url="/docs/oauth2-redirect",
            swagger_js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS_PATH}/favicon.png",
            swagger_ui_parameters={
                "persistAuthorization": True,
                "docExpansion": "none",
                "filter": True,
                "displayRequestDuration": True,
                "tryItOutEnabled": True,
                "validatorUrl": None,
            },
        )
        page.headers.update(headers)
        return page

    @app.get("/docs/oauth2-redirect", include_in_schema=False, dependencies=everybody)
    async def swagger_redirect_page() -> HTMLResponse:
        page = get_swagger_ui_oauth2_redirect_html()
        page.headers.update(headers)
        return page

    @app.get("/redoc", include_in_schema=False, dependencies=everybody)
    async def redoc_page() -> HTMLResponse:
        page = get_redoc_html(
            openapi_url=OPENAPI_PATH,
            title="Huike · Redoc",
            redoc_js_url=REDOC_SCRIPT_PATH,
            redoc_favicon_url=f"{ASSETS_PATH}/favicon.png",
            with_google_fonts=False,
        )
        page.headers.update(headers)
        return page

    @app.get(REDOC_SCRIPT_PATH, include_in_schema=False, dependencies=everybody)
    def redoc_script_file() -> Response:
        return Response(
            redoc_script(),
            media_type="text/javascript",
            headers={"Cache-Control": "public, max-age=86400"},
        )
