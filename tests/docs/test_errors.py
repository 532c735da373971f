"""docs/errors.md: each row belongs to a test."""

import re

import pytest

from runtime import errors
from tests.docs.pages import ROOT, read
from tests.errors_page import GOES_ON

ROWS = re.findall(r"^\| (.+?) \| (\d+|goes on) \| `` (.+) `` \|$", read("docs/errors.md"), re.MULTILINE)
TESTS = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize(("situation", "code", "line"), ROWS, ids=[situation for situation, _, _ in ROWS])
def test_row(situation: str, code: str, line: str) -> None:
    """A test names the situation, and the exit code is one of runtime/errors.py or of a command line."""
    kinds = (errors.Stopped, errors.Misconfigured, errors.Refused, errors.Unavailable, errors.Failed)
    assert situation in TESTS
    assert code == GOES_ON or int(code) in {kind.exit_code for kind in kinds} | {1, 2}
    assert line.strip()


def test_all_rows_are_read() -> None:
    """Every row of the page's tables is one that `test_row` reads."""
    lines = [line for line in read("docs/errors.md").splitlines() if line.startswith("|")]
    assert len(lines) - 2 * read("docs/errors.md").count("| situation |") == len(ROWS) > 5
