"""The checks of the connection, the brokers, the topics, transactions and the consumer group, listed in this order."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
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
from runtime.connect.replicas import IN_SYNC, lacking_replicas, replicas_error
from runtime.connect.topic_facts import TopicFacts, number
from runtime.connect.topic_ids import TopicIds
from runtime.connect.topics import check_dead_letters_fit, check_topics_fit, connect, topic_facts
from runtime.errors import PipelineError
from runtime.explain import explain
from runtime.loop.positions import Positions
from runtime.settings import Settings
from runtime.stop.signals import stop_request
from tools.check.finding import Check, Finding, collected_warnings, findings_of

CLOCKS_MAY_DIFFER = 60.0
"""Seconds by which the newest record's timestamp may be ahead of this machine's clock."""

_COORDINATOR_TIMEOUT = 20.0
"""Seconds to wait for a coordinator. There is time left to find out why there is none."""

_TURN = 0.1  # seconds between two looks at whether a signal asked to stop
_LATE = f"not checked: no complete answer within {limits.CHECK_TIMEOUT:.0f} s; `run` waits longer"
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
        self._answers: dict[str, Future[list[Finding]]] = {}  # by subject
        self._topics: dict[str, TopicFacts] = {}
        self._led: dict[str, Sequence[int]] = {}  # the partitions that have a leader

    def findings(self) -> Iterator[Finding]:
        """Yield each finding when it is made. If no broker answers, yield only those about the brokers."""
        found = findings_of("connection", self._connection, self._explain)  # it ends in time by itself
        yield from found
        if any(finding.state == "wrong" for finding in found):
            return
        for subject, check in self._checks():
            self._answers[subject] = in_background(partial(self._findings, subject, check))
        late = []
        for subject, answer in self._answers.items():
            while not (answer.done() or stop_request.requested or time.monotonic() > self._deadline):
                wait([answer], _TURN)
            if answer.done():
                yield from answer.result()
            else:
                late.append(subject)
        if late:
            yield from findings_of(late[0], partial(self._late, late), self._explain)

    def _checks(self) -> Iterator[tuple[str, Check]]:
        """Yield the subject of each check, and the check. All run at the same time."""
        settings = self._settings
        yield "brokers", self._brokers
        yield f"topic {settings.input}", partial(self._topic, settings.input, AclOperation.READ)
        for name in settings.topics[1:]:
            yield f"topic {name}", partial(self._topic, name, AclOperation.WRITE)
        yield "topics", self._all_topics
        if settings.processing_guarantee == "exactly-once":
            yield "transactions", self._transactions
        yield f"group {self._app.config.consumer_group}", self._group

    def _findings(self, subject: str, check: Check) -> list[Finding]:
        """Run a check. What `run` would log as a warning becomes a finding."""
        with collected_warnings() as warnings:
            found = findings_of(subject, check, self._explain)
        return [*(Finding("warning", subject, warning) for warning in warnings), *found]

    def _late(self, subjects: Sequence[str]) -> Iterator[Finding]:
        """What is said of checks that were not done in time. It raises an error if no broker answers any more."""
        self._cause = lambda error: error
        self._broker.repeating.list_topics(limits.CAUSE_TIMEOUT)
        yield from (Finding("warning", subject, _LATE) for subject in subjects)

    def _explain(self, error: Exception) -> PipelineError:
        cause = self._cause(error) if isinstance(error, KafkaException) else error
        return explain(cause, self._settings.broker, cloud=self._settings.address is None)

    def _connection(self) -> Iterator[Finding]:
        """Name resolution, TLS and login."""
        self._app, self._broker = connect(self._settings)
        connection = self._broker.connection
        self._causes = Causes(self._broker)
        self._cause = self._causes.explain
        protocol = connection.security_protocol or "plaintext"
        yield Finding("ok", "connection", f"{connection.bootstrap_servers}, {protocol}")

    def _brokers(self) -> Iterator[Finding]:
        """The version, and each broker's address, as the brokers advertise it."""
        version = kafka_version(self._broker.connection)
        yield Finding("ok" if version is KafkaVersion.SUPPORTED else "warning", "version", version.value)
        for node in sorted(self._broker.nodes(limits.START_TIMEOUT), key=lambda node: node.id):
            address = BrokerAddress(node.host, node.port)
            if problem := address.why_unreachable():  # `run` may do without it: another one can be reached
                error = sends_elsewhere(self._broker.address, {address: problem})
                yield Finding("warning", f"broker {node.id}", f"{error}")
            else:
                yield Finding("ok", f"broker {node.id}", f"{address}")

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
        description = self._broker.repeating.describe(facts.name, include_authorized_operations=True)
        self._led[facts.name] = [each.id for each in description.partitions if each.leader and each.leader.id >= 0]
        self._topics[name] = facts
        _require(description.authorized_operations, operation, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        if lacking := lacking_replicas(self._broker, description, number(facts.config, IN_SYNC, 1)):
            if operation is AclOperation.WRITE:
                raise lacking
            yield Finding("warning", f"topic {name}", f"{lacking}")  # `run` does not end
        replicas = min((len(partition.replicas) for partition in description.partitions), default=0)
        shown = " ".join(f"{key}={facts.config[key]}" for key in _SHOWN if key in facts.config)
        text = f"{facts.partitions} partitions, {replicas} replicas, {shown}, id {facts.topic_id}"
        yield Finding("ok", f"topic {name}", text)
        yield from self._newest(facts)

    def _all_topics(self) -> Iterator[Finding]:
        """Whether the other topics take what the input has."""
        self._wait_for_topics(*self._settings.topics)
        if len(self._topics) < len(self._settings.topics):
            return
        source, target, *dead_letters = (self._topics[name] for name in self._settings.topics)
        check_topics_fit(source, target)
        yield Finding("ok", "topics", "the output topic suits the input topic")
        for dead_letter in dead_letters:
            check_dead_letters_fit(source, target, dead_letter)
            yield Finding("ok", "topics", "the dead-letter topic suits the input topic")

    def _wait_for_topics(self, *names: str) -> None:
        wait([self._answers[f"topic {name}"] for name in names])

    def _newest(self, facts: TopicFacts) -> Iterator[Finding]:
        """Whether the newest timestamp is ahead of this machine's clock."""
        (newest,) = self._offsets(facts, OffsetSpec.max_timestamp())
        ahead = max((answer.timestamp / 1000 - time.time() for answer in newest.values()), default=0.0)
        if ahead > CLOCKS_MAY_DIFFER:
            text = f"the newest timestamp is {ahead:.0f} s ahead of this machine's clock: check it, and the producers'"
            yield Finding("warning", f"topic {facts.name}", text)

    def _transactions(self) -> Iterator[Finding]:
        """Whether a transactional producer gets an id. It begins no transaction."""
        name = f"{self._app.config.consumer_group}:check:"  # no worker's id ends with a colon
        producer = Producer({**self._client(), "transactional.id": name})
        try:
            with self._causes.explained(TRANSACTIONS):
                producer.init_transactions(_COORDINATOR_TIMEOUT)
        finally:
            unused: list[object] = [producer]
            del producer
            destroy(unused)
        yield Finding("ok", "transactions", f"the transactional id {name} is accepted")

    def _group(self) -> Iterator[Finding]:
        """The group's permission, members, offsets and lag."""
        group = self._app.config.consumer_group
        consumer = Consumer({**self._client(), "group.id": group})  # connects while others are asked
        with self._causes.explained(GROUPS):
            wait_for_group_coordinator(self._broker, group, self._settings.input, _COORDINATOR_TIMEOUT)
        if lacking := replicas_error(self._broker, GROUPS.topic, GROUPS.in_sync):  # a coordinator answers nevertheless
            raise lacking
        description = self._describe_group(group)
        if description is not None:
            _require(description.authorized_operations, AclOperation.READ, KafkaError.GROUP_AUTHORIZATION_FAILED)
        members = description.members if description is not None else []
        names = ", ".join(f"{member.client_id} at {member.host}" for member in members)
        state = f"members: {names or 'none'}"
        self._wait_for_topics(self._settings.input)
        source = self._topics.get(self._settings.input)
        lags = self._lags(source, consumer) if source else {}
        if source and lags:
            lag, number, offset = max((lag, number, offset) for number, (offset, lag) in lags.items())
            total = sum(each for _, each in lags.values())
            state += f"; lag {total}, at most {lag} in {source.name}[{number}]@{offset}"
        yield Finding("ok", f"group {group}", state)

    def _lags(self, source: TopicFacts, consumer: Consumer) -> Mapping[int, tuple[int, int]]:
        """By partition, the group's position and the number of offsets after it.

        A position that `run` refuses is an error.
        """
        lowest, highest = self._offsets(source, OffsetSpec.earliest(), OffsetSpec.latest())
        places = [TopicPartition(source.name, number) for number in lowest]
        positions = Positions(cast("Any", consumer), self._settings.auto_offset_reset)
        positions.topic_ids = TopicIds(self._broker.admin, {source.name: source.topic_id}, str)
        positions.assign(places)
        for place in places:
            end = highest[place.partition].offset
            if place.offset != OFFSET_BEGINNING and not lowest[place.partition].offset <= place.offset <= end:
                positions.out_of_range(place.topic, place.partition)
        at = {place.partition: max(place.offset, lowest[place.partition].offset) for place in places}
        return {number: (offset, highest[number].offset - offset) for number, offset in at.items()}

    def _offsets(self, facts: TopicFacts, *specs: OffsetSpec) -> list[dict[int, Any]]:
        """By partition that has a leader, the answer to each of these questions, which are asked together."""
        places = [TopicPartition(facts.name, number) for number in self._led[facts.name]]
        ask = partial(self._broker.repeating.list_offsets, request_timeout=limits.START_TIMEOUT)
        asked = [in_background(partial(ask, dict.fromkeys(places, spec))) for spec in specs]
        return [{place.partition: each.result() for place, each in answer.result().items()} for answer in asked]

    def _describe_group(self, group: str) -> ConsumerGroupDescription | None:
        """The group, or None if it does not exist yet."""
        ask = partial(self._broker.admin.describe_consumer_groups, request_timeout=limits.START_TIMEOUT)
        (answer,) = ask([group], include_authorized_operations=True).values()
        try:
            return answer.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise

    def _client(self) -> dict[str, Any]:
        return {**self._app.config.broker_address.as_librdkafka_dict(), "log_level": 0, "enable.auto.commit": False}


def _require(permitted: list[AclOperation] | None, operation: AclOperation, code: int) -> None:
    """Refuse if the broker tells the permitted operations and this one is missing."""
    if permitted and operation not in permitted:
        raise KafkaException(KafkaError(code, f"{operation.name.capitalize()} is not permitted"))
