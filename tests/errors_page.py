"""Holds docs/errors.md to what the tests see: a row for each situation, with its exit code and its line.

`WRITE_ERRORS=1 .venv/bin/python -m pytest -n0 FILE` writes the rows of a test file again.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HEAD = "| situation | exit code | line |\n|---|---|---|\n"
GOES_ON = "goes on"
NO_LINE = "(no line)"
_VARIABLE = {
    r"^\d{4}-\d\d-\d\d [\d:.]+ (\w+) +[\w.]+ \| ": r"\1: ",
    r"\b(127\.0\.0\.1|localhost):\d+": r"\1:29092",
    r"(?<![:/\w])/[\w./-]*/(?=[\w.-]+)": "/path/",
}


def check_row(
    section: str, situation: str, exit_code: int | None, line: str, replace: Mapping[str, str] | None = None
) -> None:
    """Compare a situation's row on the page with what a test saw.

    Args:
        section: the heading that the row is under.
        situation: the row's first cell.
        exit_code: the exit code; None if the process goes on.
        line: the log line. Its time and logger, ports and folders are left out.
        replace: what to write instead of other texts that differ from run to run (regular expressions).
    """
    for pattern, text in {**_VARIABLE, **(replace or {})}.items():
        line = re.sub(pattern, text, line)
    code = GOES_ON if exit_code is None else f"{exit_code}"
    row = f"| {situation} | {code} | `` {line.replace('|', chr(92) + '|')} `` |\n"
    if os.environ.get("WRITE_ERRORS"):
        _write(section, situation, row)
    assert row in _rows(section), f"docs/errors.md, {section!r}, has no row\n{row}"


def _rows(section: str) -> list[str]:
    after = PAGE.read_text("utf-8").split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [f"{row}\n" for row in after.splitlines() if row.startswith("|")]


def _write(section: str, situation: str, row: str) -> None:
    """Replace the situation's row, or add it below the others of its section."""
    page = PAGE.read_text("utf-8")
    before, heading, rest = page.partition(f"## {section}\n\n{HEAD}")
    assert heading, f"docs/errors.md has no section {section!r}"
    table = "".join(_rows(section))
    rows = {line.split(" | ")[0]: f"{line}\n" for line in table.splitlines()[2:]}
    rows[f"| {situation}"] = row
    PAGE.write_text(f"{before}{heading}{''.join(rows.values())}{rest.removeprefix(table.removeprefix(HEAD))}", "utf-8")
