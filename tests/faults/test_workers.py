"""Workers frozen, added, stopped: the short form."""

import pytest

from faults.plan import Plan
from tests.faults.short import check_short

pytestmark = pytest.mark.long

PLANS = {
    "5": Plan(1, 105, 400, every=0.1, pace=0.35),
    "7": Plan(3, 107, 400, every=0.1, pace=0.5),
    "8": Plan(3, 108, 400, every=0.1),
}


@pytest.mark.parametrize("row", PLANS)
def test_row(row: str) -> None:
    """Workers that freeze, start and stop lose and duplicate nothing, and exit correctly."""
    check_short(row, PLANS[row])
