"""What the audit makes of its counts: a verdict and an exit code; without Kafka."""

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

AS_FAR = "out is right as far as it goes"
VERDICTS = [
    ("right", [], 0, f"{AS_FAR} (5 records"),
    ("right", ["--complete"], 0, f"{AS_FAR} (5 records"),
    ("behind", [], 0, f"{AS_FAR}, 2 still to be processed (5 records"),
    ("behind", ["--complete"], 1, f"{AS_FAR}, but NOT complete, 2 still to be processed (5 records"),
    ("lost", [], 1, "out is NOT right (5 records"),
    ("lost and behind", ["--complete"], 1, "out is NOT right (5 records"),
    ("cannot align", [], 1, "out is NOT right (5 records"),
]


@pytest.mark.parametrize("row", VERDICTS)
def test_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: tuple[str, list[str], int, str]
) -> None:
    """The exit code, the last line and the JSON agree; with --complete, what is pending in the end is not right."""
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
    """While it follows, what is pending is right, for more may come."""
    report = Report("in", "out", complete=True)
    assert report.of({0: FOUND["behind"]}).ok
    assert not report.of({0: FOUND["behind"]}, final=True).ok
