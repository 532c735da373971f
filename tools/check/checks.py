"""The checks of the connection, the brokers, both topics, transactions and the consumer group, in this order."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import closing
from functools import partial
from typing import Any, Literal, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclOperation, ConsumerGroupDescription, OffsetSpec
from quixstreams import Application
from quixstreams.models.topics.exceptions import TopicNotFoundError

from runtime import limits
from runtime.connect.addresses import BrokerAddress, sends_elsewhere
from runtime.connect.broker import BrokerAdmin, in_background
from runtime.connect.causes import Causes
from runtime.connect.coordinators import GROUPS, TRANSACTIONS, wait_for_group_coordinator
from runtime.connect.destroy import destroy
from runtime.connect.diagnose import KafkaVersion, kafka_version
from runtime.connect.replicas import replicas_error
from runtime.connect.topic_facts import TopicFacts
from runtime.connect.topic_ids import TopicIds
from runtime.connect.topics import check_dead_letters_fit, check_topics_fit, connect, topic_facts
from runtime.errors import PipelineError
from runtime.explain import explain
from runtime.loop.positions import Positions
from runtime.settings import Settings
from tools.check.finding import Check, Finding, collected_warnings, findings_of

CLOCKS_MAY_DIFFER = 60.0
"""Seconds by which the newest record's timestamp may be ahead of this machine's clock."""

_LEAST = 12.0
"""Seconds for a check: slow answers need most of them."""

_FOR_THE_CAUSE = 4.0
"""Seconds to find the cause of an error."""

_LATE = "not checked: answers are slow, and the time for all checks is limited; `run` waits longer"
_SHOWN = ("max.message.bytes", "cleanup.policy", "retention.ms", "message.timestamp.type")


class Checks:
    """All checks for these settings. None creates a topic, produces, joins the group or commits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._deadline = time.monotonic() + limits.CHECK_TIMEOUT
        self._app: Application
        self._broker: BrokerAdmin
        self._causes: Causes
        self._cause: Callable[[Exception], Exception] = lambda error: error
        self._topics: dict[str, TopicFacts] = {}
        self._led: dict[str, Sequence[int]] = {}  # the partitions that have a leader

    def findings(self) -> Iterator[Finding]:
        """Yield each finding when it is made; if no broker answers, only those about the brokers."""
        settings = self._settings
        found = findings_of("connection", self._connection, self._explain)  # it ends in time by itself
        yield from found
        if any(finding.state == "wrong" for finding in found):
            return
        yield from self._run("brokers", self._brokers)
        yield from self._run(f"topic {settings.input}", lambda: self._topic(settings.input, AclOperation.READ))
        for name in settings.topics[1:]:
            yield from self._run(f"topic {name}", partial(self._topic, name, AclOperation.WRITE))
        if len(self._topics) == len(settings.topics):
            yield from self._run("topics", self._all_topics)
        if settings.processing_guarantee == "exactly-once":
            yield from self._run("transactions", self._transactions)
        yield from self._run(f"group {self._app.config.consumer_group}", self._group)

    def _run(self, subject: str, check: Check) -> Iterator[Finding]:
        """Run a check until the deadline. What `run` would log as a warning becomes a finding."""
        if time.monotonic() > self._deadline - _LEAST:
            yield Finding("warning", subject, _LATE)
            return
        with collected_warnings() as warnings:
            answer = in_background(lambda: findings_of(subject, check, self._explain))
            wait([answer], self._deadline - time.monotonic())
        yield from (Finding("warning", subject, warning) for warning in warnings)
        late = partial(self._late, subject)
        yield from answer.result() if answer.done() else findings_of(subject, late, self._explain)

    def _late(self, subject: str) -> Iterator[Finding]:
        """What is said of a check that was not done in time; an error if no broker answers any more."""
        self._cause = lambda error: error
        self._broker.admin.list_topics(timeout=limits.CAUSE_TIMEOUT)
        yield Finding("warning", subject, _LATE)

    def _explain(self, error: Exception) -> PipelineError:
        cause = self._cause(error) if isinstance(error, KafkaException) else error
        return explain(cause, self._settings.broker, cloud=self._settings.address is None)

    def _connection(self) -> Iterator[Finding]:
        """Name resolution, TLS and login."""
        self._app, self._broker = connect(self._settings)
        connection = self._broker.connection
        self._causes = Causes(self._broker)
        self._cause = self._causes.explain
        yield Finding(
            "ok", "connection", f"{connection.bootstrap_servers}, {connection.security_protocol or 'plaintext'}"
        )

    def _brokers(self) -> Iterator[Finding]:
        """The version, and each broker's address, as the brokers advertise it."""
        version = kafka_version(self._broker.connection)
        state: Literal["ok", "warning"] = "ok" if version is KafkaVersion.SUPPORTED else "warning"
        yield Finding(state, "version", version.value)
        for node in sorted(self._broker.nodes(self._left()), key=lambda node: node.id):
            address = BrokerAddress(node.host, node.port)
            subject, problem = f"broker {node.id}", address.why_unreachable()
            if problem:
                error = sends_elsewhere(self._broker.address, {address: problem})
                yield Finding("wrong", subject, f"{error}", error.exit_code)
            else:
                yield Finding("ok", subject, f"{address}")

    def _topic(self, name: str, operation: AclOperation) -> Iterator[Finding]:
        """Whether the topic exists, its permissions and settings, and the newest timestamp."""
        if not self._app.is_quix_app:
            self._broker.check_topics_visible(name)
        try:
            topic = self._app.topic(name)
        except TopicNotFoundError:
            if not self._settings.auto_create_topics:
                raise
            yield Finding("warning", f"topic {name}", "does not exist; `run` will create it (AUTO_CREATE_TOPICS=true)")
            return
        facts = topic_facts(self._broker, topic, cloud=self._app.is_quix_app)
        self._topics[name] = facts
        description = self._broker.repeating.describe(facts.name, self._left(), include_authorized_operations=True)
        _require(description.authorized_operations, operation, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        self._led[facts.name] = [each.id for each in description.partitions if each.leader and each.leader.id >= 0]
        if lacking := replicas_error(self._broker, facts.name):
            if operation is AclOperation.WRITE:
                raise lacking
            yield Finding("warning", f"topic {name}", f"{lacking}")  # `run` does not end
        replicas = min((len(partition.replicas) for partition in description.partitions), default=0)
        shown = " ".join(f"{key}={facts.config[key]}" for key in _SHOWN if key in facts.config)
        yield Finding(
            "ok", f"topic {name}", f"{facts.partitions} partitions, {replicas} replicas, {shown}, id {facts.topic_id}"
        )
        yield from self._newest(facts)

    def _all_topics(self) -> Iterator[Finding]:
        """Whether the other topics take what the input has."""
        source, target, *dead_letters = (self._topics[name] for name in self._settings.topics)
        check_topics_fit(source, target)
        yield Finding("ok", "topics", "the output topic suits the input topic")
        for dead_letter in dead_letters:
            check_dead_letters_fit(source, target, dead_letter)
            yield Finding("ok", "topics", "the dead-letter topic suits the input topic")

    def _newest(self, facts: TopicFacts) -> Iterator[Finding]:
        """Whether the newest timestamp is ahead of this machine's clock."""
        newest = self._offsets(facts, OffsetSpec.max_timestamp())
        ahead = max((answer.timestamp / 1000 - time.time() for answer in newest.values()), default=0.0)
        if ahead > CLOCKS_MAY_DIFFER:
            yield Finding(
                "warning",
                f"topic {facts.name}",
                f"the newest timestamp is {ahead:.0f} s ahead of this machine's clock: check the clocks of the "
                "producers and of this machine",
            )

    def _transactions(self) -> Iterator[Finding]:
        """Whether a transactional producer gets an id; it begins no transaction."""
        name = f"{self._app.config.consumer_group}:check:"  # no worker's id ends with a colon
        producer = Producer({**self._client(), "transactional.id": name})
        try:
            with self._causes.explained(TRANSACTIONS):
                producer.init_transactions(max(_LEAST - _FOR_THE_CAUSE, self._left() / 2))
        finally:
            unused: list[object] = [producer]
            del producer
            destroy(unused)
        yield Finding("ok", "transactions", f"the transactional id {name} is accepted")

    def _group(self) -> Iterator[Finding]:
        """The group's permission, members, offsets and lag."""
        group = self._app.config.consumer_group
        with self._causes.explained(GROUPS):
            wait_for_group_coordinator(self._broker, group, self._settings.input, self._left())
        description = self._describe_group(group)
        if description is not None:
            _require(description.authorized_operations, AclOperation.READ, KafkaError.GROUP_AUTHORIZATION_FAILED)
        members = description.members if description is not None else []
        names = ", ".join(f"{member.client_id} at {member.host}" for member in members)
        state = f"members: {names or 'none'}"
        source = self._topics.get(self._settings.input)
        lags = self._lags(source) if source else {}
        if source is None or not lags:
            yield Finding("ok", f"group {group}", state)
            return
        lag, number, offset = max((lag, number, offset) for number, (offset, lag) in lags.items())
        shown = f"lag {sum(each for _, each in lags.values())}, at most {lag} in {source.name}[{number}]@{offset}"
        yield Finding("ok", f"group {group}", f"{state}; {shown}")

    def _lags(self, source: TopicFacts) -> Mapping[int, tuple[int, int]]:
        """By partition, the group's position and the offsets after it; a position that `run` refuses is an error."""
        lowest, highest = (self._offsets(source, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
        places = [TopicPartition(source.name, number) for number in lowest]
        with closing(Consumer({**self._client(), "group.id": self._app.config.consumer_group})) as consumer:
            positions = Positions(cast("Any", consumer), self._settings.auto_offset_reset)
            positions.topic_ids = TopicIds(self._broker.admin, {source.name: source.topic_id}, str)
            positions.assign(places)
            for place in places:
                if not lowest[place.partition].offset <= place.offset <= highest[place.partition].offset:
                    positions.out_of_range(place.topic, place.partition)
        at = {place.partition: max(place.offset, lowest[place.partition].offset) for place in places}
        return {number: (offset, highest[number].offset - offset) for number, offset in at.items()}

    def _offsets(self, facts: TopicFacts, spec: OffsetSpec) -> dict[int, Any]:
        led = self._led.get(facts.name, range(facts.partitions))
        asked = {TopicPartition(facts.name, number): spec for number in led}
        answers = self._broker.admin.list_offsets(asked, request_timeout=self._left())
        return {place.partition: answer.result() for place, answer in answers.items()}

    def _describe_group(self, group: str) -> ConsumerGroupDescription | None:
        """The group; None if it does not exist yet."""
        (answer,) = self._broker.admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=self._left()
        ).values()
        try:
            return answer.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise

    def _client(self) -> dict[str, Any]:
        return {**self._app.config.broker_address.as_librdkafka_dict(), "log_level": 0, "enable.auto.commit": False}

    def _left(self) -> float:
        return max(_LEAST, self._deadline - time.monotonic()) - _FOR_THE_CAUSE


def _require(permitted: list[AclOperation] | None, operation: AclOperation, code: int) -> None:
    """Refuse if the broker tells the permitted operations and this one is missing."""
    if permitted and operation not in permitted:
        raise KafkaException(KafkaError(code, f"{operation.name.capitalize()} is not permitted"))
