"""docs/records.md lists the reasons of the code."""

import re

from tests.docs.pages import ROOT, code, table, words
from tools.tail.command import COUNT
from tools.tail.order import FURTHEST
from transforms import Reason
from transforms.syntax import NESTING_LIMIT


def test_reasons() -> None:
    """The table has all reasons, in the order in which they are checked."""
    assert [row[0] for row in table("docs/records.md", "## A malformed record")] == [f"`{reason}`" for reason in Reason]


def test_nesting_limit() -> None:
    """The limit on nesting is the code's."""
    assert f"nesting deeper than {NESTING_LIMIT} levels" in words("docs/records.md")


def test_options_of_tail() -> None:
    """The table lists all options of `tail`, and its numbers are the code's."""
    options = re.findall(r'"(--?[a-z]+)"', (ROOT / "tools/tail/command.py").read_text())
    rows = table("docs/records.md", "## Look at records")
    assert sorted(code(row[0])[0] for row in rows) == sorted(options)
    assert f"how many of the last records to show: {COUNT};" in words("docs/records.md")
    assert f"in the last {FURTHEST:,} offsets" in words("docs/records.md")
