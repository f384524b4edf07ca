"""One running service for all tests that call it as strangers would."""

from collections.abc import Iterator

import pytest

from tests.support.service import RunningService, running_service


@pytest.fixture(scope="module")
def service(worker_name: str) -> Iterator[RunningService]:
    """The small world, served on loopback."""
    with running_service(f"{worker_name}_contract") as running:
        yield running
