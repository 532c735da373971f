"""The short form of a row that takes hours in `make faults`; times are not held to here."""

from faults.plan import Plan
from faults.rows import ROWS


def check_short(row: str, plan: Plan) -> None:
    """Run the row: nothing is lost, doubled, out of order or wrong, by either check, and all faults were done."""
    report = ROWS[row].run(plan)
    print("\n".join(report.lines()))  # noqa: T201  (shown where it fails)
    assert [goal for goal in report.goals if not goal.met] == []
    assert report.ids.checked > 0
    assert report.done >= plan.count
