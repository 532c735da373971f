"""Sends logins to a topic at a steady rate, as the original's generator did: `python -m tools.generator`.

Settings are variables of the process's environment; `.env` is the pipeline's and is not read.

    output           the topic (default: user-login); KAFKA_TOPIC, the original's name, also works
    RATE             records per second (default: 2); 0 for as fast as possible
    COUNT            how many records to send (default: 0, no end)
    SEED             a whole number: the same records every time, except for `timestamp` (default: random)
    MALFORMED        the share of malformed records, 0 to 1, in addition to 5 % without `device_type` (default: 0)
    TOPIC_PARTITIONS of the topic, if it is created (default: 1)

The broker's settings, LOG_LEVEL, LOG_FORMAT, HTTP_PORT and HTTP_HOST are the pipeline's (it is ready once the topic
exists); BOOTSTRAP_SERVERS also works for Quix__Broker__Address.
When it stops, one line on standard output says what it sent. Exit codes are those of runtime/errors.py.
"""

import argparse
import math
import time
from collections import Counter
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from confluent_kafka import KafkaError, Message
from pydantic import Field, model_validator
from quixstreams import Application
from quixstreams.kafka import Producer
from quixstreams.models import TopicConfig
from quixstreams.models.topics.exceptions import CreateTopicFailure, CreateTopicTimeout, TopicPermissionError

from runtime.command import run_command
from runtime.connect.broker import BrokerAdmin
from runtime.connect.quix_cloud import quix_cloud
from runtime.connect.repeating_admin import RepeatingTopicManager
from runtime.errors import Failed, PipelineError, Refused, Unavailable
from runtime.explain import explain, start_one
from runtime.observe.health import Health
from runtime.observe.output import say
from runtime.settings import ADDRESS, BrokerSettings
from runtime.settings.values import TOPIC_NAME, Topic, Unset, setting
from runtime.stop.signals import stop_request
from tools.generator.logins import MALFORMED_KINDS, WELL_FORMED, GeneratedRecord, records
from tools.generator.manifest import ManifestWriter
from tools.generator.schedule import Schedule

DELIVERY_TIMEOUT = 60.0
"""Seconds for which a record is tried again before it counts as not delivered."""

STOP_TIMEOUT = 5.0
"""Seconds for the delivery of the last records, after a request to stop."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1  # above 100 records/s, several are sent after each pause

_LARGEST = 2**63 - 1
_OTHER_NAMES = {"output": "KAFKA_TOPIC", ADDRESS: "BOOTSTRAP_SERVERS"}
_OWN_SETTINGS = {
    "AUTO_CREATE_TOPICS": "`output`, TOPIC_PARTITIONS",
    "Read on `input`, Write on `output` and `dead_letter`": "Describe, DescribeConfigs and Write on `output`",
}
"""What the texts of runtime/explain.py name, and what the generator has instead."""


class GeneratorSettings(BrokerSettings):
    """The generator's settings. The module's docstring explains them."""

    topic: Topic = setting("output", "user-login", f"{TOPIC_NAME} (KAFKA_TOPIC also sets it)")
    topic_partitions: Annotated[int, Field(ge=1, le=1000)] = setting(
        "TOPIC_PARTITIONS", 1, "a whole number from 1 to 1000"
    )
    rate: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = setting(
        "RATE", 2.0, "records per second up to 1000000, or 0 for as fast as it goes"
    )
    count: Annotated[int, Field(ge=0, le=_LARGEST)] = setting(
        "COUNT", 0, f"a whole number of records up to {_LARGEST}, or 0 for no end"
    )
    seed: Annotated[Annotated[int, Field(ge=0, le=_LARGEST)] | None, Unset] = setting(
        "SEED", None, f"a whole number from 0 to {_LARGEST}"
    )
    malformed: Annotated[float, Field(ge=0, le=1)] = setting("MALFORMED", 0.0, "a share from 0 to 1")

    @model_validator(mode="before")
    @classmethod
    def _understand_the_original_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        meant = {name: values.get(other) for name, other in _OTHER_NAMES.items() if not values.get(name)}
        return values | {name: value for name, value in meant.items() if value}


class Sender:
    """Sends records, and counts them by reason. Each delivered one goes into the manifest, if there is one."""

    def __init__(
        self, producer: Producer, topic: str, settings: GeneratorSettings, manifest: ManifestWriter | None = None
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.not_delivered = 0
        self.health = Health()
        self._error: KafkaError | None = None
        self._producer = producer
        self._topic = topic
        self._settings = settings
        self._manifest = manifest

    def run(self) -> None:
        """Send until COUNT is reached, or SIGINT or SIGTERM asks to stop, and wait for delivery.

        Raises:
            PipelineError: a record was not delivered in time, or the broker refused one.
        """
        schedule = Schedule(self._settings.rate, time.monotonic())
        source = records(self._settings.seed, self._settings.malformed, time.time)
        left = self._settings.count or math.inf
        while left and not self._error and not stop_request.requested:
            self.health.heartbeat()
            pause = schedule.pause(time.monotonic())
            if pause > 0:
                self._producer.poll(min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE))
                continue
            self._send(next(source))
            schedule.sent(time.monotonic())
            left -= 1
        self._wait_for_delivery()
        self._raise_if_not_delivered()

    def _send(self, record: GeneratedRecord) -> None:
        """Pass one record to the producer once its queue has room, unless asked to stop."""
        on_delivery = partial(self._on_delivery, record)
        while not stop_request.requested and not self._error:
            try:
                self._producer.produce(
                    self._topic, record.value, record.key, buffer_error_max_tries=1, on_delivery=on_delivery
                )
            except BufferError:
                self._producer.poll(_LONGEST_PAUSE)
            else:
                self.sent[record.reason] += 1
                return

    def _on_delivery(self, record: GeneratedRecord, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.not_delivered += 1
            self._error = self._error or error
        elif self._manifest:
            self._manifest.add(record, message.partition(), message.offset())

    def _wait_for_delivery(self) -> None:
        deadline = math.inf
        while waiting := self._producer.flush(_LONGEST_PAUSE):
            if stop_request.requested:
                deadline = min(deadline, time.monotonic() + STOP_TIMEOUT)
            if time.monotonic() > deadline:
                self.not_delivered += waiting
                return

    def _raise_if_not_delivered(self) -> None:
        if self._error and self._error.code() != KafkaError._MSG_TIMED_OUT:  # noqa: SLF001  (a public code)
            kind = Refused if self._error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED else Failed
            raise kind(
                f"the topic {self._topic!r} (`output`) does not take the records: {self._error.str()}; correct its "
                "settings or permissions, or use another topic"
            )
        if self.not_delivered:
            hint = start_one(self._settings.address or "")
            raise Unavailable(f"the broker did not take {self.not_delivered} records in time{hint}")

    def __str__(self) -> str:
        by_reason = ", ".join(
            f"{reason} {self.sent[reason]}" for reason in (WELL_FORMED, *MALFORMED_KINDS) if self.sent[reason]
        )
        parts = [f"{self.sent.total()} sent to {self._settings.topic}" + (f" ({by_reason})" if by_reason else "")]
        if self.not_delivered:
            parts.append(f"{self.not_delivered} of them not delivered")
        return ", ".join(parts)


def run(settings: GeneratorSettings, manifest: ManifestWriter | None) -> None:
    """Create the topic if it is missing, send, and print what was sent.

    Raises:
        PipelineError: the broker does not answer, or refuses.
    """
    known, topics = settings.connection(), RepeatingTopicManager(auto_create_topics=True)
    app = Application(
        known,
        quix_config_builder=quix_cloud(settings),
        quix_portal_api=settings.portal_api,
        loglevel=None,
        use_changelog_topics=False,
        topic_manager=topics if known else None,
        producer_extra_config={
            "delivery.timeout.ms": int(DELIVERY_TIMEOUT * 1000),
            "delivery.report.only.error": manifest is None,
        },
    )
    broker = BrokerAdmin(app.config.broker_address, cloud=app.is_quix_app)
    broker.wait()
    topics.use(broker.repeating)
    replicas = None if app.is_quix_app else -1  # the platform's or the broker's own default
    try:
        topic = app.topic(settings.topic, config=TopicConfig(settings.topic_partitions, replicas))
    except (CreateTopicFailure, CreateTopicTimeout, TopicPermissionError) as error:
        raise _with_own_settings(explain(error, settings.broker, cloud=settings.address is None)) from error
    sender = Sender(app.get_producer(), topic.name, settings, manifest)
    try:
        with sender.health.served(*settings.http):
            sender.run()
    finally:
        say(f"generator: {sender}")


def _with_own_settings(error: PipelineError) -> PipelineError:
    text = f"{error}"
    for name, own in _OWN_SETTINGS.items():
        text = text.replace(name, own)
    return type(error)(text)


def main() -> int:
    """Run with the command line and the settings. Return an exit code of runtime/errors.py."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tools.generator", description=__doc__, formatter_class=formatter)
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="add a JSON line for each delivered record: docs/verify.md"
    )
    file = parser.parse_args().manifest

    def run_with_manifest(settings: GeneratorSettings) -> None:
        with ManifestWriter(file) if file else nullcontext() as manifest:
            run(settings, manifest)

    return run_command(GeneratorSettings, None, run_with_manifest)
