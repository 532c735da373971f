"""The versions of the libraries."""

import confluent_kafka
import quixstreams

from runtime.observe.versions import versions


def test_versions() -> None:
    """They are those in use, and OpenSSL's is that of the Kafka client."""
    found = versions()
    assert found["quixstreams"] == quixstreams.__version__
    assert found["librdkafka"] == confluent_kafka.libversion()[0]
    assert [int(part) for part in found["openssl"].split(".")[:2]] >= [3, 5]
