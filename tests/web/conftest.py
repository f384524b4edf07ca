"""Fixtures of the tests of HTTP."""

import io
from collections.abc import Iterator

import pytest

from app.core.logging import configure_logging


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything the test logs, informative lines included, as it would be written."""
    stream = io.StringIO()
    configure_logging("json", "INFO", stream)
    yield stream
    configure_logging("json", "WARNING")
