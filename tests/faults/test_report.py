"""The report of a row, and the table made of all of them."""

from pathlib import Path

import pytest

from faults.idcheck import Counts
from faults.report import DETAILS, PAGE, RESULTS, Limit, RowReport, details, table, write_table
from faults.rows.soak import slope
from tools.about import about


def made(row: str, lost: int) -> RowReport:
    """A report of ten faults."""
    goals = [Limit("lost by id", lost, 0)]
    report = RowReport(row, "SIGKILL", f"make faults ROW={row}", 7, {"SIGKILL": 10}, Counts(1000, lost), goals=goals)
    report.about = about()
    return report


def test_table(tmp_path: Path) -> None:
    """Rows are in the order of their numbers. N faults give a bound if none had a failure, and otherwise none."""
    for row, lost in (("10", 0), ("2", 1)):
        made(row, lost).write(tmp_path)
    lines = [line for line in table(tmp_path).splitlines() if line.startswith("| ")][1:]
    assert [line.split(" | ")[0] for line in lines] == ["| 2", "| 10"]
    assert "**missed**" in lines[0]
    assert "%" not in lines[0]
    assert "< 30 %" in lines[1]
    assert "missed: lost by id 1 > 0" in details(tmp_path)
    assert "make faults ROW=10" in details(tmp_path)


def test_page(tmp_path: Path) -> None:
    """Only the text between the marks is replaced, and writing it again changes nothing."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n")
    made("1", 0).write(tmp_path)
    write_table(tmp_path, page)
    written = page.read_text()
    assert written.startswith("before\n<!-- table -->\n| row |")
    assert written.endswith("<!-- end of table -->\nafter\n")
    write_table(tmp_path, page)
    assert page.read_text() == written


def test_page_is_the_results() -> None:
    """The pages in the repository are what its results make."""
    assert table(RESULTS) in PAGE.read_text()
    assert (RESULTS / DETAILS).read_text() == details(RESULTS)


@pytest.mark.parametrize("rise", [0.0, 0.5, -0.25])
def test_slope(rise: float) -> None:
    """A line's slope is found, and its upper bound lies above it by more, the more the values scatter."""
    at = [float(second) for second in range(480)]
    straight = slope(at, [100 + rise * second for second in at])
    scattered = slope(at, [100 + rise * second + (second * 7919 % 13) for second in at])
    assert straight.value == pytest.approx(rise)
    assert straight.upper == pytest.approx(rise)
    assert scattered.upper > scattered.value
