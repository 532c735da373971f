"""Reads a topic (read_committed) during the faults, for the check by id."""

import threading
import time
from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from faults.idcheck import LOGINS, IdCheck, Judge

_READER = {
    "group.id": "faults-reader",
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 5000,
    "queued.max.messages.kbytes": 32_768,
    "log_level": 0,
}
_BATCH = 1000


class CheckedReader:
    """A thread that reads from the beginning of each partition. Leaving the `with` block ends it.

    Args:
        address: bootstrap servers.
        topic: what is read.
        partitions: its partitions.
        seed: the load's.
        judge: knows what the topic must have.
    """

    def __init__(self, address: str, topic: str, partitions: Iterable[int], seed: int, judge: Judge = LOGINS) -> None:
        self._topic = topic
        self._check = IdCheck(seed, partitions, judge)
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._ended = threading.Event()
        self._consumer = Consumer({**_READER, "bootstrap.servers": address})
        self._places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions]
        self._consumer.assign(self._places)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def check(self) -> IdCheck:
        """The check by id, with its present counts.

        Raises:
            Exception: reading failed.
        """
        if self._failure:
            raise self._failure
        return self._check

    def mark(self) -> None:
        """Note a fault at this moment."""
        with self._lock:
            self._check.mark(time.time())

    def add_partition(self, number: int) -> None:
        """Read a new partition as well."""
        with self._lock:
            self._check.add_partition(number)
        self._consumer.incremental_assign([TopicPartition(self._topic, number, OFFSET_BEGINNING)])

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                messages = self._consumer.consume(_BATCH, 0.05)
                arrived = time.time()
                with self._lock:
                    for message in messages:
                        if message.error() is None:  # errors are temporary: the broker is away
                            self._take(message, arrived)
        except Exception as error:  # noqa: BLE001  (shown by `check`)
            self._failure = error

    def _take(self, message: Message, arrived: float) -> None:
        tags = [content for name, content in message.headers() or () if name == "malformed"]
        times = (message.timestamp()[1] / 1000, arrived)
        self._check.take(message.partition(), message.key(), message.value(), tags[-1] if tags else None, times)
