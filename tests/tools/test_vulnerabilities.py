"""Results of pip-audit: a finding fails, and data that cannot be reached are one line and no failure."""

import json
import re
from pathlib import Path

import pytest

from tools.vulnerabilities import LOCKS, audit, main

LOCK = LOCKS[0]

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
HOLED = {"name": "holed", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "CVE-2"}]}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file that replaces pip-audit's module: its real answers depend on the network."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "pip_audit.py"


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, SOUND], 0, ["audited: 2 packages, no known vulnerability"]),
        ([SOUND, HOLED], 1, ["holed 2.0: PYSEC-1, CVE-2"]),
        ([SOUND, SKIPPED], 0, ["not audited: unknown: no data on these"]),
        ([HOLED, SKIPPED], 1, ["holed 2.0: PYSEC-1, CVE-2", "not audited: unknown: no data on these"]),
    ],
)
def test_report(answering: Path, packages: list[dict[str, object]], code: int, said: list[str]) -> None:
    """Each finding is named and fails, and packages that nothing is known of are named, too."""
    report = json.dumps({"dependencies": packages, "fixes": []})
    answering.write_text(f"import sys\nprint({report!r})\nsys.exit({code})\n")
    assert audit(LOCK) == (code, "\n".join(said))


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("import sys; sys.exit('trace\\nConnectionError: refused')", 0, "not audited: ConnectionError: refused"),
        ("import sys; sys.exit(1)", 0, "not audited: pip-audit said nothing"),
        ("import sys; print('usage', file=sys.stderr); sys.exit(2)", 1, "not audited: usage"),
        ("import time; time.sleep(60)", 0, "not audited: no answer within 0.5 s"),
    ],
)
def test_no_report(answering: Path, answer: str, code: int, said: str) -> None:
    """No data, or none in time, is one line and no failure. A wrong command line is a failure."""
    answering.write_text(answer)
    assert audit(LOCK, within=0.5 if "sleep" in answer else 60) == (code, said)


def test_asks_for_all(answering: Path) -> None:
    """The lock file is looked up unchanged, without installing anything, and with further options if given."""
    answering.write_text("import sys; sys.exit(' '.join(sys.argv[1:]))")
    _, said = audit(LOCK, "--ignore-vuln=X")
    for text in (f"-r {LOCK}", "--disable-pip", "--format=json", "--ignore-vuln=X"):
        assert text in said


def test_all_locks(answering: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every lock file is asked about, except the one that another holds. A finding in any of them fails."""
    answering.write_text(
        f"import sys\nbad = any('bench' in text for text in sys.argv)\n"
        f"print({json.dumps({'dependencies': [HOLED]})!r} if bad else {json.dumps({'dependencies': [SOUND]})!r})\n"
    )
    monkeypatch.setattr("sys.argv", ["vulnerabilities"])
    assert main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "audit.lock: audited: 1 packages, no known vulnerability",
        "bench.lock: holed 2.0: PYSEC-1, CVE-2",
        "browser.lock: audited: 1 packages, no known vulnerability",
        "dev.lock: audited: 1 packages, no known vulnerability",
    ]
    every = {lock.name for lock in LOCK.parent.iterdir()} - {lock.name for lock in LOCKS}
    assert every == {"pipeline.lock"}
    runtime, development = (
        set(re.findall(r"^\S+==\S+", (LOCK.parent / f"{name}.lock").read_text(), re.MULTILINE))
        for name in ("pipeline", "dev")
    )
    assert runtime
    assert runtime <= development
