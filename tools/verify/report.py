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
    partitions: Mapping[int, Findings] = field(default_factory=dict)
    is_final: bool = False
    is_empty: bool = False
    """Whether both topics are empty."""
    seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def of(self, partitions: Mapping[int, Findings], *, final: bool = False, empty: bool = False) -> "Report":
        """Return the report with these findings, at this moment; `empty` is whether both topics are empty."""
        seconds = time.monotonic() - self._started
        return replace(self, partitions=partitions, is_final=final, is_empty=empty, seconds=seconds)

    @property
    def ok(self) -> bool:
        """Whether there is no fault, nothing is pending if it had to be complete, and there was something to compare.

        Two empty topics are right, too.
        """
        return self._is_right and not (self.complete and self.is_final and self._pending) and not self.is_void

    @property
    def is_void(self) -> bool:
        """Whether nothing was compared, although the topics are not empty."""
        return self.is_final and self._is_right and not (self._checked or self._pending or self.is_empty)

    @property
    def _checked(self) -> int:
        return total(self.partitions)["checked"]

    @property
    def _is_right(self) -> bool:
        return all(found.ok for found in self.partitions.values())

    @property
    def _pending(self) -> int:
        return total(self.partitions)["pending"]

    def summary(self) -> str:
        """All counts on one line."""
        return ", ".join(f"{name} {count}" for name, count in total(self.partitions).items())

    def as_json(self) -> str:
        """The report as docs/verify.md describes it, on one line."""
        return json.dumps(
            {
                "final": self.is_final,
                "ok": self.ok,
                "seconds": round(self.seconds, 3),
                "input": self.source,
                "output": self.target,
                "total": total(self.partitions),
                "partitions": [
                    {
                        "partition": number,
                        **found.counts,
                        "cannot_align": found.cannot_align,
                        "examples": found.examples,
                    }
                    for number, found in sorted(self.partitions.items())
                ],
            }
        )

    def __str__(self) -> str:
        rows = [
            ["partition", *COUNTS],
            *([str(number), *map(str, found.counts.values())] for number, found in sorted(self.partitions.items())),
            ["all", *map(str, total(self.partitions).values())],
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        lines += (line for number, found in sorted(self.partitions.items()) for line in _faults(number, found))
        return "\n".join([*lines, self._verdict()])

    def _verdict(self) -> str:
        pending = f", {self._pending:,} pending" if self._pending else ""
        records = f"{self._checked:,} records match{pending}"
        if self.is_empty:
            records = "both topics are empty"
        if self.is_void:
            return f"NOTHING COMPARED ({self.seconds:.1f} s)"
        verdict = "OK" if self.ok else "NOT COMPLETE" if self._is_right else "NOT OK"
        return f"{verdict}: {records} ({self.seconds:.1f} s)"


def _faults(number: int, found: Findings) -> list[str]:
    """One line for each kind of fault, with the first offsets."""
    lines = []
    for fault in FAULTS:
        if found.counts[fault]:
            more = ", ..." if found.counts[fault] > len(found.examples[fault]) else ""
            offsets = ", ".join(map(str, found.examples[fault])) + more
            topic = "input" if fault in _OF_INPUT else "output"
            lines.append(f"partition {number}: {fault} at {topic} offset {offsets}")
    if found.cannot_align:
        lines.append(f"partition {number}: cannot align: no output belongs to any remaining input")
    return lines
