"""Commits that outlast a move of the group's coordinator to another broker, and no longer than they can succeed."""

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

POLL_WITHIN = 60.0
"""Seconds that a worker may take until it asks for records again (`max.poll.interval.ms`)."""

COMMIT_AGAIN_WITHIN = 30.0
"""Seconds until such an answer counts; a worker must take records again before POLL_WITHIN is over."""

_COMMIT_AGAIN_AFTER = 0.2  # seconds

LOOK_AFTER = 7.0
"""Seconds of a commit; longer than `connections.max.idle.ms`, so that it closes no fewer connections."""

LOOK_WITHIN = 3.0
"""Seconds that one look may take."""

_TICK = 0.5  # seconds

Commit = Callable[..., list[TopicPartition] | None]


def retry_while_coordinator_moves(commit: Commit) -> Commit:
    """Make a consumer's `commit` one that is repeated while the coordinator is away, and otherwise unchanged."""

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
    """A checkpoint's commit, watched from a thread of its own, within the `with` block.

    Where it takes long, `look` is called every few seconds. It asks for metadata: where the group's coordinator dies
    meanwhile, librdkafka asks for its successor only once some connection has come up or gone down (issue 5511 of it).
    Those that idle are closed (runtime/clients.py), but of the brokers it then tries one, which may be the dead one,
    and no other, while a question for metadata goes on until a connection is up.

    Where it has taken POLL_WITHIN, `overdue` is called, once: this worker's partitions are another's by then, and the
    broker has aborted its transaction, so that it can't succeed any more, but librdkafka goes on waiting.
    """

    def __init__(self, commit: Callable[..., None], look: Callable[[], object], overdue: Callable[[], object]) -> None:
        self._commit = commit
        self._look = look
        self._overdue = overdue
        self._begun: float | None = None
        self._ended = threading.Event()

    def __call__(self, **options: bool) -> None:
        """Commit."""
        self._begun = time.monotonic()
        try:
            self._commit(**options)
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
            begun, now = self._begun, time.monotonic()
            if begun is None:
                continue
            if now - begun > POLL_WITHIN:
                self._overdue()
                return
            if now - max(begun, looked) > LOOK_AFTER:
                with suppress(KafkaException):
                    self._look()
                looked = time.monotonic()


def _passes(error: KafkaError | None) -> bool:
    return error is not None and error.code() in COORDINATOR_AWAY
