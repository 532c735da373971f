"""Workers killed: the short form."""

import pytest

from faults.plan import Plan
from tests.faults.short import check_short

pytestmark = pytest.mark.long

PLANS = {
    "1": Plan(10, 101, 600, every=0.1, pace=0.2),
    "2": Plan(10, 102, 600, every=0.1, pace=0.2),
}


@pytest.mark.parametrize("row", PLANS)
def test_row(row: str) -> None:
    """Ten kills among three workers lose nothing, and duplicate nothing under exactly-once."""
    check_short(row, PLANS[row])
