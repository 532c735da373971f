"""What a broker tells about a topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.connect.topic_ids import NO_ID

DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
"""Kafka's."""


def number(config: Mapping[str, str], name: str, default: int) -> int:
    """Give a setting that is a whole number, or `default` if the broker does not report it or reports no number."""
    try:
        return int(config[name])
    except (KeyError, ValueError):
        return default


@dataclass(frozen=True)
class TopicFacts:
    """A topic's number of partitions, settings and id."""

    name: str
    partitions: int
    config: Mapping[str, str]
    topic_id: str = NO_ID

    @property
    def max_message_bytes(self) -> int:
        """The largest record batch that the topic accepts, or Kafka's default if the broker does not report it."""
        return number(self.config, "max.message.bytes", 0) or DEFAULT_MAX_MESSAGE_BYTES
