"""Signed events of tills and web shops, and what became of them."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from app.core.errors import FieldError, InvalidInputError, TooLargeError
from app.locale.masking import mask_within
from app.models import PosEvent
from app.rules.access import Actor
from app.rules.purchases import Fault
from app.schemas.common import BilingualText
from app.schemas.pos_events import (
    BatchResult,
    EventBatch,
    EventFieldProblem,
    EventProblem,
    EventResult,
    RefundEvent,
    SaleEvent,
    StoredEvent,
    TillEvent,
    VoidEvent,
)
from app.services import pos_intake, till_answers
from app.services.pos_intake import ReceivedEvent
from app.services.posting_run import SourceFacts
from app.vocabulary import EventStatus, Permission
from app.web.dependencies import Allow, DatabaseDep, Public, SessionDep, SettingsDep
from app.web.documentation import SIGNED_IN, problems
from app.web.pagination import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.web.problems import field_errors
from app.web.route import HuikeRoute, is_json, parse_json, wrong_media_type

router = APIRouter(prefix="/v1/pos", tags=["till events"], route_class=HuikeRoute)
_event: TypeAdapter[TillEvent] = TypeAdapter(TillEvent)
_EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}")

SourceCode = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="The code of the till or web shop.",
        examples=["till-s01-1"],
    ),
]
StoredEventId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,127}$",
        description="The sender's id of the event.",
        examples=["till-s01-1-20261121-0040"],
    ),
]
READ_AT_ONCE = 20
MAXIMUM_FINDINGS = 10
SIGNED = [Depends(Public("the source's signature over the raw bytes is checked instead"))]
_SIGNATURE_HEADERS = [
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }
    for name, description, example in (
        ("webhook-id", "The message's id; of a single event, its `event_id`.", "till-s01-1-0042"),
        ("webhook-timestamp", "Seconds since 1970, within five minutes of now.", "1795257000"),
        (
            "webhook-signature",
            "`v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    )
]
_POS_PROBLEMS = (
    "malformed-json", "webhook-signature-invalid", "webhook-timestamp", "forbidden",
    "too-large", "unsupported-media-type", "validation", "internal-error", "unavailable",
)  # fmt: skip


def _documented(schemas: Sequence[type[Any]]) -> dict[str, Any]:
    """Describe a body that is read by hand, since the signature covers its raw bytes."""
    references = [{"$ref": f"#/components/schemas/{schema.__name__}"} for schema in schemas]
    body: dict[str, Any] = references[0] if len(references) == 1 else {
        "oneOf": references,
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                schema.model_fields["type"].annotation.__args__[0]: reference["$ref"]
                for schema, reference in zip(schemas, references, strict=True)
            },
        },
    }  # fmt: skip
    examples = {
        schema.__name__: {"value": schema.model_config["json_schema_extra"]["examples"][0]}
        for schema in schemas
    }
    return {
        "parameters": _SIGNATURE_HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": examples}},
        },
        "security": [{"webhook_signature": []}],
    }


async def _signed_json(request: Request) -> bytes:
    """Return the raw body of a signed request, which has to be JSON."""
    if not is_json(request.headers.get("content-type", "")):
        raise wrong_media_type()
    return await request.body()


def _read(source: SourceFacts, value: Any) -> ReceivedEvent:
    """Return one event as it was read.

    Raises:
        InvalidInputError: it is not in the service's own format.
    """
    try:
        event = _event.validate_python(value)
    except ValidationError as error:
        raise InvalidInputError(
            "The event is not as its format says.",
            field_errors(_without_tag(error)[:MAXIMUM_FINDINGS]),
            detail_zh="事件不符合格式。",
        ) from error
    return ReceivedEvent(source=source, body=value, event=event)


def _without_tag(error: ValidationError) -> list[Any]:
    """Return pydantic's findings with the union's tag taken out of their places."""
    tags = {"sale", "refund", "void"}
    found = error.errors(include_input=False, include_url=False)
    return [
        {**item, "loc": item["loc"][1:] if item["loc"][:1] and item["loc"][0] in tags
         else item["loc"]}
        for item in found
    ]  # fmt: skip


@router.post(
    "/{source}/events",
    summary="A sale, refund or void at the till",
    dependencies=SIGNED,
    response_model=EventResult,
    responses={
        202: {
            "model": EventResult,
            "description": "Kept, not (yet) applied: see `status` and `problem`",
        },
        **problems(*_POS_PROBLEMS, "event-conflict"),
    },
    openapi_extra=_documented((SaleEvent, RefundEvent, VoidEvent)),
)
async def receive_event(
    source: SourceCode,
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
) -> EventResult:
    """Take a signed event; store it and its effects in one transaction; answer the till.

    200: applied. 202: kept until its card or its sale appears, or held for inspection. The same
    event again gets the first answer; the same id with another body, 409.
    """
    body = await _signed_json(request)
    facts, message_id = await pos_intake.authenticate_source(
        session, settings, source, request.headers, body
    )
    received = _read(facts, parse_json(body))
    if received.event.event_id != message_id:
        raise InvalidInputError(
            "The event's id is not the message's.",
            [FieldError("/event_id", "not-the-webhook-id", "It has to equal webhook-id.")],
            detail_zh="event_id 须与 webhook-id 相同。",
        )
    taken = await pos_intake.take_event(session, settings, received)
    response.status_code = taken.status
    return taken.result


@router.post(
    "/{source}/events/batch",
    summary="Events of a shop that was offline",
    dependencies=SIGNED,
    response_model=BatchResult,
    responses=problems(*_POS_PROBLEMS),
    openapi_extra=_documented((EventBatch,)),
)
async def receive_event_batch(
    source: SourceCode, request: Request, database: DatabaseDep, settings: SettingsDep
) -> BatchResult:
    """Take up to 5,000 signed events in one request; each gets its own result, in order.

    One event's fault does not touch the others: it is `rejected` (not in the format, nothing
    stored), `conflict` (its id was used for another body) or kept as a single one would be.
    """
    body = await _signed_json(request)
    async with database.transaction() as session:
        facts, _ = await pos_intake.authenticate_source(
            session, settings, source, request.headers, body
        )
    # Thousands of events are read outside of transactions, and others get their turn in between.
    results: list[EventResult | ReceivedEvent] = []
    for value in _batch_of(parse_json(body), settings.batch_limit_events):
        try:
            results.append(_read(facts, value))
        except InvalidInputError as error:
            results.append(_rejected(value, error))
        if len(results) % READ_AT_ONCE == 0:
            await asyncio.sleep(0)
    async with database.transaction() as session:
        facts = await pos_intake.refresh_source(session, facts)
        readable = [replace(one, source=facts) for one in results if isinstance(one, ReceivedEvent)]
        taken = iter(await pos_intake.take_events(session, settings, readable))
    return BatchResult(
        results=[next(taken).result if isinstance(one, ReceivedEvent) else one for one in results]
    )


def _batch_of(value: Any, limit: int) -> list[Any]:
    events = value.get("events") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(events, list) or not events:
        raise InvalidInputError(
            "A batch is an object with events: a list that is not empty.",
            [FieldError("/events", "list", "A list of 1 to 5,000 events.")],
            detail_zh="批量请求须为含 events 列表的对象，且列表不为空。",
        )
    if len(events) > limit:
        raise TooLargeError(
            f"A batch has {limit} events at most.", detail_zh=f"每批最多 {limit} 个事件。"
        )
    return events


def _rejected(value: Any, error: InvalidInputError) -> EventResult:
    event_id = value.get("event_id") if isinstance(value, dict) else None
    return EventResult(
        event_id=event_id if isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id) else "",
        status="rejected",
        purchase_id=None,
        customer=None,
        tier=None,
        greeting=None,
        problem=EventProblem(
            type="/problems/validation",
            title=BilingualText(en="Some values are not acceptable", zh="部分内容不符合要求"),
            detail=BilingualText(en=error.detail, zh=error.detail_zh),
            errors=[
                EventFieldProblem(
                    pointer=part.pointer,
                    code=part.code,
                    detail=BilingualText(en=part.detail, zh=part.detail_zh or part.detail),
                )
                for part in error.errors
            ],
        ),
    )


def _stored(event: PosEvent, source: str) -> StoredEvent:
    fault = Fault(event.problem_code) if event.problem_code else None
    return StoredEvent(
        source=source,
        event_id=event.event_id,
        kind=event.kind,
        status=event.status,
        received_at=event.received_at,
        applied_at=event.applied_at,
        customer_id=event.customer_id,
        purchase_id=event.purchase_id,
        problem=till_answers.problem_of(event.status, fault),
        body=mask_within(event.body),
    )


@router.get(
    "/events",
    summary="Events as they are kept",
    responses=problems(*SIGNED_IN, "validation", "invalid-cursor", "internal-error", "unavailable"),
)
async def list_events(
    actor: Annotated[Actor, Depends(Allow(Permission.EVENTS_READ))],
    session: SessionDep,
    settings: SettingsDep,
    status: Annotated[
        EventStatus | None, Query(description="In this state, for example `held`.")
    ] = None,
    source: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
            description="Of this till or web shop, by its code.",
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[StoredEvent]:
    """Return events newest first, of the stores the caller reaches: held ones for inspection."""
    listing = {"list": "events", "status": status, "source": source, "actor": actor.id}
    position = decode_cursor(settings, listing, cursor) if cursor else None
    after = (
        (datetime.fromisoformat(position[0]), UUID(position[1]), position[2]) if position else None
    )
    rows = await pos_intake.list_events(
        session, actor, status=status, source=source, after=after, limit=limit + 1
    )
    last = rows[limit - 1][0] if len(rows) > limit else None
    return Page(
        items=[_stored(event, code) for event, code in rows[:limit]],
        next_cursor=None
        if last is None
        else encode_cursor(settings, listing, (last.received_at, last.source_id, last.event_id)),
    )


@router.get(
    "/{source}/events/{event_id}",
    summary="One event as it is kept",
    responses=problems(*SIGNED_IN, "not-found", "validation", "internal-error", "unavailable"),
)
async def get_event(
    source: SourceCode,
    event_id: StoredEventId,
    actor: Annotated[Actor, Depends(Allow(Permission.EVENTS_READ))],
    session: SessionDep,
) -> StoredEvent:
    """Return an event with its state and why it is not applied, if so."""
    event, code = await pos_intake.get_event(session, actor, source, event_id)
    return _stored(event, code)


@router.post(
    "/{source}/events/{event_id}/replay",
    summary="Post a held event again",
    responses=problems(
        *SIGNED_IN, "not-found", "invalid-transition", "validation", "internal-error",
        "unavailable",
    ),
)  # fmt: skip
async def replay_event(
    source: SourceCode,
    event_id: StoredEventId,
    actor: Annotated[Actor, Depends(Allow(Permission.EVENTS_REPLAY))],
    session: SessionDep,
    settings: SettingsDep,
) -> StoredEvent:
    """Try a held or parked event again, after what was wrong with the source was mended.

    Safe to repeat: an event that was applied meanwhile is not applied twice.
    """
    await pos_intake.replay_event(session, actor, settings, source, event_id)
    event, code = await pos_intake.get_event(session, actor, source, event_id)
    return _stored(event, code)
