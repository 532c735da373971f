"""Sends logins at a steady rate, as a separate process, each with the time of sending as its key.

`python -m benchmarks.sender address topic records_per_second seconds`
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.load import pool
from tools.child_process import ChildProcess

_ROOT = Path(__file__).parent.parent


@contextmanager
def sending(address: str, topic: str, rate: int, seconds: float) -> Iterator[None]:
    """Send from a separate process, as `main` does, while the block runs."""
    command = [sys.executable, "-m", "benchmarks.sender", address, topic, str(rate), str(seconds)]
    sender = ChildProcess(command, cwd=_ROOT)
    try:
        yield
    finally:
        sender.end()


def main(address: str, topic: str, rate: str, seconds: str) -> None:
    """Send each record when it is due. Its key is `time.monotonic_ns()`, a clock that all processes share."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "delivery.report.only.error": True})
    records, count = cycle(pool()), int(int(rate) * float(seconds))
    sent, start = 0, time.monotonic()
    while sent < count:
        due = min(count, int((time.monotonic() - start) * int(rate)))
        for _ in range(due - sent):
            producer.produce(topic, next(records).value, str(time.monotonic_ns()))
        sent = due
        producer.poll(0)
        time.sleep(0.001)
    producer.flush(30)


if __name__ == "__main__":
    main(*sys.argv[1:])
