"""Brokers killed and frozen: the short form."""

import pytest

from faults.plan import Plan
from tests.faults.short import check_short

pytestmark = pytest.mark.long

PLANS = {
    "3": Plan(3, 103, 400, every=0.1, pace=0.2),
    "11": Plan(2, 111),
}


@pytest.mark.parametrize("row", PLANS)
def test_row(row: str) -> None:
    """A killed leader or coordinator, or a broker frozen with a backlog, loses and duplicates nothing."""
    check_short(row, PLANS[row])
