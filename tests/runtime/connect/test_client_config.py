"""The configuration of the Kafka clients, and the client library itself."""

import logging
import re

import pytest
from confluent_kafka import Producer

from runtime import limits
from runtime.connect.client_config import consumer_config, producer_config, topic_config
from runtime.connect.topic_facts import TopicFacts
from runtime.settings import Settings
from tools.waiting import wait_until


def settings(**changed: object) -> Settings:
    """Settings with COMMIT_INTERVAL=2 and these values."""
    return Settings.model_validate({"COMMIT_INTERVAL": "2", "Quix__Consumer_Group": "group", **changed})


@pytest.mark.parametrize(
    ("instance_id", "commit_timeout"),
    [(None, limits.COMMIT_TIMEOUT), ("worker-1", limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID)],
)
def test_timeouts(instance_id: str | None, commit_timeout: float) -> None:
    """Session and transaction may last for COMMIT_INTERVAL and the limit in runtime/limits.py."""
    configured = settings(INSTANCE_ID=instance_id)
    assert consumer_config(configured)["session.timeout.ms"] == (2 + limits.SESSION_TIMEOUT) * 1000
    assert producer_config(configured)["transaction.timeout.ms"] == (2 + commit_timeout) * 1000


def test_static_member() -> None:
    """A worker is a static member of its group if it has an INSTANCE_ID."""
    assert consumer_config(settings(INSTANCE_ID="worker-1"))["group.instance.id"] == "worker-1"
    assert "group.instance.id" not in consumer_config(settings())


def test_transactional_id() -> None:
    """It begins with the group's name and is unique: to the INSTANCE_ID, or to the process."""
    assert producer_config(settings(INSTANCE_ID="worker-1"))["transactional.id"] == "group:worker-1"
    first, second = (str(producer_config(settings())["transactional.id"]) for _ in range(2))
    assert first.startswith("group:")
    assert first != second


@pytest.mark.parametrize(
    ("partitions", "max_message_bytes", "queue", "batch"),
    [
        ([4], [1_048_588], 16_384, 1_000_000),
        ([4], [20_000], 16_384, 20_000),
        ([4, 4], [1_048_588, 20_000], 16_384, 20_000),
        ([32, 32], [1_048_588, 1_048_588], 16_384, 262_144),
        ([5_000], [1_048_588], 16_384, 16_384),
        ([5_000], [10_000], 16_384, 10_000),
        ([4], [100_000_000], 195_312, 1_000_000),
    ],
)
def test_full_queue(partitions: list[int], max_message_bytes: list[int], queue: int, batch: int) -> None:
    """A batch fits every topic. A full queue has a whole batch of some partition, unless batches are small already."""
    configs = ({"max.message.bytes": f"{limit}"} for limit in max_message_bytes)
    config = topic_config([TopicFacts("any", *facts) for facts in zip(partitions, configs, strict=True)])
    assert (config["queue.buffering.max.kbytes"], config["batch.size"]) == (queue, batch)
    assert batch * sum(partitions) <= queue * 1024 or batch <= 16_384


@pytest.mark.parametrize(("guarantee", "linger"), [("exactly-once", 500), ("at-least-once", None)])
def test_linger(guarantee: str, linger: int | None) -> None:
    """Records wait for a full batch or for the commit only if no reader can have them before the commit."""
    assert producer_config(settings(PROCESSING_GUARANTEE=guarantee)).get("linger.ms") == linger


def test_openssl() -> None:
    """The client carries OpenSSL 3.5 or later, a line that gets security fixes."""
    lines: list[str] = []
    log = logging.getLogger("openssl")
    log.setLevel(logging.DEBUG)
    log.addHandler(_Lines(lines))
    secure = {"bootstrap.servers": "127.0.0.1:9", "security.protocol": "ssl"}
    client = Producer({**secure, "debug": "security", "logger": log})

    def version() -> re.Match[str] | None:
        client.poll(0.1)
        return re.search(r"OpenSSL version OpenSSL (\d+)\.(\d+)\.", "\n".join(lines))

    found = wait_until(version, "the line with OpenSSL's version")
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (3, 5)


class _Lines(logging.Handler):
    """Keeps the messages."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
