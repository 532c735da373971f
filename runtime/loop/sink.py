"""The last step of the dataframe: produces each record, and its dead letter, to the partition that it came from."""

import time
from collections.abc import Callable
from typing import Any, NoReturn

from confluent_kafka import KafkaError, KafkaException, Producer
from quixstreams.core.stream import VoidExecutor
from quixstreams.core.stream.functions import StreamFunction

from runtime import limits
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop.batches import Batches
from runtime.loop.dead_letters import DeadLetters
from runtime.loop.output_record import Headers, Output
from runtime.loop.quix import QuixProducer
from runtime.observe.counters import Totals
from transforms import Malformed


class Sink(StreamFunction):
    """A step of the dataframe that produces to the output topic, and to the dead-letter topic if there is one.

    Quix's public `frame.sink(BaseSink)` could do this. It costs 0.5 us more per record (1.8 us instead of 1.3 us from
    the input value to the call of produce, with a fake producer), as it reads topic, partition and offset each time.
    """

    def __init__(
        self, target: TopicFacts, batches: Batches, totals: Totals, dead_letter: TopicFacts | None = None
    ) -> None:
        super().__init__(_not_connected)
        self.topic, self.totals = target.name, totals
        self._output = Output(target, totals)
        self._dead_letters = DeadLetters(dead_letter) if dead_letter else None
        self._timestamps = [self._output.timestamps, *([self._dead_letters.timestamps] if self._dead_letters else [])]
        self._batches = batches
        self._quix: QuixProducer
        self.producer: Producer
        self._produce: Callable[..., None]

    def update_timestamps(self) -> None:
        """Move the ranges of timestamps that the topics accept to the current time."""
        for accepted in self._timestamps:
            accepted.update()

    def widen_margins(self) -> bool:
        """Double the margins of these ranges, or return False if no margin can be wider."""
        return any([accepted.widen_margin() for accepted in self._timestamps])  # noqa: C419  (each is to be widened)

    def connect(self, quix: QuixProducer, producer: Producer) -> None:
        """Set the producer, and whose delivery errors to raise. Called before the loop, and for each new producer."""
        self.totals.producers_started += 1
        self._quix = quix
        self.producer = producer
        self._produce = producer.produce

    def get_executor(self, *_child_executors: VoidExecutor) -> VoidExecutor:
        """Return the function that produces a record. Quix calls this for each step, and no step follows this one."""
        topic, output, batches = self.topic, self._output, self._batches
        max_plain_bytes, timestamps = output.max_plain_bytes, output.timestamps
        sent = 0
        self.totals.sent = lambda: sent

        def send(value: bytes | Malformed, key: bytes | None, timestamp: int, headers: Headers | None) -> None:
            nonlocal sent
            record = batches.current
            produced: bytes | None
            if (
                headers
                or isinstance(value, Malformed)
                or (size := len(value)) + (len(key) if key else 0) > max_plain_bytes
                or not timestamps.oldest <= timestamp <= timestamps.newest
            ):
                own = key, timestamp, headers
                produced, timestamp, headers, malformed = output.build(value, *own, record)
                sent += len(produced or b"")
                if malformed and self._dead_letters:
                    self._produce_dead_letter(self._dead_letters, malformed, *own)
            else:
                produced = value
                sent += size
            try:
                self._produce(topic, produced, key, record.partition(), None, None, timestamp, headers)
            except (BufferError, KafkaException) as error:
                self._produce_later(error, topic, produced, key, record.partition(), None, None, timestamp, headers)

        return send

    def _produce_dead_letter(
        self,
        dead_letters: DeadLetters,
        malformed: Malformed,
        key: bytes | None,
        timestamp: int,
        headers: Headers | None,
    ) -> None:
        """Produce the original of the current record."""
        record = self._batches.current
        value, key, timestamp, headers = dead_letters.build(malformed, key, timestamp, headers, record)
        produced = (dead_letters.topic, value, key, record.partition(), None, None, timestamp, headers)
        try:
            self._produce(*produced)
        except (BufferError, KafkaException) as error:
            self._produce_later(error, *produced)
        self.totals.dead_letters.uncommitted += 1

    def _produce_later(self, error: Exception, *record: Any) -> None:  # noqa: ANN401  (what produce takes)
        """Produce once there is room in the queue, or once the topic has the partition."""
        since = time.monotonic()
        room_wait = limits.FLUSH_TIMEOUT if self._quix.transactional else limits.QUEUE_ROOM_TIMEOUT
        while time.monotonic() < since + (
            limits.PARTITION_METADATA_TIMEOUT if isinstance(error, KafkaException) else room_wait
        ):
            if isinstance(error, KafkaException):
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    self._raise_cause(error)
                self.producer.list_topics(record[0], timeout=limits.PARTITION_METADATA_TIMEOUT)
            self.producer.poll(limits.QUEUE_ROOM_PAUSE if isinstance(error, BufferError) else 0.1)
            self._quix.raise_for_error()
            try:
                self.producer.produce(*record)
            except (BufferError, KafkaException) as again:
                since = since if type(again) is type(error) else time.monotonic()
                error = again.with_traceback(None)  # it would keep this frame, and so the batch, until the next gc
            else:
                return
        if isinstance(error, KafkaException):
            raise Misconfigured(
                f"the input topic has a partition {record[3]} that the {self._kind(record[0])} topic {record[0]!r} "
                "lacks: add partitions to it until it has as many"
            )
        raise OutputTooSlow(f"the broker took no record for {room_wait:.0f} s")

    def _kind(self, topic: str) -> str:
        return "output" if topic == self.topic else "dead-letter"

    def _raise_cause(self, error: KafkaException) -> NoReturn:
        """Raise the first error of a producer that refuses all records. Its own error does not say why."""
        self.producer.poll(0)
        self._quix.raise_for_error()
        if self._quix.transactional:
            self.producer.begin_transaction()  # also refused, with the error of the open transaction
        raise error


def _not_connected(*_: object) -> None:
    raise AssertionError("the sink runs through get_executor")
