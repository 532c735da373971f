"""docs/verify.md agrees with the code of `verify`."""

import json
import re

from tests.docs.pages import ROOT, code, read, table
from tools.verify.cases import HISTORY
from tools.verify.command import NOT_RIGHT
from tools.verify.findings import COUNTS, EXAMPLES, Findings
from tools.verify.gap import WINDOW
from tools.verify.report import Report

PAGE = "docs/verify.md"


def test_counts() -> None:
    """The table lists all counts, in the report's order."""
    assert [row[0] for row in table(PAGE, "## Counts")] == [f"`{name}`" for name in COUNTS]


def test_sample() -> None:
    """The sample has all counts, and its sums are right."""
    head, *rows = (line.split() for line in re.findall(r"^ *(?:partition  |\d+  |all  ).*", read(PAGE), re.MULTILINE))
    assert head == ["partition", *COUNTS]
    *partitions, everything = ([int(cell) for cell in row[1:]] for row in rows)
    assert [sum(column) for column in zip(*partitions, strict=True)] == everything


def test_options() -> None:
    """The table lists all options of the command line."""
    options = re.findall(r'"(--[a-z-]+)"', (ROOT / "tools/verify/command.py").read_text())
    assert sorted(code(row[0])[0] for row in table(PAGE, "## Options")) == sorted(set(options))


def test_json() -> None:
    """The page names all members of the JSON object."""
    report = json.loads(Report("a", "b", dead_letter="c").of({0: Findings()}, final=True).as_json())
    assert {*report, *report["partitions"][0], *report["dead_letters"]} - set(COUNTS) - set(code(read(PAGE))) == set()


def test_numbers() -> None:
    """Its bounds are the code's."""
    for number in (HISTORY, WINDOW, 2 * WINDOW):
        assert f"{number:,}" in read(PAGE)
    assert (EXAMPLES, NOT_RIGHT) == (5, 1)
