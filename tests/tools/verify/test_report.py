"""The verdict and the exit code of a result. Tested without Kafka."""

import json
from collections.abc import Callable

import pytest

from runtime.errors import Failed
from tests.errors_page import check_row
from tests.tools.verify.test_comparison import counts
from tools.verify import command
from tools.verify.findings import COUNTS, Findings
from tools.verify.report import Report

FOUND = {
    "right": Findings(counts(checked=5)),
    "behind": Findings(counts(checked=3, pending=2)),
    "lost": Findings(counts(checked=4, lost=1)),
    "lost and behind": Findings(counts(checked=2, lost=1, pending=2)),
    "cannot align": Findings(counts(skipped=5), cannot_align=True),
    "nothing in the range": Findings(counts(skipped=5)),
    "empty": Findings(counts()),
}
"""Each of five records, except the last."""

VERDICTS = [
    ("right", [], 0, "OK: 5 records match ("),
    ("right", ["--complete"], 0, "OK: 5 records match ("),
    ("behind", [], 0, "OK: 3 records match, 2 pending ("),
    ("behind", ["--complete"], 1, "NOT COMPLETE: 3 records match, 2 pending ("),
    ("lost", [], 1, "NOT OK: 4 records match ("),
    ("lost and behind", ["--complete"], 1, "NOT OK: 2 records match, 2 pending ("),
    ("cannot align", [], 1, "NOT OK: 0 records match ("),
    ("nothing in the range", [], 70, "NOTHING COMPARED ("),
    ("nothing in the range", ["--complete"], 70, "NOTHING COMPARED ("),
    ("empty", ["--complete"], 0, "OK: both topics are empty ("),
]


@pytest.mark.parametrize("row", VERDICTS)
def test_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: tuple[str, list[str], int, str]
) -> None:
    """The exit code, the last line and the JSON agree. With --complete, pending records are an error."""
    found, options, code, verdict = row
    report = Report("in", "out", complete="--complete" in options)
    report = report.of({0: FOUND[found]}, final=True, empty=found == "empty")
    monkeypatch.setattr(command, "audit", lambda _settings, _options: report)
    monkeypatch.setattr(command, "run_command", exit_code_of)
    for form in [], ["--json"]:
        assert command.main([*options, *form]) == code
    *table, as_json = capsys.readouterr().out.splitlines()
    assert table[-1].startswith(verdict)
    assert json.loads(as_json)["ok"] is (code == 0)


OF_LETTERS = [
    ("right", "right", [], 0, "OK: 5 records match, 5 dead letters match ("),
    ("right", "behind", [], 0, "OK: 5 records match, 3 dead letters match, 2 pending ("),
    ("right", "behind", ["--complete"], 1, "NOT COMPLETE: 5 records match, 3 dead letters match, 2 pending ("),
    ("right", "lost", [], 1, "NOT OK: 5 records match, 4 dead letters match ("),
    ("lost", "right", [], 1, "NOT OK: 4 records match, 5 dead letters match ("),
    ("right", "cannot align", [], 1, "NOT OK: 5 records match, 0 dead letters match ("),
    ("right", "empty", ["--complete"], 0, "OK: 5 records match, 0 dead letters match ("),
]
"""What was found in the output and in the dead letters, the options, the exit code and the last line."""


@pytest.mark.parametrize("row", OF_LETTERS)
def test_dead_letters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: tuple[str, str, list[str], int, str]
) -> None:
    """The exit code, the last line and the JSON are on both topics. Each topic has a table of its own."""
    found, of_letters, options, code, verdict = row
    report = Report("in", "out", complete="--complete" in options, dead_letter="dead")
    report = report.of({0: FOUND[found]}, {0: FOUND[of_letters]}, final=True)
    monkeypatch.setattr(command, "audit", lambda _settings, _options: report)
    monkeypatch.setattr(command, "run_command", exit_code_of)
    for form in [], ["--json"]:
        assert command.main([*options, *form]) == code
    *table, as_json = capsys.readouterr().out.splitlines()
    assert table[-1].startswith(verdict)
    assert table[table.index("dead letters:") + 1].split() == table[0].split() == ["partition", *COUNTS]
    assert json.loads(as_json)["ok"] is (code == 0)
    assert json.loads(as_json)["dead_letters"]["total"] == FOUND[of_letters].counts


def test_fault_of_a_dead_letter() -> None:
    """The line on a fault names the topic of its offset."""
    found = Findings(counts(lost=1, wrong=1), {**Findings().examples, "lost": [7], "wrong": [8]}, cannot_align=True)
    lines = f"{Report('in', 'out', dead_letter='dead').of({0: found}, {1: found}, final=True)}".splitlines()
    assert [line for line in lines if line.startswith("partition ") and ":" in line] == [
        "partition 0: lost at input offset 7",
        "partition 0: wrong at output offset 8",
        "partition 0: cannot align: no output record belongs to any remaining input",
        "partition 1: lost at input offset 7",
        "partition 1: wrong at dead-letter offset 8",
        "partition 1: cannot align: no dead-letter record belongs to any remaining input",
    ]


def exit_code_of(_kind: object, _env_file: object, run: Callable[[None], None]) -> int:
    """Run a command as `run_command` does, without settings."""
    try:
        run(None)
    except Failed as error:
        return error.exit_code
    return 0


def test_complete_in_the_end() -> None:
    """Pending records are an error at the end only, as more may come before."""
    report = Report("in", "out", complete=True)
    assert report.of({0: FOUND["behind"]}).ok
    assert not report.of({0: FOUND["behind"]}, final=True).ok
    assert report.of({0: FOUND["nothing in the range"]}).ok


NUMBERS = {
    "verify: a timestamp that Kafka cannot have": ["--from-timestamp", f"{2**63}"],
    "verify: a number of 5,000 digits": ["--last", "7" * 5000],
    "verify: a negative number": ["--last", "-1"],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_number(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A number that no offset or timestamp can be ends in 2, in a line that gives the range."""
    with pytest.raises(SystemExit) as ended:
        command.main(NUMBERS[name])
    check_row("Tools", name, int(ended.value.code or 0), capsys.readouterr().err.splitlines()[-1])
