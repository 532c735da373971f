"""Ends the process if it does not stop in time, with a line that says what it waited for."""

from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaException
from loguru import logger

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.causes import Causes
from runtime.errors import Refused, Unavailable
from runtime.explain import explain
from runtime.stop.signals import end_by_force, stop_request


class ForcedEnd:
    """The end of a process that was asked to stop, or has failed, and still runs.

    Args:
        broker: is asked whether it answers.
        causes: finds out why records are not accepted.
        failure: gives the error that stops the process; None if only a signal does.
        is_leaving: whether everything is committed, and only the consumer group is to be left.
    """

    def __init__(
        self,
        broker: BrokerAdmin,
        causes: Causes,
        failure: Callable[[], Exception | None],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._broker = broker
        self._causes = causes
        self._failure = failure
        self._is_leaving = is_leaving
        self._late: Exception = Unavailable("asked to stop, but no broker answers")

    def enforce(self) -> None:
        """Begin to watch. `stop_request` calls all methods below in separate threads, as librdkafka may block them."""
        checks = [
            (limits.REFUSAL_CHECK_AFTER, self._end_if_refused),
            (limits.STOP_TIMEOUT - limits.STOP_CAUSE_TIMEOUT, self._find_cause),
        ]
        stop_request.enforce(self._end, limits.STOP_TIMEOUT, limits.FAILURE_TIMEOUT, checks)

    def _end_if_refused(self) -> None:
        if isinstance(refusal := self._causes.refusal(), Refused):
            self._end(limits.REFUSAL_CHECK_AFTER, refusal)

    def _find_cause(self) -> None:
        """Ask the brokers why it has not stopped yet. There may be no time for the answer to the second question."""
        task = "let this worker leave the consumer group" if self._is_leaving() else "accept all records and the commit"
        with suppress(KafkaException):  # no broker answers
            self._broker.nodes(limits.STOP_CAUSE_TIMEOUT)
            self._late = Unavailable(f"asked to stop, but the broker did not {task}")
            self._late = self._causes.explain(self._late)

    def _end(self, after: float, refusal: Refused | None = None) -> None:
        """End the process. Records that are not committed are processed again at the next start."""
        failure = refusal or self._failure() or self._late
        error = explain(failure, self._broker.address, cloud=self._broker.cloud)
        text = "{}; ended by force after {:.0f} s; what is not committed will be processed again at the next start"
        end_by_force(error.exit_code, lambda: logger.error(text, error, after))
