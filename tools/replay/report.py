"""What a replay did or would do: a table by reason, or one JSON object."""

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from tools.replay.letters import Letter

_EXAMPLES = 20


class Outcome(StrEnum):
    """What happened to a dead letter that was not sent back before."""

    SENT = "sent"
    ATTEMPTS = "max attempts"
    STUB = "stub"
    TOO_LARGE = "too large"
    NOT_ASKED = "not asked"


_NAMED = (Outcome.ATTEMPTS, Outcome.STUB, Outcome.TOO_LARGE)
_WHY = {
    Outcome.ATTEMPTS: "came back as often as --max-attempts allows",
    Outcome.STUB: "the original is not here: it was too large",
    Outcome.TOO_LARGE: "the record would be too large for the input topic",
}


@dataclass
class ReplayReport:
    """The counts, and the places of those that the user should look at."""

    dead_letter: str
    source: str
    is_dry_run: bool
    is_complete: bool = False
    """Whether it has come to its end."""
    counts: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    foreign: int = 0
    """Records that are no dead letters of this pipeline."""
    edits: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By why they were not sent: places that --edit lists."""
    _places: dict[Outcome, list[str]] = field(default_factory=lambda: defaultdict(list))
    _started: float = field(default_factory=time.monotonic)

    def note(self, outcome: Outcome, letter: Letter) -> None:
        """Count a dead letter."""
        self.counts[letter.reason][outcome] += 1
        if outcome in _NAMED and len(self._places[outcome]) < _EXAMPLES:
            self._places[outcome].append(f"{letter.record.place} ({letter.origin})")

    def total(self, outcome: Outcome) -> int:
        """The number of dead letters of all reasons."""
        return sum(counts[outcome] for counts in self.counts.values())

    def as_json(self) -> str:
        """The report on one line."""
        return json.dumps(
            {
                "dry_run": self.is_dry_run,
                "complete": self.is_complete,
                "seconds": round(time.monotonic() - self._started, 3),
                "dead_letter": self.dead_letter,
                "input": self.source,
                "total": {_name(one): self.total(one) for one in Outcome},
                "reasons": {
                    reason: {_name(one): counts[one] for one in Outcome}
                    for reason, counts in sorted(self.counts.items())
                },
                "foreign": self.foreign,
                "examples": {_name(one): self._places[one] for one in _NAMED},
                "edits_not_sent": self.edits,
            }
        )

    def __str__(self) -> str:
        first = "would send" if self.is_dry_run else Outcome.SENT
        rows = [
            ["reason", first, *list(Outcome)[1:]],
            *([reason, *(str(counts[one]) for one in Outcome)] for reason, counts in sorted(self.counts.items())),
            ["all", *(str(self.total(one)) for one in Outcome)],
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        lines += [f"left, {_WHY[one]}: {self._list(one)}" for one in _NAMED if self._places[one]]
        if self.foreign:
            lines.append(f"left, no dead letters of this pipeline: {self.foreign:,}")
        lines += [f"--edit, {why}: {', '.join(places)}" for why, places in self.edits.items() if places]
        return "\n".join([*lines, self._last_line()])

    def _list(self, outcome: Outcome) -> str:
        more = ", ..." if self.total(outcome) > len(self._places[outcome]) else ""
        return ", ".join(self._places[outcome]) + more

    def _last_line(self) -> str:
        verb = "would send" if self.is_dry_run else "sent"
        stopped = "" if self.is_complete else "; stopped before the end"
        seconds = time.monotonic() - self._started
        return f"{verb} {self.total(Outcome.SENT):,} records back to {self.source} ({seconds:.1f} s){stopped}"


def _name(outcome: Outcome) -> str:
    return outcome.replace(" ", "_")
