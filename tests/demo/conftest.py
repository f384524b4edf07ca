"""The chains the tests look at: ordinary load days, the leap day, and the days around it."""

import pytest

from app.demo import DemoChain
from tests.demo.figures import LOAD_DAYS, chain_of


@pytest.fixture(scope="session", params=LOAD_DAYS, ids=str)
def chain(request: pytest.FixtureRequest) -> DemoChain:
    return chain_of(request.param)
