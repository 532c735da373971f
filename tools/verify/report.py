"""The report of a comparison: a table and a verdict, or one JSON object."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tools.verify.findings import COUNTS, FAULTS, Findings, total

_OF_INPUT = {"lost", "reordered"}  # listed by input offset, the others by output offset


@dataclass(frozen=True)
class Report:
    """The result at one moment."""

    source: str
    target: str
    complete: bool = False
    """Whether records that are pending at the end are an error."""
    dead_letter: str | None = None
    partitions: Mapping[int, Findings] = field(default_factory=dict)
    letters: Mapping[int, Findings] = field(default_factory=dict)
    """What was found in the dead-letter topic."""
    is_final: bool = False
    is_empty: bool = False
    """Whether both topics are empty."""
    seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def of(
        self,
        partitions: Mapping[int, Findings],
        letters: Mapping[int, Findings] | None = None,
        *,
        final: bool = False,
        empty: bool = False,
    ) -> "Report":
        """Return the report with these findings, at this moment. `empty` is whether both topics are empty."""
        return replace(
            self,
            partitions=partitions,
            letters=letters or {},
            is_final=final,
            is_empty=empty,
            seconds=time.monotonic() - self._started,
        )

    @property
    def ok(self) -> bool:
        """Whether there is no fault, nothing is pending if it had to be complete, and there was something to compare.

        Two empty topics are right, too.
        """
        is_behind = self._pending or self._pending_letters
        return self._is_right and not (self.complete and self.is_final and is_behind) and not self.is_void

    @property
    def is_void(self) -> bool:
        """Whether nothing was compared, although the topics are not empty."""
        return self.is_final and self._is_right and not (self._checked or self._pending or self.is_empty)

    @property
    def _checked(self) -> int:
        return total(self.partitions)["checked"]

    @property
    def _is_right(self) -> bool:
        return all(found.ok for found in (*self.partitions.values(), *self.letters.values()))

    @property
    def _pending(self) -> int:
        return total(self.partitions)["pending"]

    @property
    def _pending_letters(self) -> int:
        return total(self.letters)["pending"]

    def summary(self) -> str:
        """All counts on one line."""
        return _counts(self.partitions) + (f"; dead letters: {_counts(self.letters)}" if self.dead_letter else "")

    def as_json(self) -> str:
        """The report as docs/verify.md describes it, on one line."""
        return json.dumps(
            {
                "final": self.is_final,
                "ok": self.ok,
                "seconds": round(self.seconds, 3),
                "input": self.source,
                "output": self.target,
                **_members(self.partitions),
                "dead_letters": {"topic": self.dead_letter, **_members(self.letters)} if self.dead_letter else None,
            }
        )

    def __str__(self) -> str:
        letters = ["dead letters:", *_lines(self.letters, "dead-letter")] if self.dead_letter else []
        return "\n".join([*_lines(self.partitions, "output"), *letters, self._verdict()])

    def _verdict(self) -> str:
        records = f"{self._checked:,} records match{_and_pending(self._pending)}"
        if self.dead_letter:
            letters = total(self.letters)["checked"]
            records += f", {letters:,} dead letters match{_and_pending(self._pending_letters)}"
        if self.is_empty:
            records = "both topics are empty"
        if self.is_void:
            return f"NOTHING COMPARED ({self.seconds:.1f} s)"
        verdict = "OK" if self.ok else "NOT COMPLETE" if self._is_right else "NOT OK"
        return f"{verdict}: {records} ({self.seconds:.1f} s)"


def _and_pending(count: int) -> str:
    return f", {count:,} pending" if count else ""


def _counts(partitions: Mapping[int, Findings]) -> str:
    return ", ".join(f"{name} {count}" for name, count in total(partitions).items())


def _members(partitions: Mapping[int, Findings]) -> dict[str, object]:
    """The members of the JSON object on one topic."""
    return {
        "total": total(partitions),
        "partitions": [
            {"partition": number, **found.counts, "cannot_align": found.cannot_align, "examples": found.examples}
            for number, found in sorted(partitions.items())
        ],
    }


def _lines(partitions: Mapping[int, Findings], topic: str) -> list[str]:
    """The table on one topic, and its faults."""
    rows = [
        ["partition", *COUNTS],
        *([str(number), *map(str, found.counts.values())] for number, found in sorted(partitions.items())),
        ["all", *map(str, total(partitions).values())],
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [*lines, *(line for number, found in sorted(partitions.items()) for line in _faults(number, found, topic))]


def _faults(number: int, found: Findings, topic: str) -> list[str]:
    """One line for each kind of fault, with the first offsets."""
    lines = []
    for fault in FAULTS:
        if found.counts[fault]:
            more = ", ..." if found.counts[fault] > len(found.examples[fault]) else ""
            offsets = ", ".join(map(str, found.examples[fault])) + more
            lines.append(f"partition {number}: {fault} at {'input' if fault in _OF_INPUT else topic} offset {offsets}")
    if found.cannot_align:
        lines.append(f"partition {number}: cannot align: no {topic} record belongs to any remaining input")
    return lines
