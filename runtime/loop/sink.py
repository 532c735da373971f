"""The end of the dataframe: produces what the map made of the record in hand, to its own partition."""

import time
from collections.abc import Callable
from typing import Any, NoReturn

from confluent_kafka import KafkaError, KafkaException, Producer
from quixstreams.core.stream import VoidExecutor
from quixstreams.core.stream.functions import UpdateWithMetadataFunction
from quixstreams.internal_producer import InternalProducer

from runtime import limits
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop.batches import Batches
from runtime.loop.output_record import Headers, Output
from transforms import Malformed


class Sink(UpdateWithMetadataFunction):
    """A step of the dataframe that produces to one topic."""

    def __init__(self, topic: str, output: Output, batches: Batches) -> None:
        super().__init__(_not_connected)
        self._topic = topic
        self._output = output
        self._batches = batches
        self._quix: InternalProducer
        self.producer: Producer
        self._produce: Callable[..., None]

    def connect(self, quix: InternalProducer, producer: Producer) -> None:
        """Say by which producer, and whose errors to raise; before the dataframe is composed, and for each new one."""
        self._quix = quix
        self.producer = producer
        self._produce = producer.produce

    def get_executor(self, *child_executors: VoidExecutor) -> VoidExecutor:
        """Give the function that does it, as Quix asks of each step; one without detours, as every record takes it."""
        topic, output, batches = self._topic, self._output, self._batches
        max_plain_bytes, timestamps = output.max_plain_bytes, output.timestamps
        child_executor = self._resolve_branching(*child_executors)

        def send(value: bytes | Malformed, key: bytes | None, timestamp: int, headers: Headers | None) -> None:
            record = batches.current
            produced: bytes | None
            if (
                headers
                or isinstance(value, Malformed)
                or len(value) + (len(key) if key else 0) > max_plain_bytes
                or not timestamps.oldest <= timestamp <= timestamps.newest
            ):
                produced, timestamp, headers = output.build(value, key, timestamp, headers, record)
            else:
                produced = value
            try:
                self._produce(topic, produced, key, record.partition(), None, None, timestamp, headers)
            except (BufferError, KafkaException) as error:
                self._produce_later(error, topic, produced, key, record.partition(), None, None, timestamp, headers)
            child_executor(value, key, timestamp, headers)

        return send

    def _produce_later(self, error: Exception, *record: Any) -> None:  # noqa: ANN401  (what produce takes)
        """Produce once there is room in the queue, or once the output topic has the partition."""
        since = time.monotonic()
        room_wait = limits.FLUSH_TIMEOUT if self._quix._producer.transactional else limits.QUEUE_ROOM_TIMEOUT
        while time.monotonic() < since + (
            limits.PARTITION_METADATA_TIMEOUT if isinstance(error, KafkaException) else room_wait
        ):
            if isinstance(error, KafkaException):
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    self._raise_cause(error)
                self.producer.list_topics(self._topic, timeout=limits.PARTITION_METADATA_TIMEOUT)
            self.producer.poll(0.1)
            self._quix._raise_for_error()
            try:
                self.producer.produce(*record)
            except (BufferError, KafkaException) as again:
                since = since if type(again) is type(error) else time.monotonic()
                error = again
            else:
                return
        if isinstance(error, KafkaException):
            raise Misconfigured(
                f"the input topic has a partition {record[3]} that the output topic {self._topic!r} lacks: "
                "add partitions to the output topic until it has as many"
            )
        raise OutputTooSlow(f"the broker took no record for {room_wait:.0f} s")

    def _raise_cause(self, error: KafkaException) -> NoReturn:
        """Raise what made the producer refuse all further records: it tells only that it does."""
        self.producer.poll(0)
        self._quix._raise_for_error()
        if self._quix._producer.transactional:
            self.producer.begin_transaction()  # refused as well, and with what is wrong with the open one
        raise error


def _not_connected(*_: object) -> None:
    raise AssertionError("the sink is run by what get_executor gives")
