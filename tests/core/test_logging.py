"""Logs are events, and say nothing about persons even when something breaks."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app.core.logging import configure_logging

log = structlog.get_logger()
# A name, since a traceback shows lines of the source.
CANARY = "canary-1"


@pytest.fixture(params=["json", "console"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    written = io.StringIO()
    configure_logging(request.param, "INFO", written)
    yield written
    configure_logging("json", "WARNING")


def fail_deeply(value: str) -> None:
    secret_local = f"local {value}"
    try:
        raise ValueError(f"bad {secret_local}")
    except ValueError as error:
        raise RuntimeError(f"about {value}") from error


@pytest.mark.parametrize("through", ["structlog", "standard library", "an object", "a group"])
def test_a_traceback_tells_places_and_types_and_no_values(
    stream: io.StringIO, through: str
) -> None:
    try:
        fail_deeply(CANARY)
    except RuntimeError as error:
        if through == "structlog":
            log.exception("it_failed")
        elif through == "standard library":
            logging.getLogger("elsewhere").exception("it_failed")
        elif through == "an object":
            log.error("it_failed", exc_info=error)
        else:
            log.error("it_failed", exc_info=ExceptionGroup(CANARY, [error]))
    written = stream.getvalue()
    assert "it_failed" in written
    assert "test_logging.py" in written
    assert "builtins.ValueError" in written
    assert "builtins.RuntimeError" in written
    assert written.index("builtins.ValueError") < written.index("builtins.RuntimeError")
    assert CANARY not in written
    assert len(written) < 5000


def test_an_event_is_one_line_of_json_with_what_is_bound() -> None:
    written = io.StringIO()
    configure_logging("json", "INFO", written)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("something_happened", count=3)
        log.debug("not_told")
        logging.getLogger("other").warning("told_by_%s", "another")
    configure_logging("json", "WARNING")

    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    told: dict[str, Any] = {name: first[name] for name in ("event", "count", "level", "request_id")}
    assert told == {
        "event": "something_happened",
        "count": 3,
        "level": "info",
        "request_id": "r-1",
    }
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"]) == ("told_by_another", "warning")
    assert second["request_id"] == "r-1"


@pytest.mark.parametrize("name", ["httpx", "httpcore", "pgqueuer", "uvicorn.access"])
def test_talkative_loggers_are_kept_short(name: str, stream: io.StringIO) -> None:
    logging.getLogger(name).info("GET /?phone=13800138000")
    assert stream.getvalue() == ""


def test_a_level_holds_for_loggers_that_spoke_before() -> None:
    before, after = io.StringIO(), io.StringIO()
    configure_logging("json", "ERROR", before)
    log.info("one")
    configure_logging("json", "INFO", after)
    log.info("two")
    configure_logging("json", "WARNING")
    assert before.getvalue() == ""
    assert json.loads(after.getvalue())["event"] == "two"
