"""Logs are events: a constant name, keys for the rest; never a phone, a name or a secret."""

import logging
import sys
import traceback
from typing import TextIO

import structlog


def configure_logging(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers to standard error in one format.

    ``log_format`` is ``json`` (one object a line) or ``console`` (for people). It may be called
    again, and then holds for the loggers that exist already too.
    """
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                tell_exception,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # The service writes its own access log, without query strings; uvicorn's would carry them.
    logging.getLogger("uvicorn.access").handlers = []
    logging.getLogger("uvicorn.access").propagate = False
    for noisy in ("uvicorn", "uvicorn.error", "pgqueuer", "asyncio"):
        logging.getLogger(noisy).handlers = []
        logging.getLogger(noisy).propagate = True
    # The first tells of its parts, the others of every address they call, query string included.
    for talkative in ("alembic", "pgqueuer", "httpx", "httpcore"):
        logging.getLogger(talkative).setLevel("WARNING")


def tell_exception(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace ``exc_info`` by where the exception was raised and of which type it is.

    Messages of exceptions are left out, and so are local variables: PostgreSQL's names the phone
    number that exists already, pydantic's what was sent.
    """
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    elif isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["exception"] = "".join(_told(info[1]))
    return event


def _told(exception: BaseException) -> list[str]:
    """Return the lines of a traceback with its causes, the first cause first."""
    chain: list[BaseException] = []
    seen: BaseException | None = exception
    while seen is not None and seen not in chain:
        chain.append(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    lines: list[str] = []
    for part in reversed(chain):
        lines += traceback.format_tb(part.__traceback__)
        state = getattr(part, "sqlstate", None)
        about = f" (SQLSTATE {state})" if isinstance(state, str) else ""
        lines.append(f"{type(part).__module__}.{type(part).__qualname__}{about}\n")
        if isinstance(part, BaseExceptionGroup):
            for inner in part.exceptions:
                lines += _told(inner)
    return lines


def request_id() -> str | None:
    """Return the id that the current request is logged under, None outside of requests."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return bound if isinstance(bound, str) else None
