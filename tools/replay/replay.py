"""Reads the dead letters that were not sent back yet, decides about each, and sends batches of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from confluent_kafka import TopicPartition
from loguru import logger

from runtime.connect.timestamp_limits import TimestampLimits
from runtime.errors import Failed, Misconfigured, Replaced
from runtime.loop.output_record import TIME_OF_PRODUCING, record_size
from runtime.stop.signals import stop_request
from tools.replay.edits import Edits
from tools.replay.letters import Letter, letter_of
from tools.replay.open_offsets import FullError, OpenOffsets, is_of_topic
from tools.replay.report import Outcome, ReplayReport
from tools.replay.sender import Outgoing, ReplaySender
from tools.replay.topics import DeadLetterTopics
from tools.tail.records import TopicReader, TopicRecord
from transforms import Reason

BATCH = 1_000
"""The most records of a transaction, or fewer if --rate allows fewer in a second."""

_BATCH_BYTES = 16_777_216
_READ_BYTES = 8_388_608
_Key = tuple[str, int]
"""A reason, and a partition of the dead-letter topic."""


@dataclass(frozen=True)
class ReplayOptions:
    """What the command line asks for."""

    reasons: frozenset[str]
    limit: int | None
    max_attempts: int
    batch: int = BATCH
    edits: Edits | None = None


class Replay:
    """One replay.

    Args:
        topics: the two.
        options: which dead letters to send.
        sender: sends them; without one, nothing is changed. It has started: what was committed is read after that.
    """

    def __init__(self, topics: DeadLetterTopics, options: ReplayOptions, sender: ReplaySender | None) -> None:
        self._topics, self._options, self._sender = topics, options, sender
        self._groups = {str(reason): f"{topics.group}-replay-{reason}" for reason in Reason}
        self._timestamps = TimestampLimits(topics.source.config)
        self._edits = dict(options.edits or {})
        self._batch: list[tuple[Outgoing, Letter]] = []
        self._batch_bytes = self._sent = 0
        self._at: dict[int, int] = {}
        self.report = ReplayReport(topics.dead_letter.name, topics.source.name, is_dry_run=sender is None)
        self._numbers = range(topics.partitions(topics.dead_letter))
        self._stored = self._committed()  # first: none is above the ends then
        self._begins, self._ends = (ask(topics.dead_letter, self._numbers) for ask in (topics.begins, topics.ends))
        self._open = self._open_offsets()

    def size(self) -> int:
        """The number of offsets to read."""
        return sum(max(0, end - begin) for _, begin, end in self._ranges())

    def run(self, advance: Callable[[], object]) -> None:
        """Send the dead letters, until a signal asks to stop.

        Args:
            advance: called for each record that was read.

        Raises:
            PipelineError: what was not committed is not sent.
        """
        is_full = False
        try:
            for record in self._records():
                self._visit(record)
                advance()
                if self._sent == self._options.limit or stop_request.requested:
                    break
        except FullError:
            is_full = True
        self._send((reason, number) for reason in self._options.reasons for number in self._at)
        self._note_edits()
        if is_full:
            raise Failed(
                "the progress of a reason is full: too many dead letters were left between those that were sent; send "
                "them with a higher --max-attempts or corrected with --edit, or move the offset of the group "
                "<group>-replay-<reason> past them with kafka-consumer-groups"
            )
        self.report.is_complete = not stop_request.requested

    def _committed(self) -> dict[tuple[str, int], tuple[int, str]]:
        """The committed offsets with their metadata, by group and partition."""
        found = self._topics.committed(list(self._groups.values()), self._numbers)
        return {key: (place.offset, place.metadata or "") for key, place in found.items()}

    def _open_offsets(self) -> dict[_Key, OpenOffsets]:
        """What was not sent back yet. Lines on standard error say what is not known any more."""
        found: dict[_Key, OpenOffsets] = {}
        notices: dict[str, set[str]] = defaultdict(set)
        for (reason, group), (number, begin) in product(self._groups.items(), self._begins.items()):
            offset, metadata = self._stored[group, number]
            try:
                found[reason, number] = OpenOffsets(max(0, offset), metadata)
            except ValueError:
                raise Failed(
                    f"the offset of the group {group} for {self._place(number, offset)} has metadata that replay does "
                    "not know; commit another one with kafka-consumer-groups"
                ) from None
            text = ""
            if offset > self._ends[number] or not is_of_topic(metadata, self._topics.dead_letter.topic_id):
                text = "the topic was deleted and created again since the last replay: beginning at its beginning"
                found[reason, number] = OpenOffsets(begin)
            elif offset < 0 and self._ends[number] > begin:
                text = "no committed progress: beginning at the earliest dead letter"
            elif 0 <= offset < begin:
                text = f"dead letters before {self._place(number, begin)} have expired since the last replay"
            if text and reason in self._options.reasons:
                notices[text].add(reason)
        for text, reasons in notices.items():
            whose = "" if reasons == self._options.reasons else f" ({', '.join(sorted(reasons))})"
            logger.info("{}{}: {}", self.report.dead_letter, whose, text)
        return found

    def _place(self, number: int, offset: int) -> str:
        return f"{self.report.dead_letter}[{number}]@{offset}"

    def _ranges(self) -> Iterator[tuple[int, int, int]]:
        """The partitions to read, each with the first offset and the one after the last."""
        for number, end in self._ends.items():
            listed = [offset for partition, offset in self._options.edits or () if partition == number]
            if self._options.edits is None:
                first = min(self._open[reason, number].first for reason in self._options.reasons)
                yield number, max(self._begins[number], first), end
            elif listed:
                yield number, max(self._begins[number], min(listed)), min(end, max(listed) + 1)

    def _records(self) -> Iterator[TopicRecord]:
        reader = TopicReader(self._topics, self._topics.dead_letter)
        for number, at, end in self._ranges():
            if self._options.edits is not None:
                for reason in self._groups:
                    self._open[reason, number].begin(at)
            self._at[number] = at
            while self._at[number] < end:
                records, after = reader.some(number, self._at[number], end, _READ_BYTES)
                yield from records
                self._at[number] = after

    def _visit(self, record: TopicRecord) -> None:
        """Decide about a record, and send the batch if it is full."""
        self._at[record.partition] = record.offset + 1
        letter = letter_of(record, self.report.source)
        if letter is None:
            self.report.foreign += 1
            return
        is_listed = (record.partition, record.offset) in self._edits
        outgoing = self._outgoing(letter, self._edits.pop((record.partition, record.offset), record.value))
        offsets = self._open[letter.reason, record.partition]
        outcome = self._outcome(letter, outgoing, is_listed=is_listed) if record.offset in offsets else None
        if outcome is Outcome.SENT:
            offsets.send()
            self._batch.append((outgoing, letter))
            self._batch_bytes += len(record.value or b"")
            self._sent += 1
            if len(self._batch) >= self._options.batch or self._batch_bytes >= _BATCH_BYTES:
                self._send({(one.reason, one.record.partition) for _, one in self._batch})
            return
        if is_listed:
            self.report.edits[outcome or "sent before"].append(record.place)
        if outcome is not None:
            self.report.note(outcome, letter)
            if outcome is not Outcome.STUB:
                offsets.leave(record.offset)

    def _outgoing(self, letter: Letter, value: bytes | None) -> Outgoing:
        self._timestamps.update()
        timestamp = max(TIME_OF_PRODUCING, letter.record.timestamp)
        if self._timestamps.refuses(timestamp):
            timestamp = TIME_OF_PRODUCING
        return Outgoing(letter.record.place, letter.partition, letter.record.key, value, timestamp, letter.headers())

    def _outcome(self, letter: Letter, outgoing: Outgoing, *, is_listed: bool) -> Outcome:
        """What to do with a dead letter that was not sent back yet.

        Raises:
            Misconfigured: the input topic lacks its partition.
        """
        if letter.reason not in self._options.reasons or (self._options.edits is not None and not is_listed):
            return Outcome.NOT_ASKED
        if letter.is_stub:
            return Outcome.STUB
        if letter.attempts >= self._options.max_attempts:
            return Outcome.ATTEMPTS
        if record_size(outgoing.key, outgoing.value, outgoing.headers) > self._topics.source.max_message_bytes:
            return Outcome.TOO_LARGE
        if letter.partition >= self._topics.source.partitions:
            raise Misconfigured(
                f"the input topic has too few partitions ({self._topics.source.partitions}) for the dead letter "
                f"{outgoing.place}, which came from {letter.origin}: add partitions to it"
            )
        return Outcome.SENT

    def _send(self, keys: Iterable[_Key]) -> None:
        """Send the batch, and commit the progress of these reasons and partitions."""
        if self._sender is not None:
            progress: dict[str, list[TopicPartition]] = defaultdict(list)
            for reason, number in keys:
                offset, metadata = self._open[reason, number].committed(
                    self._at[number], self._topics.dead_letter.topic_id
                )
                place = TopicPartition(self.report.dead_letter, number, offset, metadata)
                progress[self._groups[reason]].append(place)
                self._stored[self._groups[reason], number] = offset, metadata
            may_repeat = self._sender.send([one for one, _ in self._batch], progress)
        for _, letter in self._batch:
            self.report.note(Outcome.SENT, letter)
        self._batch.clear()
        self._batch_bytes = 0
        if self._sender is not None and may_repeat:
            self._sender.renew()
            if self._committed() != self._stored:
                raise Replaced("another replay of the same group has begun: this one has ended")

    def _note_edits(self) -> None:
        """Report the listed places that have no dead letter, or were not reached because of --limit or a signal."""
        for number, offset in sorted(self._edits):
            is_read = offset < max(self._at.get(number, 0), self._begins.get(number, 0))
            is_absent = is_read or offset >= self._ends.get(number, 0)
            self.report.edits["no dead letter there" if is_absent else "not reached"].append(
                self._place(number, offset)
            )
