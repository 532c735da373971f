"""Counts records that are missing or additional, and corrects the counts if they appear later. It does no I/O."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.verify.findings import Findings
from tools.verify.gap import Record, pair_alike, sort_gap

HISTORY = 500_000
"""How many of the latest records, over all partitions, are searched for a duplicate."""

OPEN_CASES = 20_000
"""How many lost or extra records of a partition, the latest ones, may still appear on the other side."""

Numbered = tuple[int, Record]
"""A record and its offset."""


@dataclass(eq=False, slots=True)
class UnmatchedRecord:
    """A record on one side only. `kind` is what it is counted as unless it appears on the other side."""

    kind: str
    offset: int
    digest: int
    partner: "UnmatchedRecord | None" = None
    """The other side's record in its place: the input is not lost, but its output is wrong."""

    def count(self, findings: Findings) -> None:
        """Count it as its present kind."""
        if self.kind != "lost" or self.partner is None:
            findings.add(self.kind, self.offset)


class UnmatchedRecords:
    """The latest unmatched records of one side, by digest."""

    def __init__(self) -> None:
        self._by_digest: OrderedDict[int, list[UnmatchedRecord]] = (
            OrderedDict()
        )  # finding the first key of a dict is slow
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: int) -> bool:
        return digest in self._by_digest

    def __iter__(self) -> Iterator[UnmatchedRecord]:
        return (case for cases in self._by_digest.values() for case in cases)

    def add(self, case: UnmatchedRecord) -> UnmatchedRecord | None:
        """Add a record, and return the oldest if there are too many."""
        self._by_digest.setdefault(case.digest, []).append(case)
        self._count += 1
        return self._pop(next(iter(self._by_digest))) if self._count > OPEN_CASES else None

    def solve(self, digest: int) -> UnmatchedRecord | None:
        """Remove and return the first record with this digest, if any, and separate it from its partner."""
        if digest not in self._by_digest:
            return None
        case = self._pop(digest)
        if case.partner:
            case.partner.partner = None
        return case

    def known(self, digests: set[int]) -> set[int]:
        """Which of these digests are unmatched."""
        return self._by_digest.keys() & digests

    def _pop(self, digest: int) -> UnmatchedRecord:
        cases = self._by_digest[digest]
        case = cases.pop(0)
        if not cases:
            del self._by_digest[digest]
        self._count -= 1
        return case


class History:
    """The digests of the latest matched records: a record that repeats one is a duplicate."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: set[int] = set()
        self._old: set[int] = set()

    def add(self, digests: set[int]) -> None:
        """Add digests. Beyond the limit, the oldest are removed."""
        self._young |= digests
        if len(self._young) > self._half:
            self._old, self._young = self._young, set()

    def __contains__(self, digest: int) -> bool:
        return digest in self._young or digest in self._old


class Ledger:
    """The counts and the unmatched records of one partition.

    Digests are Python's hashes, 64 bits with a secret key. They only decide the kind of a fault: records are compared
    as a whole.
    """

    def __init__(self, history: int) -> None:
        self._findings = Findings()
        self._history = History(history)
        self._missing, self._extra = UnmatchedRecords(), UnmatchedRecords()

    def findings(self) -> Findings:
        """The counts so far. Unmatched records are counted as their present kind."""
        found = self._findings.copy()
        for case in (*self._missing, *self._extra):
            case.count(found)
        found.examples = {fault: sorted(offsets) for fault, offsets in found.examples.items()}
        return found

    def right(self, records: Sequence[Record]) -> None:
        """Count records in their place. An earlier extra record that equals one of them was a duplicate."""
        self._findings.counts["checked"] += len(records)
        digests = set(map(hash, records))
        self._history.add(digests)
        for digest in self._extra.known(digests) if self._extra else ():
            while case := self._extra.solve(digest):
                self._findings.add("duplicated", case.offset)

    def repeats(self, record: Record) -> bool:
        """Whether an equal record was matched before, and none is missing."""
        return hash(record) in self._history and hash(record) not in self._missing

    def duplicated(self, offsets: Sequence[int]) -> None:
        """Count outputs that repeat earlier ones."""
        for offset in offsets:
            self._findings.add("duplicated", offset)

    def judge(
        self, inputs: Sequence[Numbered], outputs: Sequence[Numbered], *, begun: bool, may_pair: bool, unmatched: int
    ) -> bool:
        """Count the records of a gap. Return whether any of its outputs belongs to any of its inputs.

        Args:
            inputs: the expected records.
            outputs: the records found.
            begun: whether the pipeline wrote the outputs; earlier ones are skipped.
            may_pair: whether an output may belong to an input that it only resembles.
            unmatched: how many outputs may have no input any more.
        """
        gap = sort_gap([record for _, record in inputs], [record for _, record in outputs])
        self.right([inputs[before][1] for before, _ in gap.in_place])
        for before, _ in gap.moved:
            self._reordered(*inputs[before])
        unexplained = [at for at in gap.extra if not self._is_explained(*outputs[at])]
        extra = [outputs[at] for at in unexplained]
        missing = [inputs[at] for at in gap.missing if not self._came_early(*inputs[at])]
        pairs = dict(pair_alike([record for _, record in missing], [record for _, record in extra])) if may_pair else {}
        if begun:
            left_in = (at for at in range(len(missing)) if at not in pairs)
            taken = set(pairs.values())
            left_out = [at for at in range(len(extra)) if at not in taken][
                : max(0, len(extra) - len(taken) - unmatched)
            ]
            pairs |= dict(zip(left_in, left_out, strict=False))
        else:
            first = min((after for _, after in (*gap.in_place, *gap.moved)), default=len(outputs))
            taken = set(pairs.values())
            unmatched += sum(at < first for number, at in enumerate(unexplained) if number not in taken)
        self._open(missing, extra, pairs, unmatched)
        return bool(gap.in_place or gap.moved or pairs)

    def _open(
        self, missing: Sequence[Numbered], extra: Sequence[Numbered], pairs: dict[int, int], skipped: int
    ) -> None:
        cases = []
        in_place = set(pairs.values())
        for at, (offset, record) in enumerate(extra):
            may_skip = at not in in_place and skipped > 0
            skipped -= may_skip
            cases.append(UnmatchedRecord("skipped" if may_skip else "wrong", offset, hash(record)))
            self._close(self._extra.add(cases[-1]))
        for at, (offset, record) in enumerate(missing):
            case = UnmatchedRecord("lost", offset, hash(record))
            if at in pairs:
                case.partner = cases[pairs[at]]
                case.partner.partner = case
            self._close(self._missing.add(case))

    def _close(self, case: UnmatchedRecord | None) -> None:
        if case:
            case.count(self._findings)

    def _is_explained(self, offset: int, record: Record) -> bool:
        """Whether an extra output is late or a duplicate."""
        if case := self._missing.solve(hash(record)):
            self._reordered(case.offset, record)
            return True
        if hash(record) in self._history:
            self._findings.add("duplicated", offset)
            return True
        return False

    def _came_early(self, offset: int, record: Record) -> bool:
        """Whether a missing input's output was an earlier extra one."""
        if not self._extra.solve(hash(record)):
            return False
        self._reordered(offset, record)
        return True

    def _reordered(self, offset: int, record: Record) -> None:
        self._findings.add("reordered", offset)
        self._history.add({hash(record)})
