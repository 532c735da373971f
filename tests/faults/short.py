"""Runs the short form of a row of `make faults`. Its time limits are not checked."""

from faults.plan import Plan
from faults.rows import ROWS


def check_short(row: str, plan: Plan) -> None:
    """Run the row. Fail if either check finds a fault, or if faults were not injected."""
    report = ROWS[row].run(plan)
    print("\n".join(report.lines()))  # noqa: T201  (shown if it fails)
    assert [goal for goal in report.goals if not goal.met] == []
    assert report.ids.checked > 0
    assert report.done >= plan.count
