"""The versions of the libraries that matter most: quixstreams, librdkafka and its OpenSSL."""

import logging
import re
from contextlib import suppress

import confluent_kafka
import quixstreams

_OPENSSL = re.compile(r"OpenSSL version OpenSSL (\S+)")


def versions() -> dict[str, str]:
    """Give the versions, by library, with empty text for one that is not known."""
    return {
        "quixstreams": quixstreams.__version__,
        "librdkafka": confluent_kafka.libversion()[0],
        "openssl": _openssl(),
    }


def _openssl() -> str:
    """Find the version in the debug log of a client that does not connect. librdkafka gives it nowhere else."""
    lines = _Lines()
    log = logging.Logger("openssl", logging.DEBUG)  # noqa: LOG001  (no other code configures it, and it is not kept)
    log.addHandler(lines)
    with suppress(confluent_kafka.KafkaException):
        confluent_kafka.Producer({"security.protocol": "ssl", "debug": "security", "logger": log}).poll(0)
    found = _OPENSSL.search("\n".join(lines.texts))
    return found[1] if found else ""


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
