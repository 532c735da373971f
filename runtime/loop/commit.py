"""Retries commits while the group's coordinator moves to another broker, and detects commits that take too long."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime import limits
from runtime.explain import COORDINATOR_AWAY

_CHECK_INTERVAL = 0.5  # seconds

Commit = Callable[..., list[TopicPartition] | None]


def retry_while_coordinator_moves(commit: Commit) -> Commit:
    """Wrap a consumer's `commit` or `committed`: retry it while the group has no coordinator.

    A `timeout` also ends with limits.COMMIT_RETRY_TIMEOUT.
    """

    def retrying_commit(**arguments: Any) -> list[TopicPartition] | None:  # noqa: ANN401  (those of the method)
        deadline = time.monotonic() + limits.COMMIT_RETRY_TIMEOUT
        while True:
            if "timeout" in arguments:
                arguments["timeout"] = max(1.0, min(arguments["timeout"], deadline - time.monotonic()))
            try:
                committed = commit(**arguments)
            except KafkaException as error:
                if not _is_temporary(error.args[0]) or time.monotonic() > deadline:
                    raise
            else:
                if not any(_is_temporary(place.error) for place in committed or []) or time.monotonic() > deadline:
                    return committed
            time.sleep(limits.COMMIT_RETRY_PAUSE)

    return retrying_commit


class CommitWatchdog:
    """A checkpoint's commit, watched by a separate thread inside the `with` block.

    If it takes long, `refresh_metadata` is called every few seconds. If the group's coordinator dies during a commit,
    librdkafka looks for the next one only when some connection opens or closes (its issue 5511). Idle connections are
    closed (runtime/connect/client_config.py), but librdkafka then tries one broker only, which may be the dead one. A
    metadata request tries others until a connection is open.

    After limits.POLL_TIMEOUT, `on_timeout` is called once. Another worker has the partitions by then, and the broker
    has aborted the transaction. The commit cannot succeed any more, but librdkafka continues to wait.
    """

    def __init__(
        self, commit: Callable[..., None], refresh_metadata: Callable[[], object], on_timeout: Callable[[], object]
    ) -> None:
        self._commit = commit
        self._refresh_metadata = refresh_metadata
        self._on_timeout = on_timeout
        self._started: float | None = None
        self._ended = threading.Event()

    def __call__(self, **options: bool) -> None:
        """Commit."""
        self._started = time.monotonic()
        try:
            self._commit(**options)
        finally:
            self._started = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        refreshed = 0.0
        while not self._ended.wait(_CHECK_INTERVAL):
            started, now = self._started, time.monotonic()
            if started is None:
                continue
            if now - started > limits.POLL_TIMEOUT:
                self._on_timeout()
                return
            if now - max(started, refreshed) > limits.METADATA_REFRESH_AFTER:
                with suppress(KafkaException):
                    self._refresh_metadata()
                refreshed = time.monotonic()


def _is_temporary(error: KafkaError | None) -> bool:
    return error is not None and error.code() in COORDINATOR_AWAY
