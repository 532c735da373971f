"""The Grafana dashboard is the one that its code makes, and its expressions name metrics that there are."""

import json
import re
from collections.abc import Iterator
from typing import Any

from deploy.observability import dashboard
from runtime.observe.metrics import METRICS, PREFIX
from tests.deploy.test_alerts import ALERTS

BOARD = json.loads(dashboard.FILE.read_text())


def queries() -> Iterator[tuple[str, Any]]:
    """Each query of the dashboard, with its panel's title."""
    for panel in BOARD["panels"]:
        for query in panel.get("targets", []):
            yield panel["title"], query


def test_file() -> None:
    """dashboard.json is what dashboard.py makes. `make dashboard` writes it."""
    assert dashboard.FILE.read_text() == dashboard.build()


def test_metrics() -> None:
    """The dashboard and the alerts name only metrics that the pipeline has. The dashboard has all, except one."""
    suffixes = {"", "_bucket", "_sum", "_count"}
    known = {f"{PREFIX}{name}{suffix}" for name in METRICS for suffix in suffixes}
    on_dashboard = set(re.findall(rf"{PREFIX}\w+", json.dumps([query for _, query in queries()])))
    in_alerts = set(re.findall(rf"{PREFIX}\w+", " ".join(rule["expr"] for rule in ALERTS.values())))
    assert on_dashboard | in_alerts <= known
    assert {name for name in METRICS if not any(name in named for named in on_dashboard)} == {"producer_queue_records"}


def test_panels() -> None:
    """Each panel says what it shows and in which unit. Each query has an id of its own in its panel."""
    panels = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"]
        ids = [query["refId"] for query in panel["targets"]]
        assert ids == ["A", "B", "C"][: len(ids)]
    assert len({panel["title"] for panel in panels}) == len(panels)
