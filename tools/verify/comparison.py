"""Holds one output partition against its input partition, record by record, whatever happened to them; pure.

Records come in batches, in the order of their topic, from both sides; what is equal goes at once. Where they differ,
the nearest place is looked for at which both go on alike (gap.py), within WINDOW records; the stretch
before it is judged (cases.py). Offsets are names only: markers and aborted transactions take some, too.
"""

from collections.abc import Sequence
from functools import partial
from itertools import takewhile

from tools.verify.begin import Given, find_begin
from tools.verify.cases import HISTORY, Ledger
from tools.verify.findings import Findings
from tools.verify.gap import WINDOW, Record, alike, find_anchor, first_due, pair_alike, resembles
from tools.verify.retiming import Retiming, retime
from tools.verify.side import Side

_NEAR = 40  # an output is looked for that much further on among the inputs than outputs are left


class Comparison:
    """Compares what is expected of one input partition with what is found in the output partition.

    Args:
        history: how many records of this partition to look among for a duplicate.
        cut: whether the input begins later than the output may, so that all of it may be gone.
        skips_inputs: whether the first inputs may lack their outputs: those of before the pipeline began, or expired.
        compacted: whether outputs may lack their inputs wherever input offsets are missing.
        retiming: what to expect of an input whose timestamp the output topic refuses.
    """

    def __init__(
        self,
        *,
        history: int = HISTORY,
        cut: bool = False,
        skips_inputs: bool = False,
        compacted: bool = False,
        retiming: Retiming | None = None,
    ) -> None:
        self.covered = False
        """Whether every input that the outputs given so far can have been made of has been given, too."""
        self.ending = False
        """Whether every output has been given or soon will be: what is left need not wait for more of them."""
        self.aligned = False
        """Whether the output is known to belong to this input: from here on, none without an input is skipped."""
        self._inputs, self._outputs = Side(), Side()
        self._ledger = Ledger(history)
        self._cut, self._skips_inputs, self._compacted = cut, skips_inputs, compacted
        self._retime = partial(retime, self._inputs, self._outputs, retiming)
        self._skipped = 0
        self._complete = False
        self._last_offset: int | None = None
        self._last_at: dict[int, int] = {}
        self._indexed = 0
        self._try_again_at = 0
        self._latest_skipped = -1

    @property
    def waiting(self) -> tuple[int, int]:
        """How many inputs and outputs wait for their other side."""
        return len(self._inputs), len(self._outputs)

    def add_inputs(
        self, offsets: Sequence[int], records: Sequence[Record], values: Sequence[bytes | None] = ()
    ) -> None:
        """Take the next inputs as what is expected of them, and their values if timestamps may be refused.

        A timestamp of 0 stands for any.
        """
        self._inputs.add(offsets, records, values)
        self._advance()

    def add_outputs(self, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """Take the next outputs."""
        self._outputs.add(offsets, records)
        self._advance()

    def end(self) -> None:
        """Judge what is left: nothing follows. Inputs behind the last output stay pending."""
        self.covered = self._complete = True
        self._advance()

    def findings(self) -> Findings:
        """What was found so far."""
        found = self._ledger.findings()
        found.counts["pending"] += len(self._inputs)
        if self._complete and not self.aligned and self._outputs.taken:
            times = [record.timestamp or 0 for record in self._inputs.records]
            are_older = self._cut and min(times, default=0) >= self._latest_skipped
            found.cannot_align = bool(self._inputs.taken or times) and not are_older
        found.counts["skipped"] += self._skipped
        return found

    def _advance(self) -> None:
        goes_on = self._look_for_begin()
        while goes_on:
            self._take_equal()
            has_both = self._outputs and (self._inputs or self.covered)
            goes_on = bool(has_both) and self._resolve() and self._look_for_begin()

    def _look_for_begin(self) -> bool:
        """Leave aside what comes before both sides go on alike; False where more records must tell where that is."""
        given = Given(self._cut, self._skips_inputs, self.covered, self._complete)
        while not self.aligned and (self._cut or self._skips_inputs) and self._inputs and self._outputs:
            if not self._complete and len(self._inputs) + len(self._outputs) < self._try_again_at:
                return False
            skip = find_begin(self._inputs.records, self._outputs.records, given)
            if skip is None:
                self._wait()
                return False
            self._try_again_at = 0
            if skip == (0, 0):
                break
            self._latest_skipped = max(
                [self._latest_skipped, *(record.timestamp or 0 for record in self._outputs.records[: skip.outputs])]
            )
            self._skipped += sum(skip)
            self._inputs.drop(skip.inputs)
            self._outputs.drop(skip.outputs)
        return True

    def _take_equal(self) -> None:
        """Let go of what is equal on both sides: here nearly every record passes."""
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
        """Get over a difference; False where more records are needed to judge it."""
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
            self._close_gap(*(anchor or self._give_up()))
        return True

    def _must_judge(self) -> bool:
        """Whether to judge what there is though nothing in it is alike."""
        has_outputs = self.ending or len(self._outputs) >= WINDOW
        is_full = (has_outputs and len(self._inputs) >= WINDOW) or (self.covered and len(self._outputs) >= WINDOW)
        return self._complete or is_full

    def _wait(self) -> None:
        """Don't look again before there is an eighth more."""
        count = len(self._inputs) + len(self._outputs)
        self._try_again_at = count + count // 8 + 1

    def _give_up(self) -> tuple[int, int]:
        """How many of each side to judge where nothing within the window is alike."""
        inputs, outputs = self._inputs.records, self._outputs.records
        if self.covered and (len(inputs) < WINDOW or (len(outputs) < WINDOW and len(inputs) < 2 * WINDOW)):
            return self._last_made(), len(outputs)
        half = WINDOW // 2
        pairs = zip(inputs[:half], outputs[:half], strict=False)
        if self._may_pair() and (changed := sum(1 for _ in takewhile(lambda pair: alike(*pair), pairs))):
            return changed, changed
        begin_in, begin_out = inputs[0].timestamp, outputs[0].timestamp
        inputs_are_older = begin_in is None or begin_out is None or begin_in <= begin_out
        return (half, 0) if inputs_are_older and (self.aligned or self._skips_inputs) else (0, half)

    def _last_made(self) -> int:
        """How many inputs, at least, the outputs left at the end were made of."""
        found = set(self._outputs.records)
        inputs = self._inputs.records[: 2 * WINDOW]
        equal = [at for at, record in enumerate(inputs) if record in found]
        near = pair_alike(inputs[: len(found) + _NEAR], self._outputs.records) if self._may_pair() else []
        return 1 + max([-1, *equal, *(before for before, _ in near)])

    def _take_repeats(self) -> bool:
        """Let go of the first outputs that repeat earlier ones and are none of those expected next."""
        repeats = takewhile(lambda one: self._ledger.repeats(one) and not self._is_ahead(one), self._outputs.records)
        count = sum(1 for _ in repeats)
        self._ledger.duplicated(self._outputs.offsets[:count])
        self._outputs.drop(count)
        return count > 0

    def _is_ahead(self, record: Record) -> bool:
        """Whether an input like this waits."""
        if len(self._last_at) > 10 * WINDOW:
            self._last_at, self._indexed = {}, 0
        begin, end = self._inputs.taken, self._inputs.taken + len(self._inputs)
        for at in range(max(begin, self._indexed), end):
            self._last_at[hash(self._inputs.records[at - begin])] = at
        self._indexed = end
        return self._last_at.get(hash(record), -1) >= begin

    def _close_gap(self, inputs: int, outputs: int) -> None:
        """Judge these first records of each side."""
        unmatched, begun = self._gone(inputs), self.aligned
        due = self._inputs.records[: inputs + 1]
        expected, found = self._inputs.take(inputs), self._outputs.take(outputs)
        if not self.aligned:
            records = [record for _, record in found]
            skipped = first_due(due, records) if self._skips_inputs else 0
            self._skipped += min(skipped, inputs)
            expected, due = expected[skipped:], due[skipped:]
            begun = not (self._cut or self._compacted) and any(resembles(due[0], record) for record in records if due)
            self._latest_skipped = max([self._latest_skipped, *(record.timestamp or 0 for record in records)])
        if self._ledger.judge(expected, found, begun=begun, may_pair=self._may_pair(), unmatched=unmatched):
            self.aligned = True
        if expected:
            self._last_offset = expected[-1][0]

    def _may_pair(self) -> bool:
        """Whether an output may be wrong: the first ones may belong to inputs that are gone."""
        return self.aligned or not self._cut

    def _gone(self, inputs: int) -> int:
        """How many offsets are missing before and among the first inputs, and before the one that follows them."""
        if not self._compacted or not self._inputs:
            return 0
        if self._last_offset is None:
            return len(self._outputs)  # before the first one, any number
        last = min(inputs, len(self._inputs) - 1)
        return self._inputs.offsets[last] - self._last_offset - 1 - last
