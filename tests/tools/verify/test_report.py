"""The verdict and the exit code of a result; without Kafka."""

import json

import pytest

from tests.tools.verify.test_comparison import counts
from tools.verify import command
from tools.verify.findings import Findings
from tools.verify.report import Report

FOUND = {
    "right": Findings(counts(checked=5)),
    "behind": Findings(counts(checked=3, pending=2)),
    "lost": Findings(counts(checked=4, lost=1)),
    "lost and behind": Findings(counts(checked=2, lost=1, pending=2)),
    "cannot align": Findings(counts(skipped=5), cannot_align=True),
}
"""Each of five records."""

VERDICTS = [
    ("right", [], 0, "OK: 5 records match ("),
    ("right", ["--complete"], 0, "OK: 5 records match ("),
    ("behind", [], 0, "OK: 3 records match, 2 pending ("),
    ("behind", ["--complete"], 1, "NOT COMPLETE: 3 records match, 2 pending ("),
    ("lost", [], 1, "NOT OK: 4 records match ("),
    ("lost and behind", ["--complete"], 1, "NOT OK: 2 records match, 2 pending ("),
    ("cannot align", [], 1, "NOT OK: 0 records match ("),
]


@pytest.mark.parametrize("row", VERDICTS)
def test_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: tuple[str, list[str], int, str]
) -> None:
    """The exit code, the last line and the JSON agree; with --complete, pending records are an error."""
    found, options, code, verdict = row
    monkeypatch.setattr(command, "run_command", lambda _load, run: run(None) or 0)
    monkeypatch.setattr(
        command, "audit", lambda _, given: Report("in", "out", given.complete).of({0: FOUND[found]}, final=True)
    )
    for form in [], ["--json"]:
        assert command.main([*options, *form]) == code
    *table, as_json = capsys.readouterr().out.splitlines()
    assert table[-1].startswith(verdict)
    assert json.loads(as_json)["ok"] is (code == 0)


def test_complete_in_the_end() -> None:
    """Pending records are an error at the end only, as more may come before."""
    report = Report("in", "out", complete=True)
    assert report.of({0: FOUND["behind"]}).ok
    assert not report.of({0: FOUND["behind"]}, final=True).ok
