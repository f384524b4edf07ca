"""Files that are brought in: cards, purchases, contacts."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from app.core import clock
from app.rules.access import Actor
from app.schemas.imports import (
    ImportChange,
    ImportCreate,
    ImportFindingRead,
    ImportKept,
    ImportRead,
    ImportReport,
)
from app.services import import_told, import_uploads, imports
from app.services.import_answers import COLUMNS_LISTED, import_read, import_report
from app.services.import_errors_csv import findings_csv
from app.vocabulary import ImportKind, ImportStatus, Permission
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, DatabaseDep, Idempotent, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.files import ReceivedFile
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import CheckedImportId, EndedImportId, ImportId, OpenImportId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=HuikeRoute)

Importer = Annotated[Actor, Depends(Allow(Permission.IMPORTS_WRITE))]
ON_ASKING = (*SIGNED_IN, "not-found", "invalid-transition", "validation", "internal-error",
             "unavailable")  # fmt: skip
_BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "小票号,日期,金额",
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    summary="Begin an import",
    responses=problems(*ON_CREATING),
    dependencies=[Idempotent],
)
async def create_import(
    body: ImportCreate, actor: Importer, session: SessionDep, response: Response
) -> ImportRead:
    """Say what kind of file is coming; then send it to `PUT /v1/imports/{import_id}/file`."""
    job = await imports.create_import(session, actor, body)
    set_created(response, f"/v1/imports/{job.id}", job.version)
    return import_read(job, clock.now())


@router.put(
    "/{import_id}/file",
    summary="Send an import's file",
    responses={
        200: {"model": ImportRead, "description": "The import, which waits to be checked."},
        **problems(*SIGNED_IN, *ANY_REQUEST, "not-found", "invalid-transition"),
    },
    openapi_extra=_BINARY,
    response_class=Response,
)
async def upload_import_file(
    import_id: ImportId,
    actor: Importer,
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Take a CSV or XLSX file as it is, up to 300 MB unless the operator says otherwise.

    It is checked by a worker; read the import until its `status` is `checked`. Sent again, the
    new file takes the place of the old one; of two that are sent at once, the one that is there
    first, and the other is answered 409. One that breaks off, or of which nothing more comes for
    30 seconds, leaves everything as it was.
    """
    await import_uploads.check_takes_file(session, import_id)

    async def receive(body: AsyncIterator[bytes]) -> Response:
        job = await import_uploads.receive_file(
            database, actor, import_id, body, settings.upload_gap_seconds
        )
        answer = JSONResponse(import_read(job, clock.now()).model_dump(mode="json"))
        set_etag(answer, job.version)
        return answer

    return ReceivedFile(receive)


@router.get("", summary="List imports", responses=problems(*ON_LISTING))
async def list_imports(
    _: Importer,
    session: SessionDep,
    settings: SettingsDep,
    kind: Annotated[ImportKind | None, Query(description="What the files bring.")] = None,
    status: Annotated[ImportStatus | None, Query(description="How far they are.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ImportRead]:
    """List imports, newest first; of each at most its first fifty columns."""
    listing = {"list": "imports", "kind": kind, "status": status}
    page, position = await imports.list_imports(
        session,
        kind=kind,
        status=status,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    now = clock.now()
    return Page(
        items=[import_read(job, now, most_columns=COLUMNS_LISTED) for job in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get("/{import_id}", summary="Read an import", responses=problems(*ON_READING))
async def get_import(
    import_id: ImportId, _: Importer, session: SessionDep, response: Response
) -> ImportRead:
    """Return how a file was read, what its columns are taken for, and how far it is."""
    job = await imports.get_import(session, import_id)
    set_etag(response, job.version)
    return import_read(job, clock.now())


@router.patch(
    "/{import_id}",
    summary="Change what an import's columns mean",
    responses=problems(*ON_CHANGING, "invalid-transition"),
)
async def update_import(
    import_id: ImportId,
    body: ImportChange,
    actor: Importer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ImportRead:
    """Name columns for fields, or decide about known customers; the file is checked again."""
    job = await imports.change_import(session, actor, import_id, seen_version(if_match), body)
    set_etag(response, job.version)
    return import_read(job, clock.now())


@router.post("/{import_id}/run", summary="Run an import", responses=problems(*ON_ASKING))
async def run_import(
    import_id: CheckedImportId, actor: Importer, session: SessionDep, response: Response
) -> ImportRead:
    """Write what the check found good; a worker does it, and a second one goes on after it."""
    job = await imports.run_import(session, actor, import_id)
    set_etag(response, job.version)
    return import_read(job, clock.now())


@router.post("/{import_id}/cancel", summary="Cancel an import", responses=problems(*ON_ASKING))
async def cancel_import(
    import_id: OpenImportId, actor: Importer, session: SessionDep, response: Response
) -> ImportRead:
    """End an import; a running one after its present portion. What was written can be undone."""
    job = await imports.cancel_import(session, actor, import_id)
    set_etag(response, job.version)
    return import_read(job, clock.now())


@router.post("/{import_id}/undo", summary="Undo an import", responses=problems(*ON_ASKING))
async def undo_import(
    import_id: EndedImportId, actor: Importer, session: SessionDep, response: Response
) -> ImportRead:
    """Take back everything it wrote; what something depends on since is kept, and listed."""
    job = await imports.undo_import(session, actor, import_id)
    set_etag(response, job.version)
    return import_read(job, clock.now())


@router.get(
    "/{import_id}/errors",
    summary="List what is the matter with rows",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_import_errors(
    import_id: ImportId,
    _: Importer,
    session: SessionDep,
    settings: SettingsDep,
    treatment: Annotated[
        Literal["refused", "skipped", "kept"] | None,
        Query(description="Only rows that were treated so."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ImportFindingRead]:
    """List errors, and what was done instead, by row and column; the first 100,000 of a file."""
    listing = {"list": "import errors", "import_id": import_id, "treatment": treatment}
    page, position = await import_told.list_findings(
        session,
        import_id,
        treatment=treatment,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(
        items=[ImportFindingRead.model_validate(row) for row in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(
    "/{import_id}/errors.csv",
    summary="Download what is the matter with rows",
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": "17,4,金额,bad-amount"}
            },
            "description": "A table.",
        },
        **problems(*ON_READING),
    },
    response_class=Response,
)
async def download_import_errors(import_id: ImportId, _: Importer, session: SessionDep) -> Response:
    """Return the same list as CSV, in both languages, for a spreadsheet."""
    return Response(
        await findings_csv(session, import_id),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="import-errors.csv"'},
    )


@router.get(
    "/{import_id}/kept",
    summary="List what undoing an import left",
    responses=problems(*ON_LISTING, "not-found"),
)
async def list_import_kept(
    import_id: ImportId,
    _: Importer,
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ImportKept]:
    """List what was kept, with the reason: something depends on it since."""
    listing = {"list": "import kept", "import_id": import_id}
    page, position = await import_told.list_kept(
        session, import_id, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=[ImportKept.model_validate(item) for item in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get(
    "/{import_id}/report", summary="Read an import's report", responses=problems(*ON_READING)
)
async def get_import_report(import_id: ImportId, _: Importer, session: SessionDep) -> ImportReport:
    """Return what became of the file, in sentences for people, in both languages."""
    return import_report(await imports.get_import(session, import_id))
