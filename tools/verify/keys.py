"""Holds an output topic against an input topic with another number of partitions: only equal keys keep their order.

Which output partition a record without a key goes to is chance, and how the input partitions mix in it, too. So records
are matched by the digest of all that is compared (64 bits, with a secret key), whichever side comes first. What is kept
of a record is its digest and its place, until it is matched; at most OPEN of them wait on each side. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from tools.verify.cases import HISTORY, History
from tools.verify.findings import Findings
from tools.verify.gap import Record
from tools.verify.spans import Spans
from tools.verify.waiting import Open, Waiting

OPEN = 1_000_000
"""Records that may wait on each side: the input is read no further ahead, and the oldest output is given up."""

_PLACES = 131_072  # of the last record by its key; keys that share both partitions and one of these are in order, too


class KeyedComparison:
    """Compares two topics by the records' keys.

    Args:
        sources: how many partitions the input topic has.
        partitions: how many the output topic has.
        compacted: whether outputs may lack their inputs.
        cut: the partitions of the input whose first records are left out or gone, and when what is left of them begins.
        late: the partitions of the output in which the first inputs' outputs may be gone, or were never made.
    """

    def __init__(
        self,
        sources: int,
        partitions: int,
        *,
        compacted: bool = False,
        cut: Mapping[int, int] | None = None,
        late: Iterable[int] = (),
    ) -> None:
        self._partitions, self._compacted, self._late = partitions, compacted, frozenset(late)
        self._spans = Spans(partitions, cut or {}, self._late)
        self._places = max(1, _PLACES // (sources * partitions))
        self._missing, self._extra = Waiting(), Waiting()
        self._waiting_in: Counter[int] = Counter()
        self._history = History(HISTORY)
        self._findings: defaultdict[int, Findings] = defaultdict(Findings)
        self._last_of_key: dict[tuple[int, int, int], tuple[int, int]] = {}

    @property
    def waiting(self) -> tuple[int, int]:
        """How many inputs and outputs wait for their other side."""
        return self._missing.count, self._extra.count

    def waiting_of(self, partition: int) -> int:
        """How many inputs of a partition wait."""
        return self._waiting_in[partition]

    def wants_input(self, *, more_outputs: bool) -> bool:
        """Whether to read inputs next, not outputs: neither side is to get far ahead of the other."""
        waiting_in, waiting_out = self.waiting
        is_behind = waiting_in <= waiting_out or waiting_out >= OPEN // 2 or not more_outputs
        return waiting_out > 0 and is_behind and self._has_room()

    def add_inputs(self, partition: int, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """Take the next inputs of a partition as what is expected of them; a timestamp of 0 stands for any."""
        for offset, record in zip(offsets, records, strict=True):
            digest = hash(record)
            key = None if record.key is None else hash(record.key)
            target = None if record.key is None else target_of(record.key, self._partitions)
            timeless = None if record.timestamp else _timeless(record)
            one = Open(partition, offset, record.timestamp, key, target, timeless)
            if other := self._extra.pop(digest):
                self._match(one, other, digest)
            else:
                self._missing.add(digest, one)
                self._waiting_in[partition] += 1

    def add_outputs(self, partition: int, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """Take the next outputs of a partition."""
        for offset, record in zip(offsets, records, strict=True):
            digest = hash(record)
            key = None if record.key is None else hash(record.key)
            one = Open(partition, offset, record.timestamp, key, None, _timeless(record))
            if other := self._missing.pop(digest):
                self._waiting_in[other.partition] -= 1
                self._match(other, one, digest)
            else:
                self._extra.add(digest, one)
        if self._extra.count > OPEN:
            for digest, one in self._extra.oldest(self._extra.count - OPEN):
                self._findings[one.partition].add(self._extra_kind(one, digest), one.offset)

    def findings(self) -> dict[int, Findings]:
        """What was found: what concerns inputs by the input's partition, what concerns outputs by the output's."""
        found = defaultdict(Findings, {number: one.copy() for number, one in self._findings.items()})
        missing = sorted((one for _, one in self._missing), key=lambda one: (one.partition, one.offset))
        without_time: Counter[int | None] = Counter(one.timeless for one in missing if one.timeless is not None)
        wrong: Counter[int | None] = Counter()
        timed: Counter[int | None] = Counter()
        for digest, extra in self._extra:
            if timed[extra.timeless] < without_time[extra.timeless]:
                timed[extra.timeless] += 1
                continue
            kind = self._extra_kind(extra, digest)
            found[extra.partition].add(kind, extra.offset)
            if kind == "wrong":
                wrong[extra.key] += 1
        for one in missing:
            if one.timeless is not None and timed[one.timeless]:
                timed[one.timeless] -= 1
                found[one.partition].counts["checked"] += 1
                continue
            kind = self._missing_kind(one)
            if kind == "lost" and wrong[one.key]:
                wrong[one.key] -= 1  # the wrong one is its output
            else:
                found[one.partition].add(kind, one.offset)
        strays = not self._spans and missing and not all(self._spans.is_of_gone(extra) for _, extra in self._extra)
        for findings in found.values():
            findings.cannot_align = bool(strays) and findings.counts["skipped"] > 0
            findings.examples = {fault: sorted(offsets) for fault, offsets in findings.examples.items()}
        return dict(found)

    def _has_room(self) -> bool:
        """Whether more inputs may wait; where the first ones may lack their outputs, the oldest need not any more."""
        if self._late and self._missing.count >= OPEN:
            for digest, one in self._missing.oldest(OPEN // 10):
                if self._spans.lacks_output(one):
                    self._waiting_in[one.partition] -= 1
                    self._findings[one.partition].add("skipped", one.offset)
                else:
                    self._missing.add(digest, one)
        return self._missing.count < OPEN

    def _match(self, one: Open, found: Open, digest: int) -> None:
        """Count an input whose output was found."""
        self._history.add({digest})
        self._spans.add(one, found)
        if one.target not in {None, found.partition}:
            self._findings[found.partition].add("wrong", found.offset)
        elif one.key is not None and self._is_overtaken(one, found) and not self._spans.is_at_border(one, found):
            self._findings[one.partition].add("reordered", one.offset)
        else:
            self._findings[one.partition].counts["checked"] += 1

    def _is_overtaken(self, one: Open, found: Open) -> bool:
        """Whether a record of this key is on the other side of it in the output than in the input."""
        assert one.key is not None
        place = (one.partition, found.partition, one.key % self._places)
        before = self._last_of_key.get(place)
        if before is None or one.offset > before[0]:
            self._last_of_key[place] = (one.offset, found.offset)
        return before is not None and (one.offset > before[0]) != (found.offset > before[1])

    def _missing_kind(self, one: Open) -> str:
        """What an input is whose output was not found."""
        if not self._spans.is_passed(one):
            return "pending"
        return "skipped" if self._spans.lacks_output(one) else "lost"

    def _extra_kind(self, extra: Open, digest: int) -> str:
        """What an output is whose input was not found."""
        if digest in self._history and not self._spans.repeats_gone(extra):
            return "duplicated"
        return "skipped" if self._compacted or self._spans.lacks_input(extra) else "wrong"


def _timeless(record: Record) -> int:
    return hash((record.key, record.value, record.headers))


@lru_cache(maxsize=65_536)
def target_of(key: bytes, partitions: int) -> int:
    """The partition that the producer's partitioner, murmur2_random, gives to a key (Kafka's Utils.murmur2)."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    digest = (0x9747B28C ^ len(key)) & mask
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * factor & mask
        digest = (digest * factor & mask) ^ ((word ^ word >> 24) * factor & mask)
    if rest := key[whole:]:
        digest = (digest ^ int.from_bytes(rest, "little")) * factor & mask
    digest = (digest ^ digest >> 13) * factor & mask
    return ((digest ^ digest >> 15) & 0x7FFFFFFF) % partitions
