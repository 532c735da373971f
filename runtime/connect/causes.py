"""Finds the cause of an error by asking the brokers: librdkafka often says only that something took too long."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from confluent_kafka import KafkaError, KafkaException
from loguru import logger

from runtime import limits
from runtime.connect.addresses import (
    CANNOT_BE_RESOLVED,
    CLOSES_AT_ONCE,
    BrokerAddress,
    brokers_away,
    closes_at_once,
    sends_elsewhere,
    why_unusable,
)
from runtime.connect.broker import BrokerAdmin
from runtime.connect.coordinators import GROUPS, TRANSACTIONS, Coordinator, no_coordinator
from runtime.connect.replacement import Replacement
from runtime.connect.replicas import IN_SYNC, replicas_error
from runtime.errors import Failed, Misconfigured, PipelineError, Refused, Replaced, Unavailable
from runtime.explain import NO_ANSWER, exception_chain, explain, kafka_error

_ANSWERS = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.CONCURRENT_TRANSACTIONS,
    KafkaError.UNKNOWN,
}
"""The error codes that a coordinator answers, so its topic exists."""


class Causes:
    """Asks the brokers for the cause of an error.

    Args:
        broker: is asked.
        topics: those that are written to.
        read: those that are only read: each partition must have a leader. Without `topics`, coordinators do not matter.
        replacement: finds the worker that replaced this one; None for a tool.
    """

    def __init__(
        self, broker: BrokerAdmin, *topics: str, read: Iterable[str] = (), replacement: Replacement | None = None
    ) -> None:
        self._broker = broker
        self._topics: dict[str, str | None] = dict.fromkeys(read)
        if topics or not self._topics:
            self._topics |= dict.fromkeys(topics, IN_SYNC)
            self._topics |= {one.topic: one.in_sync for one in (GROUPS, TRANSACTIONS)}
        self._replacement = replacement
        self._clients: list[BrokerAdmin] = []  # never destroyed: librdkafka may hang there, and the process ends

    @contextmanager
    def explained(self, missing: Coordinator | None = None) -> Iterator[None]:
        """Raise the cause instead of an error of Kafka or a time-out, if it can be found.

        Args:
            missing: the coordinator that is asked inside the `with` block, if one is.
        """
        try:
            yield
        except (KafkaException, Unavailable) as error:
            cause = self.explain(error, missing)
            if cause is error:
                raise
            raise cause from error

    def explain(self, error: Exception, missing: Coordinator | None = None) -> Exception:
        """Give the error to report: the cause if it can be found, otherwise `error` itself."""
        known = explain(error, self._broker.address, cloud=self._broker.cloud)
        inner = kafka_error(error)
        is_fence = isinstance(known, Replaced)
        if is_fence and self._replacement and (replaced := self._replacement.explain()):
            return replaced
        if is_fence and self._replacement and not self._replacement.instance_id:
            error = _too_long(error)
        if is_fence or (inner and inner.code() in _ANSWERS):
            missing = None
        if not (is_fence or isinstance(known, Unavailable)):
            return error
        try:
            cause = self.refusal() or self.find(missing) or self._away()
        except KafkaException:  # no broker answers
            return error
        if cause is None and str(known).startswith(NO_ANSWER):
            return Unavailable(
                f"the brokers at {self._broker.address} answer, but one did not in time: {_reason(error)}; restart"
            )
        return cause or error

    def check_join(self) -> None:
        """Warn that joining the consumer group takes long. The other members may be slow.

        Raises:
            PipelineError: there is a cause, and waiting does not help.
        """
        with suppress(KafkaException):  # no broker answers: the loop ends later
            if cause := self.find():
                raise cause
        logger.warning(
            "joining the consumer group has taken {:.0f} s: it takes until each other member has finished its records, "
            "or has left",
            limits.START_TIMEOUT,
        )

    def refusal(self) -> PipelineError | None:
        """Why a new connection is refused or closed, or None if it is neither, or if no broker answers.

        A broker closes a connection without a reason if the credentials have changed.
        """
        try:
            broker = BrokerAdmin(self._broker.connection, cloud=self._broker.cloud, stoppable=False)
            self._clients.append(broker)
            broker.wait(limits.CAUSE_TIMEOUT)
        except (Refused, Misconfigured) as refused:
            return refused
        except Unavailable as error:
            return None if str(error).startswith(NO_ANSWER) else error
        except Exception as other:  # noqa: BLE001  (the first error is reported)
            logger.debug("no cause found: {}", other)
        return None

    def find(self, missing: Coordinator | None = None) -> PipelineError | None:
        """Give what prevents brokers that answer from doing what they are asked to do, or None if nothing is wrong.

        Raises:
            KafkaException: no broker answers.
        """
        if found := self._address_error():
            return found
        if missing:
            return no_coordinator(self._broker, missing)
        lacking = (replicas_error(self._broker, topic, setting) for topic, setting in self._topics.items())
        return next(filter(None, lacking), None)

    def _address_error(self) -> PipelineError | None:
        """The error if clients cannot connect to the addresses that the brokers advertise."""
        problems = self._unusable()
        for address, why in problems.items():
            if why == CLOSES_AT_ONCE:
                return closes_at_once(f"{address}")
        wrong = {address: why for address, why in problems.items() if why == CANNOT_BE_RESOLVED}
        if wrong or all(problems.values()):
            return sends_elsewhere(self._broker.address, wrong or problems)
        return None

    def _away(self) -> PipelineError | None:
        """The error if some brokers that the cluster still counts are away. The cluster may do without them soon."""
        away = {address: why for address, why in self._unusable().items() if why}
        return brokers_away(self._broker.address, away) if away else None

    def _unusable(self) -> dict[BrokerAddress, str]:
        """The addresses that the brokers advertise, and why each cannot be used (empty if it can)."""
        nodes = self._broker.nodes(limits.CAUSE_TIMEOUT)
        return why_unusable(BrokerAddress(node.host, node.port) for node in nodes)


def _too_long(error: Exception) -> Failed:
    """The error for a fence without an INSTANCE_ID: no other worker has the transactional id."""
    return Failed(
        "the broker ended the transaction, as it took longer than transaction.timeout.ms (COMMIT_INTERVAL + "
        f"{limits.COMMIT_TIMEOUT:.0f} s): the brokers are slow, or this process was paused; restart, and if it "
        f"repeats, look at the brokers' load ({_reason(error)})"
    )


def _reason(error: Exception) -> str:
    return next((found.str() for link in exception_chain(error) if (found := kafka_error(link))), str(error))
