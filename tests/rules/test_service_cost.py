"""What a contact costs: to the second, rounded once, half a cent upwards."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.service_cost import ChannelPrice, service_cost

amounts = st.decimals(0, 10_000, places=2)


@pytest.mark.parametrize(
    ("per_contact", "per_minute", "seconds", "cost"),
    [
        pytest.param("0.20", "1.00", None, "0.20", id="no duration told"),
        pytest.param("0.20", "1.00", 0, "0.20", id="no time at all"),
        pytest.param("0.20", "1.00", 60, "1.20", id="a minute"),
        pytest.param("0.20", "1.00", 90, "1.70", id="half a minute counts half"),
        pytest.param("0.00", "1.00", 1, "0.02", id="a second, rounded up"),
        pytest.param("0.00", "0.30", 1, "0.01", id="half a cent is a cent"),
        pytest.param("0.00", "0.29", 1, "0.00", id="less than half a cent is nothing"),
        pytest.param("0.00", "0.00", 3600, "0.00", id="a free channel"),
        pytest.param("35.00", "0.00", 7200, "35.00", id="by contact only"),
    ],
)
def test_the_cost_of_a_contact(
    per_contact: str, per_minute: str, seconds: int | None, cost: str
) -> None:
    price = ChannelPrice(Decimal(per_contact), Decimal(per_minute))
    assert str(service_cost(price, seconds)) == cost


@given(amounts, amounts, st.integers(0, 86_400), st.integers(0, 86_400))
def test_a_longer_contact_never_costs_less(
    per_contact: Decimal, per_minute: Decimal, seconds: int, more: int
) -> None:
    price = ChannelPrice(per_contact, per_minute)
    assert per_contact <= service_cost(price, seconds) <= service_cost(price, seconds + more)
