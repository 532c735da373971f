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
    """Leader, group and transaction coordinator killed, a broker frozen with a backlog: nothing is lost or doubled."""
    check_short(row, PLANS[row])
