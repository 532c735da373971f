"""The last step of the dataframe: produces each record to the partition that it came from."""

import time
from collections.abc import Callable
from typing import Any, NoReturn

from confluent_kafka import KafkaError, KafkaException, Producer
from quixstreams.core.stream import VoidExecutor
from quixstreams.core.stream.functions import StreamFunction

from runtime import limits
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop.batches import Batches
from runtime.loop.output_record import Headers, Output
from runtime.loop.quix import QuixProducer
from transforms import Malformed


class Sink(StreamFunction):
    """A step of the dataframe that produces to one topic.

    Quix's public `frame.sink(BaseSink)` could do this. It costs 0.5 us more per record (1.8 us instead of 1.3 us from
    the input value to the call of produce, with a fake producer), as it reads topic, partition and offset each time.
    """

    def __init__(self, topic: str, output: Output, batches: Batches) -> None:
        super().__init__(_not_connected)
        self.topic = topic
        self._output = output
        self._batches = batches
        self._quix: QuixProducer
        self.producer: Producer
        self._produce: Callable[..., None]

    def connect(self, quix: QuixProducer, producer: Producer) -> None:
        """Set the producer, and whose delivery errors to raise. Called before the loop, and for each new producer."""
        self._output.totals.producers_started += 1
        self._quix = quix
        self.producer = producer
        self._produce = producer.produce

    def get_executor(self, *_child_executors: VoidExecutor) -> VoidExecutor:
        """Return the function that produces a record. Quix calls this for each step; no step follows this one."""
        topic, output, batches = self.topic, self._output, self._batches
        max_plain_bytes, timestamps = output.max_plain_bytes, output.timestamps
        sent = 0
        output.totals.sent = lambda: sent

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
                produced, timestamp, headers = output.build(value, key, timestamp, headers, record)
                sent += len(produced or b"")
            else:
                produced = value
                sent += size
            try:
                self._produce(topic, produced, key, record.partition(), None, None, timestamp, headers)
            except (BufferError, KafkaException) as error:
                self._produce_later(error, topic, produced, key, record.partition(), None, None, timestamp, headers)

        return send

    def _produce_later(self, error: Exception, *record: Any) -> None:  # noqa: ANN401  (what produce takes)
        """Produce once there is room in the queue, or once the output topic has the partition."""
        since = time.monotonic()
        room_wait = limits.FLUSH_TIMEOUT if self._quix.transactional else limits.QUEUE_ROOM_TIMEOUT
        while time.monotonic() < since + (
            limits.PARTITION_METADATA_TIMEOUT if isinstance(error, KafkaException) else room_wait
        ):
            if isinstance(error, KafkaException):
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    self._raise_cause(error)
                self.producer.list_topics(self.topic, timeout=limits.PARTITION_METADATA_TIMEOUT)
            self.producer.poll(0.1)
            self._quix.raise_for_error()
            try:
                self.producer.produce(*record)
            except (BufferError, KafkaException) as again:
                since = since if type(again) is type(error) else time.monotonic()
                error = again
            else:
                return
        if isinstance(error, KafkaException):
            raise Misconfigured(
                f"the input topic has a partition {record[3]} that the output topic {self.topic!r} lacks: "
                "add partitions to the output topic until it has as many"
            )
        raise OutputTooSlow(f"the broker took no record for {room_wait:.0f} s")

    def _raise_cause(self, error: KafkaException) -> NoReturn:
        """Raise the first error of a producer that refuses all records; its own error does not say why."""
        self.producer.poll(0)
        self._quix.raise_for_error()
        if self._quix.transactional:
            self.producer.begin_transaction()  # also refused, with the error of the open transaction
        raise error


def _not_connected(*_: object) -> None:
    raise AssertionError("the sink runs through get_executor")
