"""Late requests, moved partitions, a quota, an input created again: the short form."""

import pytest

from faults.plan import Plan
from tests.faults.short import check_short

pytestmark = pytest.mark.long

PLANS = {
    "13": Plan(5, 113, 300, every=0.1, pace=0.2),
    "15": Plan(4, 115, 300, every=0.1, pace=0.2),
    "16": Plan(1, 116, 300, every=0.1, pace=0.3),
    "19": Plan(2, 119, 300, every=0.1, pace=0.2),
}


@pytest.mark.parametrize("row", PLANS)
def test_row(row: str) -> None:
    """Each of these faults loses and duplicates nothing."""
    check_short(row, PLANS[row])
