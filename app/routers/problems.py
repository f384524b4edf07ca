"""A page for each problem code."""

from html import escape

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from app.core.errors import NotFoundError
from app.web.dependencies import Public
from app.web.problems import EVENT_PROBLEMS, PROBLEMS, prefers_chinese
from app.web.route import HuikeRoute

router = APIRouter(include_in_schema=False, route_class=HuikeRoute)


@router.get("/problems/{code}", dependencies=[Depends(Public("documentation for explorers"))])
async def explain_problem(code: str, request: Request) -> HTMLResponse:
    """Explain a problem code as a page, in English or Chinese.

    Raises:
        NotFoundError: no such code.
    """
    kind = PROBLEMS.get(code) or EVENT_PROBLEMS.get(code)
    if kind is None:
        raise NotFoundError("There is no such problem code.", detail_zh="没有这个问题代码。")
    chinese = prefers_chinese(request.headers.get("accept-language"))
    title, explanation = (
        (kind.title_zh, kind.explanation_zh) if chinese else (kind.title, kind.explanation)
    )
    return HTMLResponse(
        f'<!doctype html><html lang="{"zh" if chinese else "en"}"><meta charset="utf-8">'
        f"<title>{escape(title)}</title><h1>{escape(title)}</h1>"
        f"<p>{kind.status} · <code>{escape(code)}</code></p><p>{escape(explanation)}</p></html>",
        headers={"Content-Language": "zh" if chinese else "en", "Vary": "Accept-Language"},
    )
