"""Compares one output partition with its input partition, record by record, without I/O.

Both sides arrive in batches, in the order of their topic; equal records are dropped at once. After a difference, the
nearest place where both sides match again is searched within WINDOW records (gap.py), and the records before it are
counted (cases.py). Offsets only name records: transaction markers and aborted records have offsets as well.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import takewhile

from confluent_kafka import Message

from tools.verify.begin import Known, find_begin
from tools.verify.cases import HISTORY, Ledger
from tools.verify.findings import Findings
from tools.verify.gap import WINDOW, Record, alike, find_anchor, first_due, pair_alike, resembles
from tools.verify.retiming import Retiming, retime
from tools.verify.side import OnDrop, Side

_NEAR = 40  # how much further an output is searched among the inputs


class Comparison:
    """Compares the expected records of one partition with those found.

    Args:
        history: how many records of this partition are searched for a duplicate.
        cut: whether the first inputs may be missing, perhaps all.
        skips_inputs: whether the outputs of the first inputs may be missing: never written, or expired.
        compacted: whether an output's input may be missing wherever input offsets are missing.
        retiming: what to expect for an input whose timestamp the output topic refuses; None if it refuses none.
        on_judged: called with inputs, and the outputs that are expected of them, once these are known for certain.
    """

    def __init__(  # noqa: PLR0913  (each is a way in which the sides may differ)
        self,
        *,
        history: int = HISTORY,
        cut: bool = False,
        skips_inputs: bool = False,
        compacted: bool = False,
        retiming: Retiming | None = None,
        on_judged: OnDrop | None = None,
    ) -> None:
        self.covered = False
        """Whether all inputs of the outputs so far have been added."""
        self.ending = False
        """Whether all outputs have been added or soon will be, so that waiting for more is useless."""
        self.aligned = False
        """Whether the output is known to belong to this input. From then on, no output without an input is skipped."""
        self._inputs, self._outputs = Side(on_judged), Side()
        self._ledger = Ledger(history)
        self._cut, self._skips_inputs, self._compacted = cut, skips_inputs, compacted
        self._retime = partial(retime, self._inputs, self._outputs, retiming)
        self._set_aside: Counter[str] = Counter()
        self._complete = False
        self._last_offset: int | None = None
        self._last_at: dict[int, int] = {}
        self._indexed = 0
        self._try_again_at = 0
        self._latest_skipped = -1

    @property
    def waiting(self) -> tuple[int, int]:
        """How many inputs and outputs wait to be compared."""
        return len(self._inputs), len(self._outputs)

    @property
    def oldest_input(self) -> int | None:
        """The offset of the first input that waits, or None if none does."""
        return self._inputs.offsets[0] if self._inputs else None

    def add_inputs(self, offsets: Sequence[int], records: Sequence[Record], messages: Sequence[Message] = ()) -> None:
        """Take the next expected records, and the inputs if timestamps may be refused or `on_judged` needs them.

        A timestamp of 0 matches any.
        """
        self._inputs.add(offsets, records, messages)
        self._advance()

    def add_outputs(self, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """Take the next outputs."""
        self._outputs.add(offsets, records)
        self._advance()

    def end(self) -> None:
        """Count the rest, as no record follows. Inputs after the last output stay pending."""
        self.covered = self._complete = True
        self._advance()
        self._inputs.notify(len(self._inputs))

    def set_aside(self, kind: str, *, inputs: int = 0, outputs: int = 0) -> None:
        """Count these first records as pending or skipped, and compare them no more."""
        self._inputs.drop(inputs)
        self._outputs.drop(outputs)
        self._set_aside[kind] += inputs + outputs

    def realign(self, *, cut: bool) -> None:
        """Search for the begin again, as the next records of one side are missing: the inputs if `cut`."""
        self._cut, self.aligned, self._last_at = self._cut or cut, False, {}
        self._try_again_at = self._indexed = self._inputs.taken = self._outputs.taken = 0

    def findings(self) -> Findings:
        """The result so far."""
        found = self._ledger.findings()
        found.counts["pending"] += len(self._inputs)
        if self._complete and not self.aligned and self._outputs.taken:
            times = [record.timestamp or 0 for record in self._inputs.records]
            are_older = self._cut and min(times, default=0) >= self._latest_skipped
            found.cannot_align = bool(self._inputs.taken or times) and not are_older
        for kind, count in self._set_aside.items():
            found.counts[kind] += count
        return found

    def _advance(self) -> None:
        goes_on = self._look_for_begin()
        while goes_on:
            self._take_equal()
            has_both = self._outputs and (self._inputs or self.covered)
            goes_on = bool(has_both) and self._resolve() and self._look_for_begin()

    def _look_for_begin(self) -> bool:
        """Skip the records before both sides match. Return False if more records are needed to find that place."""
        known = Known(self._cut, self._skips_inputs, self.covered, self._complete)
        while not self.aligned and (self._cut or self._skips_inputs) and self._inputs and self._outputs:
            if not self._complete and len(self._inputs) + len(self._outputs) < self._try_again_at:
                return False
            skip = find_begin(self._inputs.records, self._outputs.records, known)
            if skip is None:
                self._wait()
                return False
            self._try_again_at = 0
            if skip == (0, 0):
                break
            self._latest_skipped = max(
                [self._latest_skipped, *(record.timestamp or 0 for record in self._outputs.records[: skip.outputs])]
            )
            self.set_aside("skipped", inputs=skip.inputs, outputs=skip.outputs)
        return True

    def _take_equal(self) -> None:
        """Drop what is equal on both sides: nearly every record ends here."""
        inputs, outputs = self._inputs.records, self._outputs.records
        count = min(len(inputs), len(outputs))
        if inputs[:count] != outputs[:count]:
            count = next(at for at, (one, other) in enumerate(zip(inputs, outputs, strict=False)) if one != other)
        if count:
            self._ledger.right(inputs[:count])
            self._last_offset = self._inputs.offsets[count - 1]
            self._inputs.drop(count)
            self._outputs.drop(count)
            self.aligned = True

    def _resolve(self) -> bool:
        """Handle a difference. Return False if more records are needed."""
        count = len(self._inputs) + len(self._outputs)
        if not self._complete and count < self._try_again_at:
            return False
        self._try_again_at = 0
        if self._retime(_NEAR) or self._take_repeats():
            return True
        anchor = find_anchor(self._inputs.records, self._outputs.records)
        if anchor is None and not self._must_judge():
            self._wait()
            return False
        if not self._retime(max(anchor) if anchor else WINDOW):
            self._close_gap(*(anchor or self._unmatched_sizes()))
        return True

    def _must_judge(self) -> bool:
        """Whether to count the records though nothing matches."""
        has_outputs = self.ending or len(self._outputs) >= WINDOW
        is_full = (has_outputs and len(self._inputs) >= WINDOW) or (self.covered and len(self._outputs) >= WINDOW)
        return self._complete or is_full

    def _wait(self) -> None:
        """Do not search again before there are an eighth more records."""
        count = len(self._inputs) + len(self._outputs)
        self._try_again_at = count + count // 8 + 1

    def _unmatched_sizes(self) -> tuple[int, int]:
        """How many records of each side to count if nothing in the window matches."""
        inputs, outputs = self._inputs.records, self._outputs.records
        if self.covered and (len(inputs) < WINDOW or (len(outputs) < WINDOW and len(inputs) < 2 * WINDOW)):
            return self._inputs_of_the_rest(), len(outputs)
        half = WINDOW // 2
        pairs = zip(inputs[:half], outputs[:half], strict=False)
        if self._may_pair() and (changed := sum(1 for _ in takewhile(lambda pair: alike(*pair), pairs))):
            return changed, changed
        begin_in, begin_out = inputs[0].timestamp, outputs[0].timestamp
        inputs_are_older = begin_in is None or begin_out is None or begin_in <= begin_out
        return (half, 0) if inputs_are_older and (self.aligned or self._skips_inputs) else (0, half)

    def _inputs_of_the_rest(self) -> int:
        """The least number of inputs of the remaining outputs."""
        found = set(self._outputs.records)
        inputs = self._inputs.records[: 2 * WINDOW]
        equal = [at for at, record in enumerate(inputs) if record in found]
        near = pair_alike(inputs[: len(found) + _NEAR], self._outputs.records) if self._may_pair() else []
        return 1 + max([-1, *equal, *(before for before, _ in near)])

    def _take_repeats(self) -> bool:
        """Drop the first outputs that repeat earlier ones and are not expected next."""
        repeats = takewhile(lambda one: self._ledger.repeats(one) and not self._is_ahead(one), self._outputs.records)
        count = sum(1 for _ in repeats)
        self._ledger.duplicated(self._outputs.offsets[:count])
        self._outputs.drop(count)
        return count > 0

    def _is_ahead(self, record: Record) -> bool:
        """Whether an equal input waits."""
        if len(self._last_at) > 10 * WINDOW:
            self._last_at, self._indexed = {}, 0
        begin, end = self._inputs.taken, self._inputs.taken + len(self._inputs)
        for at in range(max(begin, self._indexed), end):
            self._last_at[hash(self._inputs.records[at - begin])] = at
        self._indexed = end
        return self._last_at.get(hash(record), -1) >= begin

    def _close_gap(self, inputs: int, outputs: int) -> None:
        """Count these first records of each side."""
        unmatched, begun = self._missing_offsets(inputs), self.aligned
        due = self._inputs.records[: inputs + 1]
        expected, found = self._inputs.take(inputs), self._outputs.take(outputs)
        if not self.aligned:
            records = [record for _, record in found]
            skipped = first_due(due, records) if self._skips_inputs else 0
            self._set_aside["skipped"] += min(skipped, inputs)
            expected, due = expected[skipped:], due[skipped:]
            begun = not (self._cut or self._compacted) and any(resembles(due[0], record) for record in records if due)
            self._latest_skipped = max([self._latest_skipped, *(record.timestamp or 0 for record in records)])
        if self._ledger.judge(expected, found, begun=begun, may_pair=self._may_pair(), unmatched=unmatched):
            self.aligned = True
        if expected:
            self._last_offset = expected[-1][0]

    def _may_pair(self) -> bool:
        """Whether an output may be wrong: the first ones may belong to missing inputs."""
        return self.aligned or not self._cut

    def _missing_offsets(self, inputs: int) -> int:
        """How many offsets are missing before and among the first inputs, and before the next one."""
        if not self._compacted or not self._inputs:
            return 0
        if self._last_offset is None:
            return len(self._outputs)  # before the first one, any number
        last = min(inputs, len(self._inputs) - 1)
        return self._inputs.offsets[last] - self._last_offset - 1 - last
