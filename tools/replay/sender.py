"""Sends records to the input topic in transactions, each with the offsets that mark the records as sent.

The transactional id is the same for each replay of a consumer group. So a second one ends the first, whose open
transaction the broker aborts, and reads the progress after that: none sends what the other has sent.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from runtime import limits
from runtime.connect.client_config import PRODUCER, topic_config
from runtime.connect.coordinators import TRANSACTIONS
from runtime.connect.destroy import destroy
from runtime.errors import Failed, Refused, Replaced, Stopped, Unavailable
from runtime.explain import explain_kafka
from runtime.loop.output_record import Headers
from runtime.stop.signals import stop_request
from tools.replay.topics import DeadLetterTopics

_TURN = 1.0  # seconds between two looks whether to stop
_PURGED = {"_PURGE_QUEUE", "_PURGE_INFLIGHT"}  # errors of the records of a failed transaction: the commit has the cause
_LONGEST = 2.0  # seconds of a transaction before its commit


class Outgoing(NamedTuple):
    """A record to send, and the place of its dead letter."""

    place: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


class ReplaySender:
    """Sends records and commits progress.

    Args:
        topics: the input topic, and how to connect.
        rate: records per second, or None for no limit.
    """

    def __init__(self, topics: DeadLetterTopics, rate: int | None) -> None:
        self._config = {
            **topics.client,
            **PRODUCER,
            **topic_config([topics.source]),
            "transactional.id": f"{topics.group}:replay:",
            "transaction.timeout.ms": int((limits.COMMIT_TIMEOUT + _LONGEST) * 1000),
        }
        self._group, self._topic, self._rate, self._causes = topics.group, topics.source.name, rate, topics.causes
        self._errors: list[tuple[str, KafkaError]] = []
        self._next = 0.0
        self._start()

    def _start(self) -> None:
        """Get the transactional id: the transaction of another producer that had it has ended then.

        Raises:
            PipelineError: nothing coordinates transactions, or a signal asked to stop meanwhile.
            KafkaException: no broker answers, or it refuses.
        """
        self._producer = Producer(self._config, logger=logging.getLogger("librdkafka"))
        with self._causes.explained(TRANSACTIONS):
            _repeat(self._producer.init_transactions, _refuse_stop)

    def renew(self) -> None:
        """Replace the producer: the broker then refuses what was sent by the old one and comes late."""
        outdated: list[object] = [self._producer]
        del self._producer
        destroy(outdated)
        self._start()

    def send(self, records: Sequence[Outgoing], progress: Mapping[str, list[TopicPartition]]) -> bool:
        """Send records and commit progress, by group, in one transaction. Return whether `renew` must follow.

        That is so if a request of the commit may have been repeated: a late copy would be taken for the next one's.

        Raises:
            PipelineError, KafkaException: the transaction failed, and nothing of it is visible.
        """
        try:
            self._producer.begin_transaction()
            self._produce(records)
            began = time.monotonic()
            for group, places in progress.items():
                send_offsets = partial(self._producer.send_offsets_to_transaction, places, _membership(group))
                _repeat(send_offsets)
            _repeat(self._producer.commit_transaction)
        except BaseException as error:
            known = self._explain(error)
            with suppress(KafkaException):
                self._producer.abort_transaction(limits.FLUSH_TIMEOUT)
            if known is error:
                raise
            raise known from error
        return time.monotonic() - began > limits.REQUEST_MAY_REPEAT_AFTER

    def _produce(self, records: Sequence[Outgoing]) -> None:
        self._errors.clear()
        for one in records:
            self._wait_for_turn()
            self._producer.produce(
                self._topic,
                one.value,
                one.key,
                one.partition,
                on_delivery=partial(self._note, one.place),
                timestamp=one.timestamp,
                headers=one.headers,
            )
            self._producer.poll(0)
        if self._producer.flush(limits.FLUSH_TIMEOUT):
            raise Unavailable(f"the broker did not take the records for {self._topic} in {limits.FLUSH_TIMEOUT:.0f} s")
        if self._errors:
            raise KafkaException(self._errors[0][1])

    def _wait_for_turn(self) -> None:
        if self._rate:
            now = time.monotonic()
            time.sleep(max(0.0, self._next - now))
            self._next = max(self._next, now) + 1 / self._rate

    def _note(self, place: str, error: KafkaError | None, _: object) -> None:
        if error is not None and error.name() not in _PURGED:
            self._errors.append((place, error))

    def _explain(self, error: BaseException) -> BaseException:
        """The error to report for one of the producer. Any other error is returned as it is."""
        if isinstance(error, Unavailable):
            return self._causes.explain(error)
        if not isinstance(error, KafkaException):
            return error
        failure: Exception = error
        try:
            self._producer.poll(0)
        except KafkaException as fatal:  # says why, as the error itself does not
            failure = fatal
        reason = failure.args[0]
        known = explain_kafka(reason, str(self._config["bootstrap.servers"]))
        # A broker may answer UNKNOWN to a commit while another producer takes the transactional id.
        if isinstance(known, Replaced) or (reason.code() == KafkaError.UNKNOWN and not self._errors):
            return Replaced(
                f"another replay of the group {self._group} has begun and continues, or a transaction took too long: "
                f"what this one had not committed was not sent ({reason.str()})"
            )
        if reason.name() == "TOPIC_AUTHORIZATION_FAILED":
            return Refused(
                f"the broker refused the permission Write on the topic {self._topic} (`input`): {reason.str()}"
            )
        if isinstance(known, Unavailable):
            return self._causes.explain(failure)
        if self._errors:
            place, _ = self._errors[0]
            return Failed(
                f"the topic {self._topic} (`input`) does not take the record of {place}, or one after it, so the "
                f"transaction was aborted: {reason.str()}; correct the topic's settings, or the value (--edit)"
            )
        return failure


@cache
def _membership(group: str) -> object:
    """What a transaction needs to know of a group that it commits for: a group without members."""
    consumer = Consumer({"group.id": group, "log_level": 0})  # without a broker's address, it does not connect
    membership: object = consumer.consumer_group_metadata()
    consumer.close()
    return membership


def _repeat(call: Callable[[float], object], check: Callable[[], object] = bool) -> None:
    """Call a function of the producer until it succeeds. Its argument is a time limit in seconds."""
    deadline = time.monotonic() + limits.COMMIT_RETRY_TIMEOUT
    while True:
        try:
            call(_TURN)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
            check()
        else:
            return


def _refuse_stop() -> None:
    if stop_request.requested:
        raise Stopped("asked to stop before a record was sent")
