"""docs/faults.md: what it concludes from the results is what they say."""

import json

from faults.report import PAGE, RESULTS
from faults.rows import ROWS

AT_LEAST_ONCE = {"2"}
"""The rows that may duplicate records."""


def test_conclusions() -> None:
    """No kept row has a record lost, reordered, wrong or, under exactly-once, duplicated."""
    for file in RESULTS.rglob("row-*.json"):
        row = json.loads(file.read_text())
        assert row["row"] in ROWS
        ids = row["ids"]
        assert (ids["lost"], ids["reordered"], ids["wrong"]) == (0, 0, 0), file.name
        assert ids["duplicated"] == 0 or row["row"] in AT_LEAST_ONCE, file.name


def test_client() -> None:
    """Rows from before 2026-11-28 were run with confluent-kafka 2.12, later ones with 2.16."""
    for file in RESULTS.rglob("row-*.json"):
        about = json.loads(file.read_text())["about"]
        assert about["confluent-kafka"].startswith("2.12." if about["date"] < "2026-11-28" else "2.16."), file.name


def test_dead_letters() -> None:
    """The rows with dead letters are what their results say, and met all goals."""
    for file in (RESULTS / "dead-letters").glob("row-*.json"):
        row = json.loads(file.read_text())
        (letters,) = [note.split()[0] for note in row["notes"] if note.endswith(" dead letters")]
        faults, records = sum(row["faults"].values()), row["ids"]["checked"]
        figures = (row["row"], faults, f"{records:,}", f"{int(letters):,}", row["seed"], row["about"]["date"])
        assert f"| {' | '.join(map(str, figures))} |" in PAGE.read_text()
        assert row["ok"]


def test_repeated() -> None:
    """The rows that were run again with a newer client are what their results say."""
    files = list((RESULTS / "repeated").glob("row-*.json"))
    assert files
    for file in files:
        row = json.loads(file.read_text())
        faults, records, goals = (
            sum(row["faults"].values()),
            row["ids"]["checked"],
            "met" if row["ok"] else "**missed**",
        )
        figures = (
            row["row"],
            faults,
            f"{records:,}",
            f"{row['longest_stall']:.1f}",
            f"{row['resume_p99']:.1f}",
            row["seed"],
            row["about"]["date"],
            goals,
        )
        assert f"| {' | '.join(map(str, figures))} |" in PAGE.read_text()
