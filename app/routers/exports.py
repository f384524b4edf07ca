"""Lists as files."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from app.queries.card_filters import CardFilters
from app.queries.duplicate_list import PairFilters
from app.rules.access import Actor
from app.schemas.exports import (
    AuditExport,
    CustomersExport,
    DuplicatesExport,
    ExportRead,
    ExportRequest,
    InteractionsExport,
    PosEventsExport,
    PurchasesExport,
)
from app.services import exports
from app.services.audit import AuditFilter
from app.services.exporting.cards import CardTable
from app.services.exporting.contacts import ContactTable
from app.services.exporting.pairs import PairTable
from app.services.exporting.receipts import ReceiptTable
from app.services.exporting.tables import Table
from app.services.exporting.trails import AuditTable, EventTable
from app.vocabulary import ExportFormat, Permission
from app.web.answers import ON_LISTING, next_cursor, position_after
from app.web.dependencies import Allow, DatabaseDep, SessionDep, SettingsDep
from app.web.documentation import ANY_REQUEST, SIGNED_IN, problems
from app.web.files import CSV, XLSX, Chunks, MadeFile, chunks_of, file_answers, file_name, size_of
from app.web.pagination import Cursor, Limit, Page
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/exports", tags=["exports"], route_class=HuikeRoute)
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **file_answers("The file, sent while it is made; one that breaks off is not complete."),
    **problems(*SIGNED_IN, *ANY_REQUEST, "not-found"),
}


def _takes(*permissions: Permission) -> Any:
    return Depends(Allow(Permission.CUSTOMERS_EXPORT, *permissions))


@router.post(
    "/customers",
    summary="Export cards",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_customers(
    body: CustomersExport,
    actor: Annotated[Actor, _takes(Permission.CUSTOMERS_READ)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write the list of cards to a file: so filtered and sorted, one column for each own field.

    Phones, e-mails and WeChat ids are masked unless a reason is given by who may see them; that is
    kept. Whoever is bound to stores names one of theirs. A card that is changed while the file is
    written can move in a list that is sorted by name or by change.
    """
    filters: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body.filters.model_dump().items()
    }
    table = CardTable(
        actor,
        CardFilters(**filters),
        body.sort,
        is_unmasked=body.unmask_reason is not None,
    )
    return await _file(session, database, settings, actor, table, body)


@router.post(
    "/purchases",
    summary="Export receipts",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_purchases(
    body: PurchasesExport,
    actor: Annotated[Actor, _takes(Permission.PURCHASES_READ)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write receipts of known customers to a file.

    One card's come newest first, as they are listed; a store's or the chain's by store and day.
    Whoever is bound to stores names a card or one of their stores.
    """
    table = await ReceiptTable.of(session, actor, body.filters)
    return await _file(session, database, settings, actor, table, body)


@router.post(
    "/interactions",
    summary="Export interactions",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_interactions(
    body: InteractionsExport,
    actor: Annotated[Actor, _takes(Permission.INTERACTIONS_READ)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write contacts with known customers to a file.

    One card's come newest first, as they are listed; a store's or the chain's by day. Whoever is
    bound to stores names a card or one of their stores.
    """
    table = await ContactTable.of(session, actor, settings, body.filters)
    return await _file(session, database, settings, actor, table, body)


@router.post(
    "/duplicates",
    summary="Export cards that look alike",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_duplicates(
    body: DuplicatesExport,
    actor: Annotated[Actor, _takes(Permission.CUSTOMERS_MERGE)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write pairs of cards to a file, those that look most alike first, with why.

    Whoever is bound to stores names one of theirs.
    """
    table = PairTable(actor, PairFilters(**body.filters.model_dump()))
    return await _file(session, database, settings, actor, table, body)


@router.post(
    "/pos-events",
    summary="Export till events",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_pos_events(
    body: PosEventsExport,
    actor: Annotated[Actor, _takes(Permission.EVENTS_READ)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write tills' events to a file, newest first, of the stores the caller reaches."""
    table = EventTable(actor, body.filters.status, body.filters.source)
    return await _file(session, database, settings, actor, table, body)


@router.post(
    "/audit",
    summary="Export the audit trail",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_audit_entries(
    body: AuditExport,
    actor: Annotated[Actor, _takes(Permission.AUDIT_READ)],
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Write the audit trail to a file, newest first: names of fields, never values."""
    table = AuditTable(AuditFilter(**body.filters.model_dump()))
    return await _file(session, database, settings, actor, table, body)


@router.get("", summary="Who took which list away", responses=problems(*ON_LISTING))
async def list_exports(
    _: Annotated[Actor, Depends(Allow(Permission.AUDIT_READ))],
    session: SessionDep,
    settings: SettingsDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ExportRead]:
    """List exports, newest first: columns and filters by name, how many rows, why unmasked."""
    listing = {"list": "exports"}
    page, position = await exports.list_exports(
        session, limit=limit, after=position_after(settings, listing, cursor)
    )
    return Page(
        items=[ExportRead.model_validate(export) for export in page],
        next_cursor=next_cursor(settings, listing, position),
    )


async def _file(
    session: SessionDep,
    database: DatabaseDep,
    settings: SettingsDep,
    actor: Actor,
    table: Table[Any],
    body: ExportRequest,
) -> Response:
    begun = await exports.begin_export(session, actor, settings, table, body)

    async def make_csv() -> tuple[Chunks, int | None]:
        return exports.csv_chunks(database, table, begun), None

    async def make_xlsx() -> tuple[Chunks, int | None]:
        file = await exports.write_xlsx(database, table, begun)
        return chunks_of(file), size_of(file)

    name = file_name(settings, table.kind.replace("_", "-"), body.format)
    if body.format is ExportFormat.CSV:
        return MadeFile(make_csv, name, CSV)
    return MadeFile(make_xlsx, name, XLSX)
