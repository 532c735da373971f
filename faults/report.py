"""Stores one row's report as JSON, and makes docs/faults.md's table and faults/results/rows.md from all reports."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

from faults.idcheck import Counts

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
RESULTS = Path(__file__).parent / "results"
DETAILS = "rows.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"
_NOTE = 160  # characters of a note in the table; the results have all of it


class Limit(NamedTuple):
    """A measured value, and the most that it may be."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.most


@dataclass
class RowReport:
    """One run of a row."""

    row: str = ""
    title: str = ""
    command: str = ""
    seed: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    ids: Counts = field(default_factory=Counts)
    audits: dict[str, dict[str, Any]] = field(default_factory=dict)
    goals: list[Limit] = field(default_factory=list)
    """Limits that always hold."""
    times: list[Limit] = field(default_factory=list)
    """Limits that a busy machine can exceed."""
    longest_stall: float = 0.0
    resume_p99: float = 0.0
    resume_most: float = 0.0
    exits: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    about: dict[str, str] = field(default_factory=dict)

    @property
    def all_goals(self) -> list[Limit]:
        """All limits."""
        return [*self.goals, *self.times]

    @property
    def ok(self) -> bool:
        """Whether all are met."""
        return all(goal.met for goal in self.all_goals)

    @property
    def done(self) -> int:
        """The number of faults."""
        return sum(self.faults.values())

    def lines(self) -> list[str]:
        """The report as text."""
        counts = ", ".join(f"{name} {value:,}" for name, value in asdict(self.ids).items())
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.faults.items()) or "none"
        found = [
            f"row {self.row} ({self.title}), seed {self.seed}: {self.done} faults in {self.seconds:.0f} s: {kinds}",
            f"  by id: {counts}",
            *(f"  tools.verify, {name}: {found['total']}" for name, found in self.audits.items()),
            (
                f"  longest stall {self.longest_stall:.1f} s, resumed within {self.resume_p99:.1f} s at p99, "
                f"{self.resume_most:.1f} s at most; workers exited unasked: {self.exits or 'none'}"
            ),
            *(f"  {name}: {value:,.2f}" for name, value in self.figures.items()),
            *(
                f"  {'met' if goal.met else 'MISSED'}: {goal.name} {goal.value:g} <= {goal.most:g}"
                for goal in self.all_goals
            ),
            *(f"  note: {note}" for note in self.notes),
        ]
        return [*found, f"row {self.row}: {'all goals met' if self.ok else 'FAILED'}"]

    def write(self, folder: Path) -> None:
        """Write it as row-N.json."""
        folder.mkdir(parents=True, exist_ok=True)
        goals = [goal._asdict() | {"met": goal.met} for goal in self.all_goals]
        shown = {**asdict(self), "ok": self.ok, "goals": goals}
        del shown["times"]
        (folder / f"row-{self.row}.json").write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")


def write_table(results: Path, page: Path = PAGE) -> None:
    """Write the details next to the results, and the table between the page's two marks.

    The repository's own page is left as it is if the results are not the repository's.
    """
    (results / DETAILS).write_text(details(results))
    if results.resolve() != RESULTS and page == PAGE:
        return
    text = page.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}{table(results)}{_END}{after}")


def table(folder: Path) -> str:
    """Return the Markdown table of every row-*.json in the folder."""
    lines = [
        (
            "| row | under load | faults | records | lost | duplicated | reordered | wrong | longest stall, s "
            "| resumed, s (p99) | failures per fault, 95 % | seed | date | goals |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in _kept(folder):
        ids, faults = row["ids"], sum(row["faults"].values())
        bound = f"< {300 / faults:.2g} %" if faults and row["ok"] else ""
        stall, resumed = (f"{row[key]:.1f}" if row[key] else "" for key in ("longest_stall", "resume_p99"))
        cells = [
            *(row["row"], row["title"], f"{faults:,}", f"{ids['checked']:,}", ids["lost"], f"{ids['duplicated']:,}"),
            *(ids["reordered"], ids["wrong"], stall, resumed, bound),
            *(row["seed"], row["about"]["date"], "met" if row["ok"] else "**missed**"),
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def details(folder: Path) -> str:
    """Return the Markdown page with the command, the versions, the exits and the notes of every row-*.json."""
    lines = ["# Fault rows in detail", "", "Written by `python -m faults --table`. docs/faults.md has the table.", ""]
    for row in _kept(folder):
        ran_on = ", ".join(f"{name} {value}" for name, value in row["about"].items())
        lines.append(f"- Row {row['row']}: `{row['command']}`; {_details(row)}; ran on {ran_on}")
    return "\n".join([*lines, ""])


def _kept(folder: Path) -> list[dict[str, Any]]:
    """Return every row-*.json in the folder, by number."""
    found = [json.loads(file.read_text()) for file in folder.glob("row-*.json")]
    return sorted(found, key=lambda row: (int("".join(filter(str.isdigit, row["row"]))), row["row"]))


def _details(row: dict[str, Any]) -> str:
    kinds = ", ".join(f"{count} x {kind}" for kind, count in row["faults"].items())
    exits = ", ".join(f"{count} x {code}" for code, count in row["exits"].items()) or "none"
    figures = "".join(f"; {name} {value:,.6g}" for name, value in row["figures"].items())
    missed = "".join(f"; missed: {g['name']} {g['value']:g} > {g['most']:g}" for g in row["goals"] if not g["met"])
    notes = "".join(f"; {shorten(note, _NOTE, placeholder=' …')}" for note in row["notes"][:5])
    return f"{kinds or 'no faults'}; {row['seconds']:.0f} s; exits unasked: {exits}{figures}{missed}{notes}"
