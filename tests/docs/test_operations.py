"""docs/operations.md and docs/guarantees.md: texts, exit codes and times are the code's."""

import ast
import re
from collections.abc import Iterator

import pytest

from runtime import errors, limits
from runtime.loop.transaction_size import FIRST, SLOW
from runtime.settings import Settings
from tests.docs.pages import ROOT, code, table, words

PAGE = "docs/operations.md"
INTERVAL = Settings.model_fields["commit_interval"].default
BROKER_CHECKS = 10
"""Seconds between two looks of a broker for transactions that have timed out, at most."""
IMPORTS = 10
"""Seconds that the start takes beyond START_TIMEOUT, at most."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Return each text of a module, with an ellipsis for each placeholder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w*\}", "…", node.value)


SOURCES = [text for file in (ROOT / "runtime").rglob("*.py") for text in texts(ast.parse(file.read_text("utf-8")))]
SYMPTOMS = [text for row in table(PAGE, "# Operations") for text in code(row[0]) if text not in {"/ready", "/live"}]


@pytest.mark.parametrize("text", SYMPTOMS)
def test_symptom(text: str) -> None:
    """Each text quoted as a symptom is in an error, a log line or a health answer of runtime/."""
    assert any(text in source for source in SOURCES)


def test_exit_codes() -> None:
    """The table lists the exit codes of runtime/errors.py, and the command line's."""
    kinds = (errors.Stopped, errors.Misconfigured, errors.Refused, errors.Unavailable, errors.Failed)
    assert [int(row[0]) for row in table(PAGE, "## Exit codes")] == sorted({kind.exit_code for kind in kinds} | {2})


def test_health() -> None:
    """The table of paths has the limits in force."""
    live, ready = (re.findall(r"\d+ s\b", row[1]) for row in table(PAGE, "## Health"))
    assert live == [f"{limits.LIVE_TIMEOUT:.0f} s"]
    assert ready == [f"{s:.0f} s" for s in (limits.READY_TIMEOUT, limits.BROKER_SILENT_AFTER, limits.STALLED_AFTER)]


def test_failover() -> None:
    """Partitions move after the session, and transactions end after their timeout and the broker's next check."""
    session = f"{INTERVAL + limits.SESSION_TIMEOUT:.0f} s"
    alone, named = (
        f"{INTERVAL + timeout + BROKER_CHECKS:.0f} s"
        for timeout in (limits.COMMIT_TIMEOUT, limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID)
    )
    rows = [row[1:] for row in table(PAGE, "## If a worker does not come back")]
    assert rows == [["0 s", "none is open"], [session, alone], [session, named], [session, "none is open"]]


SENTENCES = [
    (PAGE, f"No broker within {limits.START_TIMEOUT + IMPORTS:.0f} s of the start"),
    (PAGE, f"within {limits.STOP_TIMEOUT:.0f} s no broker answered"),
    (PAGE, f"longer than {limits.POLL_TIMEOUT:.0f} s for its records"),
    (PAGE, f"one line every {limits.REPORT_INTERVAL:.0f} s"),
    (PAGE, f"per malformed reason every {limits.WARN_INTERVAL:.0f} s"),
    (PAGE, f"line of a library is shown once in {limits.REPEATED_LINE_INTERVAL:.0f} s"),
    (PAGE, f"more than {limits.STOP_TIMEOUT:.0f} s between SIGTERM and SIGKILL"),
    (PAGE, f"take {INTERVAL + limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID:.0f} s on a slow broker"),
    (PAGE, f"not {INTERVAL + limits.COMMIT_TIMEOUT:.0f} s. All these times"),
    ("docs/guarantees.md", f"no record has arrived for {limits.COMMIT_WHEN_IDLE * 1000:.0f} ms"),
    ("docs/guarantees.md", f"the process ends itself after {limits.STOP_TIMEOUT:.0f} s"),
    ("docs/guarantees.md", f"If one took longer than {limits.REQUEST_MAY_REPEAT_AFTER:g} s"),
    ("docs/guarantees.md", f"which is set to {limits.RETRY_BACKOFF * 1000:.0f}"),
    ("docs/guarantees.md", f"The first transaction holds {FIRST} records"),
    ("docs/guarantees.md", f"took more than {SLOW:.0f} s, the limit is what the broker recently took in {SLOW:.0f} s"),
    ("docs/guarantees.md", f"If delivery takes more than {limits.FLUSH_TIMEOUT:.0f} s"),
    ("docs/guarantees.md", f"nothing was committed for {limits.NO_PROGRESS_TIMEOUT:.0f} s"),
    ("docs/guarantees.md", f"With `at-least-once`, delivery may take {limits.POLL_TIMEOUT:.0f} s"),
]


@pytest.mark.parametrize(("page", "sentence"), SENTENCES)
def test_times(page: str, sentence: str) -> None:
    """Each time limit that a page states is that of runtime/limits.py."""
    assert sentence in words(page)
