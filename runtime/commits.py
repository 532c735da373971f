"""Commits of offsets that wait for the group's coordinator where it moves to another broker, as at-least-once needs."""

import time
from collections.abc import Callable

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


def _passes(error: KafkaError | None) -> bool:
    return error is not None and error.code() in COORDINATOR_AWAY
