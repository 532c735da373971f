"""Makes topics that keep what is written to them, however old the timestamps."""

from collections.abc import Mapping

from tests.kafka import Kafka


def topic_without_retention(
    kafka: Kafka, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
) -> str:
    """Create a topic; half a minute after its start, a broker deletes what is older than a week by default."""
    return kafka.create_topic(name, partitions, {"retention.ms": "-1", **(config or {})})
