"""An admin client that sends a request again if it is not answered soon.

librdkafka sends most admin requests to the controller, and waits for it. Kafka's metadata name a random broker as the
controller: for some seconds also one that has died. librdkafka then connects to it in a loop, which takes a whole core,
and looks at no other metadata until the request times out.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    ListOffsetsResultInfo,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)
from quixstreams.models.topics import TopicAdmin, TopicManager

from runtime import limits
from runtime.connect.addresses import BrokerAddress

NO_ANSWER = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT})  # noqa: SLF001
"""The codes of errors that mean that a broker did not answer."""

_PAUSE = 0.1  # seconds
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


def timeouts(seconds: float, timeout: float = limits.FIRST_ATTEMPT_TIMEOUT) -> Iterator[float]:
    """Yield the timeout of each attempt, until `seconds` have passed, with a pause after each one.

    Each timeout is twice as long as the one before, because answers may be slow; `timeout` is the first one.
    """
    deadline = time.monotonic() + seconds
    while True:
        yield min(timeout, max(_PAUSE, deadline - time.monotonic()))
        if time.monotonic() > deadline:
            return
        time.sleep(_PAUSE)
        timeout *= 2


class RepeatingAdmin:
    """The requests of an `AdminClient` that go to one broker, each repeated until `request_timeout` has passed.

    Each request returns when its answers are there.
    """

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._first_timeout = limits.FIRST_ATTEMPT_TIMEOUT

    def list_topics(self, timeout: float) -> ClusterMetadata:
        """Get the metadata of all topics. Any broker answers that.

        librdkafka may lose the request if a broker has just died, or while it changes from the address in
        Quix__Broker__Address to an advertised one; answers may also be slow.

        Raises:
            KafkaException: no broker answers.
        """
        for seconds in self._timeouts(timeout):
            start = time.monotonic()
            try:
                metadata: ClusterMetadata = self._admin.list_topics(timeout=seconds)
            except KafkaException as error:
                last = error
            else:
                self._note_answer(start)
                return metadata
        raise last

    def describe(self, name: str, timeout: float = limits.START_TIMEOUT, **options: bool) -> TopicDescription:
        """Get a topic's partitions and their replicas.

        Raises:
            KafkaException: it does not exist, or these credentials may not describe it; no broker answers.
        """
        (answer,) = self.describe_topics(TopicCollection([name]), timeout, **options).values()
        return answer.result()

    def config(self, kind: ResourceType, name: str, timeout: float = limits.START_TIMEOUT) -> dict[str, str]:
        """Get the settings of a topic or of a broker, as far as the broker tells them.

        Raises:
            KafkaException: it does not exist, or these credentials may not read it; no broker answers.
        """
        (answer,) = self.describe_configs([ConfigResource(kind, name)], timeout).values()
        return {entry.name: entry.value for entry in answer.result().values() if entry.value}

    def describe_topics(
        self, topics: TopicCollection, request_timeout: float, **options: bool
    ) -> Mapping[str, "Future[TopicDescription]"]:
        """Get the partitions of topics."""
        return self._repeated(self._admin.describe_topics, topics, request_timeout, **options)

    def describe_configs(
        self, resources: Sequence[ConfigResource], request_timeout: float
    ) -> Mapping[ConfigResource, "Future[Any]"]:
        """Get the settings of topics or brokers."""
        return self._repeated(self._admin.describe_configs, resources, request_timeout)

    def list_offsets(
        self, places: Mapping[TopicPartition, OffsetSpec], request_timeout: float
    ) -> Mapping[TopicPartition, "Future[ListOffsetsResultInfo]"]:
        """Get an offset of partitions, which have leaders."""
        return self._repeated(self._admin.list_offsets, places, request_timeout)

    def create_topics(self, topics: Sequence[NewTopic], request_timeout: float) -> Mapping[str, "Future[None]"]:
        """Create topics. If only the answer was lost, the error is TOPIC_ALREADY_EXISTS, which Quix ignores."""
        return self._repeated(self._admin.create_topics, topics, request_timeout)

    def _repeated(
        self, request: Callable[..., dict[_Key, "Future[_Answer]"]], what: object, seconds: float, **options: bool
    ) -> dict[_Key, "Future[_Answer]"]:
        answers: dict[_Key, Future[_Answer]] = {}
        deadline = time.monotonic() + self._extended(seconds)
        for timeout in self._timeouts(seconds):
            if answers:
                self._find_controller(timeout)
            start = time.monotonic()
            answers = request(what, request_timeout=min(timeout, max(_PAUSE, deadline - start)), **options)
            wait(answers.values())
            if not any(map(_is_missing, answers.values())):
                self._note_answer(start)
                break
        return answers

    def _timeouts(self, seconds: float) -> Iterator[float]:
        """The timeout of each attempt."""
        return timeouts(self._extended(seconds), self._first_timeout)

    def _extended(self, seconds: float) -> float:
        """The time for all attempts, up to three times as long if answers are slow: a late answer is one, too."""
        return max(seconds, min(self._first_timeout, 3 * seconds))

    def _note_answer(self, start: float) -> None:
        """Give the next request enough time at once if answers are slow."""
        self._first_timeout = max(limits.FIRST_ATTEMPT_TIMEOUT, 2 * (time.monotonic() - start))

    def _find_controller(self, seconds: float) -> None:
        """Get metadata until they name a controller that can be reached."""
        for timeout in self._timeouts(seconds):
            with suppress(KafkaException):
                metadata = self._admin.list_topics(timeout=timeout)
                node = metadata.brokers.get(metadata.controller_id)
                if node is None or not BrokerAddress(node.host, node.port).why_unreachable():
                    return


class RepeatingTopicManager(TopicManager):
    """What finds and creates the topics of a Quix Streams `Application`, by repeated requests (not for Quix Cloud)."""

    def __init__(self, *, auto_create_topics: bool = False) -> None:
        self._topic_admin = _TopicAdmin("")
        super().__init__(self._topic_admin, consumer_group="", auto_create_topics=auto_create_topics)

    def use(self, admin: RepeatingAdmin) -> None:
        """Send requests by this client, whose broker answers."""
        self._topic_admin.client = admin


class _TopicAdmin(TopicAdmin):
    client: RepeatingAdmin

    @property
    def admin_client(self) -> Any:  # noqa: ANN401  (Quix's)
        """The client that was given."""
        return self.client


def _is_missing(answer: "Future[Any]") -> bool:
    error = answer.exception()
    return isinstance(error, KafkaException) and error.args[0].code() in NO_ANSWER
