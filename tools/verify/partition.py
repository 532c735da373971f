"""How far one partition of both topics was read, and what was found in it."""

from dataclasses import dataclass

from tools.verify.comparison import Comparison
from tools.verify.findings import Findings
from tools.verify.gap import WINDOW


@dataclass
class PartitionState:
    """How far one partition was read in the input and, once its begin is known, in the output."""

    comparison: Comparison
    begin: int
    input_at: int
    output_at: int | None
    input_begin: int
    output_begin: int
    input_end: int = 0
    output_end: int = 0
    unread: int = 0
    gone: int = 0
    """How many inputs were deleted before they could be read."""
    earlier: Findings | None = None
    """What was found before records were deleted unread."""

    @property
    def has_news(self) -> bool:
        """Whether there are new records to read."""
        has_output = (self.output_at or 0) < self.output_end
        return has_output or (self.input_at < self.input_end and self.comparison.waiting[0] < WINDOW)

    @property
    def is_empty(self) -> bool:
        """Whether neither topic has an offset to read."""
        return self.input_begin == self.input_end and self.output_begin == self.output_end

    def findings(self, *, everything: bool) -> Findings:
        """The result so far. `everything` is whether the range begins with the first record."""
        found = self.comparison.findings()
        found.counts["pending"] += self.unread + self.input_end - self.input_at
        found.counts["skipped"] += self.gone
        if self.earlier:
            return self.earlier.plus(found)
        all_expired = everything and self.begin == self.input_end > 0
        found.cannot_align |= all_expired and self.output_end > self.output_begin
        return found
