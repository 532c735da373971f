"""The Kafka client that is installed."""

import logging
import re

from confluent_kafka import Producer

from tools.waiting import wait_until


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
