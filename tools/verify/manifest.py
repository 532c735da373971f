"""Compares the output topic with a manifest of the login generator: `verify --manifest FILE`.

The generator states what it sent and what must become of it, so nothing here knows the transforms: a mistake in them is
found, too.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from confluent_kafka import Message

from runtime.errors import Failed, Misconfigured
from runtime.loop.headers import headers_of
from tools.verify.cases import HISTORY
from tools.verify.comparison import Comparison
from tools.verify.findings import Findings
from tools.verify.gap import WINDOW, Headers, Record
from tools.verify.topics import TopicPair
from tools.verify.untagged import untag

_HEADER = "malformed"
_UNKNOWN = b""
"""The digest of a value whose input cannot be read from it. No digest equals it."""

_Place = Annotated[int, msgspec.Meta(ge=0)]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One delivered record, as tools/generator/manifest.py writes it."""

    partition: _Place
    offset: _Place
    key: str
    reason: str | None
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None


@dataclass
class ManifestPartition:
    """What the output partition must have, in this order, with the offsets of the input."""

    offsets: list[int] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


class Manifest:
    """A file of the generator, read as a whole.

    Raises:
        Misconfigured: it cannot be read, a line is wrong, or it has none.
    """

    def __init__(self, file: Path) -> None:
        self.partitions: dict[int, ManifestPartition] = defaultdict(ManifestPartition)
        self.keys: set[bytes | None] = set()
        decode = msgspec.json.Decoder(_Line).decode
        try:
            with file.open("rb") as lines:
                for number, text in enumerate(lines, 1):
                    try:
                        self._add(decode(text))
                    except ValueError as error:
                        raise Misconfigured(
                            f"{file}:{number} is no line of a manifest (--manifest): {error}"
                        ) from error
        except OSError as error:
            raise Misconfigured(f"cannot read {file} (--manifest): {error.strerror}") from error
        if not self.keys:
            raise Misconfigured(f"{file} has no lines (--manifest): the generator delivered nothing")

    def _add(self, line: _Line) -> None:
        partition, key = self.partitions[line.partition], line.key.encode()
        if partition.offsets and line.offset <= partition.offsets[-1]:
            raise ValueError(
                f"offset {line.offset} of partition {line.partition} comes after {partition.offsets[-1]}; the lines "
                "must be of one topic"
            )
        digest = None if line.digest is None else bytes.fromhex(line.digest)
        partition.offsets.append(line.offset)
        partition.records.append(Record(key, digest, None, _tag(line.reason)))
        self.keys.add(key)


class ManifestWalk:
    """The comparison of the output topic with a manifest, once, from the first record to the present end.

    Args:
        topics: the output topic is read.
        manifest: what it must have; records with other keys are skipped.
        must_stop: raises an error to end early.
    """

    is_empty = False
    """A manifest has records."""

    def __init__(self, topics: TopicPair, manifest: Manifest, must_stop: Callable[[], bool]) -> None:
        self._manifest, self._must_stop, self._target = manifest, must_stop, topics.target
        numbers = range(topics.partitions(topics.target))
        self._begins, self._ends = topics.begins(topics.target, numbers), topics.ends(topics.target, numbers)
        self._reader = topics.reader(topics.target)
        self._found: dict[int, Findings] = {}

    def size(self) -> int:
        """The number of offsets to read."""
        return sum(self._ends.values()) - sum(self._begins.values())

    def step(self, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read the output topic and compare it. Return False, as nothing new follows.

        Args:
            advance: called with numbers of records that were read.
            final: True; `--follow` is not possible.

        Raises:
            PipelineError: no broker, or interrupted.
        """
        assert final
        written = (number for number, end in self._ends.items() if end)
        for number in sorted({*self._manifest.partitions, *written}):
            self._found[number] = self._compare(number, advance)
        return False

    def all_findings(self) -> tuple[dict[int, Findings], dict[int, Findings]]:
        """The results of the output and of the dead letters, by partition. Dead letters are not read."""
        return self._found, {}

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()

    def _compare(self, number: int, advance: Callable[[int], None]) -> Findings:
        begin, end = self._begins.get(number, 0), self._ends.get(number, 0)
        comparison = Comparison(history=HISTORY // len(self._ends), skips_inputs=begin > 0)
        comparison.aligned = begin == 0
        lines, given, others = self._manifest.partitions.get(number, ManifestPartition()), 0, 0
        self._reader.begin(number, begin, end)
        while not self._reader.done:
            self._must_stop()
            messages = self._reader.read()
            if self._reader.deleted:
                place = f"{self._target.name}[{number}]@{self._reader.at}"
                raise Failed(f"{place} was deleted before it was read (retention): there is no verdict; run it again")
            own = [message for message in messages if message.key() in self._manifest.keys]
            advance(len(messages))
            others += len(messages) - len(own)
            comparison.add_outputs([message.offset() for message in own], _found(own))
            given = _give(comparison, lines, given)
        comparison.ending = True
        given = _give(comparison, lines, given)
        comparison.end()
        findings = comparison.findings()
        findings.counts["pending"] += len(lines.records) - given
        findings.counts["skipped"] += others
        return findings


def _give(comparison: Comparison, lines: ManifestPartition, given: int) -> int:
    """Pass on lines while outputs wait for theirs. Return how many the comparison has."""
    comparison.covered = given == len(lines.records)
    while comparison.waiting[1] and not comparison.covered and comparison.waiting[0] < 2 * WINDOW:
        more = slice(given, given + WINDOW)
        given = min(given + WINDOW, len(lines.records))
        comparison.covered = given == len(lines.records)
        comparison.add_inputs(lines.offsets[more], lines.records[more])
    return given


def _found(messages: list[Message]) -> list[Record]:
    """Output records as a manifest describes them."""
    all_headers = (tuple(headers) if headers else None for headers in headers_of(messages))
    return [
        Record(message.key(), _digest(message.value(), headers), None, headers)
        for message, headers in zip(messages, all_headers, strict=True)
    ]


def _digest(value: bytes | None, headers: Headers) -> bytes | None:
    """The digest of a login, or of what a tagged value was made from."""
    if value is None:
        return None
    if not headers:
        return sha256(value).digest()
    try:
        reason, original = untag(value)
    except ValueError:
        return _UNKNOWN
    return sha256(original).digest() if headers == _tag(reason) else _UNKNOWN


def _tag(reason: str | None) -> Headers:
    return None if reason is None else ((_HEADER, reason.encode()),)
