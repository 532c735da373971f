"""Commits that outlast a move of the group's coordinator to another broker, and no longer than they can succeed."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime import limits
from runtime.explain import COORDINATOR_AWAY

_TICK = 0.5  # seconds

Commit = Callable[..., list[TopicPartition] | None]


def retry_while_coordinator_moves(commit: Commit) -> Commit:
    """Make a consumer's `commit` one that is repeated while the coordinator is away, and otherwise unchanged."""

    def commit_again(**arguments: object) -> list[TopicPartition] | None:
        deadline = time.monotonic() + limits.COMMIT_RETRY_TIMEOUT
        while True:
            try:
                committed = commit(**arguments)
            except KafkaException as error:
                if not _passes(error.args[0]) or time.monotonic() > deadline:
                    raise
            else:
                if not any(_passes(place.error) for place in committed or []) or time.monotonic() > deadline:
                    return committed
            time.sleep(limits.COMMIT_RETRY_PAUSE)

    return commit_again


class CommitWatchdog:
    """A checkpoint's commit, watched from a thread of its own, within the `with` block.

    If it takes long, `refresh_metadata` is called every few seconds. If the group's coordinator dies during a commit,
    librdkafka looks for the next one only when some connection opens or closes (its issue 5511). Idle connections are
    closed (runtime/connect/client_config.py), but librdkafka then tries one broker only, which may be the dead one. A
    metadata request tries others until a connection is open.

    After limits.POLL_TIMEOUT, `on_timeout` is called once. Another worker has the partitions by then, and the broker
    has aborted the transaction. The commit cannot succeed any more, but librdkafka goes on waiting.
    """

    def __init__(
        self, commit: Callable[..., None], refresh_metadata: Callable[[], object], on_timeout: Callable[[], object]
    ) -> None:
        self._commit = commit
        self._refresh_metadata = refresh_metadata
        self._on_timeout = on_timeout
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
            if now - begun > limits.POLL_TIMEOUT:
                self._on_timeout()
                return
            if now - max(begun, looked) > limits.METADATA_REFRESH_AFTER:
                with suppress(KafkaException):
                    self._refresh_metadata()
                looked = time.monotonic()


def _passes(error: KafkaError | None) -> bool:
    return error is not None and error.code() in COORDINATOR_AWAY
