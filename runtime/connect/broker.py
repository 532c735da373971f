"""Asks the broker, as an admin client: whether it answers, and what partitions, settings and ids its topics have."""

import math
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, BrokerMetadata, ResourceType
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.addresses import (
    CLOSES_AT_ONCE,
    BrokerAddress,
    advertised,
    closes_at_once,
    sends_elsewhere,
    unreachable,
    why_unusable,
)
from runtime.connect.diagnose import check_expiry, diagnose
from runtime.connect.repeating_admin import NO_ANSWER, RepeatingAdmin
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Misconfigured, PipelineError, Refused, Stopped, Unavailable
from runtime.explain import explain_kafka
from runtime.stop.signals import stop_request

_LIBRDKAFKA_NAME = re.compile(r"\b(?:sasl|ssl)\.[a-z.]+[a-z]")
_ADVERTISED = re.compile(r"(?:\w+://)?(\S+):(\d+)/\d+: ")  # how librdkafka names a broker whose id it knows
_TURN = 0.1  # seconds between two looks at a pending answer
_DIAGNOSE_EVERY = 1.0  # seconds
_SILENT = "accepts connections, but no broker answers there"
_Answer = TypeVar("_Answer")


class BrokerAdmin:
    """An admin client of the broker, for the checks at start.

    Args:
        connection: address and credentials.
        cloud: whether Quix Cloud supplied them.
        stoppable: whether `wait` and `ask` end if a signal asks to stop.

    Raises:
        Misconfigured: the settings contradict each other.
    """

    def __init__(self, connection: ConnectionConfig, *, cloud: bool = False, stoppable: bool = True) -> None:
        self.connection = connection
        self.cloud = cloud
        self._stoppable = stoppable
        self.address = f"{connection.bootstrap_servers}{' (supplied by Quix Cloud)' if cloud else ''}"
        self._error: KafkaError | None = None
        self._advertised: set[BrokerAddress] = set()
        config = connection.as_librdkafka_dict() | {"error_cb": self._on_error, "log_level": 0}
        try:
            self.admin = AdminClient(config)
        except KafkaException as error:
            raise Misconfigured(
                f"the BROKER_* settings contradict each other: {_with_setting_names(error.args[0])}"
            ) from error
        self.repeating = RepeatingAdmin(self.admin)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the broker answers, and until one of the addresses that it sends clients to can be reached.

        Raises:
            Unavailable: that was not so within `timeout` seconds, by default limits.START_TIMEOUT.
            Refused: it refused the credentials.
            Misconfigured: TLS failed, or the broker uses another protocol than BROKER_SECURITY_PROTOCOL.
            Stopped: a signal asked to stop meanwhile.
        """
        seconds = limits.START_TIMEOUT if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while not (addresses := self._first_answer(deadline)) or (problems := unreachable(addresses)):
            if time.monotonic() > deadline:
                raise sends_elsewhere(self.address, problems) if addresses else self._unavailable(seconds)
            time.sleep(_TURN)
            self._check_stop()
        self._advertised.update(addresses)
        if error := self._diagnose_advertised(connected=True):
            raise error

    def nodes(self, timeout: float) -> list[BrokerMetadata]:
        """Get the brokers of the cluster, with the addresses that they advertise.

        Raises:
            KafkaException: no broker answers.
        """
        return list(self.repeating.list_topics(timeout).brokers.values())

    def ask(self, answer: "Future[_Answer]") -> _Answer:
        """Wait for an answer, until a signal asks to stop.

        Raises:
            KafkaException: the broker refused, or did not answer in time.
            Stopped: a signal asked to stop meanwhile.
        """
        self._wait(answer, math.inf)
        return answer.result()

    def check_topics_visible(self, *names: str) -> None:
        """Check the permission Describe on the topics. Without it, a list of topics omits them.

        Raises:
            Refused: the permission is missing, whether the topic exists or not.
            KafkaException: the broker does not answer any more.
        """
        answers = self.repeating.describe_topics(TopicCollection(list(names)), request_timeout=limits.START_TIMEOUT)
        for name, answer in answers.items():
            error = answer.exception()
            code = error.args[0].code() if isinstance(error, KafkaException) else None
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise Refused(f"the broker at {self.address} refused the permission Describe on the topic {name!r}")
            if error is not None and code in NO_ANSWER:
                raise error

    def topics(self) -> set[str]:
        """The names of all topics that these credentials may describe."""
        return set(self.repeating.list_topics(limits.START_TIMEOUT).topics)

    def facts(self, *names: str) -> list[TopicFacts]:
        """Get the facts of these topics, which exist."""
        return [self._facts(name) for name in names]

    def _facts(self, name: str) -> TopicFacts:
        config, topic = self.repeating.config(ResourceType.TOPIC, name), self.repeating.describe(name)
        return TopicFacts(name, len(topic.partitions), config, str(topic.topic_id))

    def _diagnose_advertised(self, *, connected: bool = False) -> PipelineError | None:
        """Why TLS fails at an advertised address, although it works at another one."""
        if self.cloud or not (self.connection.security_protocol or "").endswith("ssl"):
            return None
        addresses = ",".join(map(str, sorted(self._advertised)))
        there = self.connection.model_copy(update={"bootstrap_servers": addresses})
        return diagnose(there, connected=connected) if addresses else None

    def _first_answer(self, deadline: float) -> list[BrokerAddress]:
        """The addresses that brokers advertise, or none if no broker answers by the deadline or the request fails."""
        left = max(_TURN, deadline - time.monotonic())
        answer = in_background(lambda: self.nodes(left))  # no signal handler runs in librdkafka
        while not self._wait(answer, _DIAGNOSE_EVERY):
            self._raise_known(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  (an error code)
        try:
            return advertised(answer.result())
        except KafkaException as error:
            self._raise_known(error.args[0])
            return []

    def _wait(self, answer: "Future[_Answer]", seconds: float) -> bool:
        """Wait for an answer, take librdkafka's errors meanwhile, and return whether the answer has arrived."""
        deadline = time.monotonic() + seconds
        while not answer.done() and time.monotonic() < deadline:
            wait([answer], _TURN)
            self.admin.poll(0)
            self._check_stop()
        return answer.done()

    def _check_stop(self) -> None:
        if self._stoppable and stop_request.requested:
            raise Stopped("asked to stop while waiting for the broker")

    def _raise_known(self, error: KafkaError) -> None:
        """Raise the reason why the broker does not answer, if waiting does not help."""
        known = self._diagnose(self._error or error)
        if known and not isinstance(known, Unavailable):
            raise known

    def _diagnose(self, error: KafkaError) -> PipelineError | None:
        """The error to report. If librdkafka's error is unspecific, a connection of our own finds the cause."""
        explained = self._explain(error)
        # Quix Cloud's certificates are not files, so `diagnose` cannot use them.
        if isinstance(explained, Refused) or error.code() == KafkaError._RESOLVE or self.cloud:  # noqa: SLF001
            return explained
        found = diagnose(self.connection) or self._diagnose_advertised()
        if found is None and error.code() == KafkaError._SSL:  # noqa: SLF001  (a busy broker answers `diagnose` late)
            found = check_expiry(self.connection)
        return found or explained

    def _on_error(self, error: KafkaError) -> None:
        if at := _ADVERTISED.match(error.str()):
            self._advertised.add(BrokerAddress(at[1].strip("[]"), int(at[2])))
        if self._error is None or not isinstance(self._explain(error), Unavailable | None):
            self._error = error

    def _unavailable(self, seconds: float) -> Unavailable:
        problems = {address: address.why_unreachable() for address in self._advertised}
        if any(problems.values()):
            return sends_elsewhere(self.address, problems)
        found = why_unusable(BrokerAddress.parse(self.connection.bootstrap_servers))
        if set(found.values()) == {CLOSES_AT_ONCE}:
            return closes_at_once(self.address)
        reasons = ", ".join(f"{address} {why or _SILENT}" for address, why in found.items())
        error = self._explain(KafkaError(KafkaError._TRANSPORT, f"waited {seconds:.0f} s ({reasons})"))  # noqa: SLF001
        assert isinstance(error, Unavailable)
        return error

    def _explain(self, error: KafkaError) -> PipelineError | None:
        return explain_kafka(error, self.address, cloud=self.cloud)


def in_background(request: Callable[[], _Answer]) -> "Future[_Answer]":
    """Call a function of librdkafka in a separate thread, which does not prevent the process from ending."""
    answer: Future[_Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(request())
        except KafkaException as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer


def _with_setting_names(error: KafkaError) -> str:
    """The text of librdkafka, with our names for the settings."""
    text: str = _LIBRDKAFKA_NAME.sub(lambda name: f"BROKER_{name[0].replace('.', '_').upper()}", error.str())
    return f"{text}; check BROKER_SSL_KEY_PASSWORD" if "PEM lib" in text else text
