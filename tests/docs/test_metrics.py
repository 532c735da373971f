"""docs/metrics.md agrees with the code: metrics, pages, members of /status.json."""

import re

from runtime.observe.counters import Share
from runtime.observe.metrics import METRICS, PREFIX
from runtime.observe.pages import pages
from runtime.observe.recent import SLOT, SLOTS
from runtime.observe.status import Status
from tests.docs.pages import code, table, words

PAGE = "docs/metrics.md"


def test_metrics() -> None:
    """The table lists each metric with its type, labels and help text, in the order of a scrape."""
    expected = [
        [f"`{PREFIX}{name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels) or "-", one.help]
        for name, one in METRICS.items()
    ]
    assert table(PAGE, "## Metrics") == expected


def test_paths() -> None:
    """The table of paths has all that the port answers."""
    served = [*pages(Status({}, {})), "/live", "/ready"]
    listed = [path for row in table(PAGE, "# Metrics and status page") for path in code(row[0])]
    assert sorted(listed) == sorted(served)


def test_members() -> None:
    """The table of members has those of /status.json, also of those that are objects."""
    status = Status(dict.fromkeys(("input", "output", "dead_letter", "group", "client"), ""), {})
    document = status.document()
    rows = {name: row[1] for row in table(PAGE, "## status.json") for name in code(row[0])}
    assert sorted(rows) == sorted(document)
    status.handle({("in", 0): Share(1, 1, 1, 1)}, 1)
    status.totals.commit()
    for name in ("checkpoints", "versions"):
        assert set(document[name]) <= set(code(rows[name]))
    assert set(status.document()["latency"]) <= set(code(rows["latency"]))
    assert f"each {SLOT} s of the last {SLOT * SLOTS // 60} minutes" in rows["rates"]


def test_no_old_metric() -> None:
    """Each metric that the page names exists."""
    named = set(re.findall(rf"{PREFIX}(\w+)", words(PAGE)))
    assert named == set(METRICS)
