"""Commits of offsets that outlast a move of the group's coordinator to another broker."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

COORDINATOR_AWAY = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,
}
"""What a broker or librdkafka answers while there is none. Transactions need no such list: librdkafka has its own."""

COMMIT_AGAIN_WITHIN = 30.0
"""Seconds until such an answer counts; a worker must take records again before max.poll.interval.ms is over."""

_COMMIT_AGAIN_AFTER = 0.2  # seconds

LOOK_AFTER = 7.0
"""Seconds of a transaction's commit; longer than `connections.max.idle.ms`, so that it closes no fewer connections."""

LOOK_WITHIN = 3.0
"""Seconds that one look may take."""

_TICK = 0.5  # seconds

Commit = Callable[..., list[TopicPartition] | None]


def patient(commit: Commit) -> Commit:
    """Make a consumer's `commit` one that is repeated while the coordinator is away; else it is what it was."""

    def commit_again(**arguments: object) -> list[TopicPartition] | None:
        deadline = time.monotonic() + COMMIT_AGAIN_WITHIN
        while True:
            try:
                committed = commit(**arguments)
            except KafkaException as error:
                if not _passes(error.args[0]) or time.monotonic() > deadline:
                    raise
            else:
                if not any(_passes(place.error) for place in committed or []) or time.monotonic() > deadline:
                    return committed
            time.sleep(_COMMIT_AGAIN_AFTER)

    return commit_again


class Watched:
    """A call that, where it takes long, has `look` called beside it every few seconds; within the `with` block.

    For `send_offsets_to_transaction`: where the group's coordinator dies meanwhile, librdkafka asks for its successor
    only once some connection has come up or gone down (issue 5511 of it). Those that idle are closed
    (runtime/clients.py), but of the brokers it then tries one, which may be the dead one, and no other. `look` asks
    for metadata, which goes on until a connection is up.
    """

    def __init__(self, call: Callable[..., None], look: Callable[[], object]) -> None:
        self._call = call
        self._look = look
        self._begun: float | None = None
        self._ended = threading.Event()

    def __call__(self, *arguments: object) -> None:
        """Call it."""
        self._begun = time.monotonic()
        try:
            self._call(*arguments)
        finally:
            self._begun = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        looked = 0.0
        while not self._ended.wait(_TICK):
            begun = self._begun
            if begun is not None and time.monotonic() - max(begun, looked) > LOOK_AFTER:
                with suppress(KafkaException):
                    self._look()
                looked = time.monotonic()


def _passes(error: KafkaError | None) -> bool:
    return error is not None and error.code() in COORDINATOR_AWAY
