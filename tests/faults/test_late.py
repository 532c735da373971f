"""Late requests of an earlier transaction: the short form."""

from faults.plan import Plan
from tests.faults.short import check_short


def test_row() -> None:
    """A late Produce, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit or EndTxn loses and doubles nothing."""
    check_short("13", Plan(5, 113, 300, every=0.1, pace=0.2))
