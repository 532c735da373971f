"""The result of a comparison: counts, and the first offsets of each fault."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FAULTS = ("lost", "duplicated", "reordered", "wrong")
COUNTS = ("checked", "pending", *FAULTS, "skipped")

EXAMPLES = 5
"""How many offsets of each fault are listed."""


@dataclass
class Findings:
    """One partition's result. docs/verify.md says what each count means."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    examples: dict[str, list[int]] = field(default_factory=lambda: {fault: [] for fault in FAULTS})
    cannot_align: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is no fault. Pending records are not one."""
        return not self.cannot_align and not any(self.counts[fault] for fault in FAULTS)

    def add(self, kind: str, offset: int) -> None:
        """Count a record. The offset is the input's if it is lost or reordered, otherwise the output's."""
        self.counts[kind] += 1
        offsets = self.examples.get(kind)
        if offsets is not None and len(offsets) < EXAMPLES:
            offsets.append(offset)

    def copy(self) -> "Findings":
        """Return a copy."""
        return self.plus(Findings())

    def plus(self, later: "Findings") -> "Findings":
        """Return the sum with the findings of later records."""
        counts = {name: self.counts[name] + later.counts[name] for name in COUNTS}
        examples = {fault: [*self.examples[fault], *later.examples[fault]][:EXAMPLES] for fault in FAULTS}
        return Findings(counts, examples, self.cannot_align or later.cannot_align)


def total(findings: Mapping[int, Findings]) -> dict[str, int]:
    """The sum of each count over the partitions."""
    return {name: sum(found.counts[name] for found in findings.values()) for name in COUNTS}
