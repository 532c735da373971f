"""What a broker tells about a topic, and what it may not tell."""

import pytest

from runtime.connect.topic_facts import TopicFacts

LIMIT = "max.message.bytes"


@pytest.mark.parametrize(
    ("config", "limit"), [({LIMIT: "54321"}, 54_321), ({}, 1_048_588), ({LIMIT: "none"}, 1_048_588)]
)
def test_max_message_bytes(config: dict[str, str], limit: int) -> None:
    """The largest record batch is a number of bytes: Kafka's default if the broker does not report a number."""
    assert TopicFacts("out", 1, config).max_message_bytes == limit
