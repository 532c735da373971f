"""The short form of the rows that take minutes: `make faults` has the long one. Times are not held to here."""

import pytest

from faults.report import Report
from faults.rows import ROWS
from faults.trial import Plan

SHORT = [
    ("1", Plan(10, 101, 600, pace=0.15)),
    ("2", Plan(10, 102, 600, pace=0.15)),
    ("3", Plan(3, 103, 400, pace=0.2)),
    ("5", Plan(1, 105, 400, pace=0.2)),
    ("7", Plan(3, 107, 400, pace=0.5)),
    ("8", Plan(3, 108, 400)),
    ("11", Plan(2, 111)),
]


@pytest.mark.parametrize(("row", "plan"), SHORT, ids=[row for row, _ in SHORT])
def test_row(row: str, plan: Plan) -> None:
    """A few faults of each kind under load: nothing lost, doubled, out of order or wrong, by either check."""
    report: Report = ROWS[row].run(plan)
    print("\n".join(report.lines()))  # noqa: T201  (shown where it fails)
    assert [goal for goal in report.goals if not goal.met] == []
    assert report.ids.checked > 0
    assert report.done >= plan.count
