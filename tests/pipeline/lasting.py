"""Creates topics that keep records of any age."""

from collections.abc import Mapping

from tests.kafka import Kafka


def topic_without_retention(
    kafka: Kafka, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
) -> str:
    """Create a topic without a retention time; by default, a broker deletes records that are older than a week."""
    return kafka.create_topic(name, partitions, {"retention.ms": "-1", **(config or {})})
