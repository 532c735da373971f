"""`pipeline.py` with what it has no public setting for: stock Quix's loop, small batches, slow and failing maps.

Variables, all optional, beside the pipeline's own:
    LOOP: `batches`, or `stock` for Quix's own loop.
    BATCH: the most records in a batch.
    SESSION_TIMEOUT_MS: after how long without a heartbeat the group gives this worker up; it sends twelve meanwhile.
    COMMIT_WHEN_IDLE: after how many seconds without a record those that are handled are committed.
    MAP: `login`, `context` to write what `message_context()` gives, or `failing` to fail where a value is b"fail".
    SLOW_WHILE: a file; while it is there, each record takes SLOW_BY seconds more, a thousandth by default.
    STOP_AT: in this record, counted from 1, it sends itself SIGTERM.
    PEAK_MEMORY: a file, to which the most memory that was in use, in bytes, is written at the end.
    TRACE_BATCHES: a file, to which each batch adds a line with the number of its records before it is handled.
"""

import os
import resource
import signal
import sys
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":
    from runtime.stop.signals import stop_request

    stop_request.listen()  # before the slow imports

from confluent_kafka import Message
from quixstreams import message_context

import pipeline
from benchmarks.single_records import SingleRecords
from runtime import limits
from runtime.connect import client_config as clients
from runtime.loop import application
from runtime.loop import batches as batching
from transforms import Malformed, upper_device_type

STOP_AT = int(os.environ.get("STOP_AT", "0"))
SLOW_WHILE = Path(os.environ.get("SLOW_WHILE", os.devnull + "/none"))
SLOW_BY = float(os.environ.get("SLOW_BY", "0.001"))
TRACE_BATCHES = os.environ.get("TRACE_BATCHES")


_records = count(1)


def login(value: bytes | None) -> bytes | Malformed:
    """What the pipeline does."""
    if next(_records) == STOP_AT:
        os.kill(os.getpid(), signal.SIGTERM)
    if SLOW_WHILE.exists():
        time.sleep(SLOW_BY)
    return upper_device_type(value)


def context(value: bytes | None) -> bytes | Malformed:
    """What Quix says of the record in hand, and its value."""
    found = message_context()
    place = f"{found.topic} {found.partition} {found.offset} {found.size} {found.leader_epoch}"
    return place.encode() + b" " + repr(value).encode()


def failing(value: bytes | None) -> bytes | Malformed:
    """What the pipeline does, up to a value on which it fails."""
    if value == b"fail":
        raise MemoryError("told to fail")  # any other exception tags the record
    return upper_device_type(value)


class TracedBatches(batching.Batches):
    """Batches that leave a trace."""

    def handle(self, messages: list[Message], execute: batching.Execute) -> int:
        """Write down how many there are, first."""
        assert TRACE_BATCHES is not None
        with Path(TRACE_BATCHES).open("a") as file:
            file.write(f"{len(messages)}\n")
        return super().handle(messages, execute)


def peak_memory() -> int:
    """The most bytes of memory that this process had in use."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage counts what the process that started us had in use
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main() -> int:
    """Run the pipeline so changed."""
    first = {"login": login, "context": context, "failing": failing}[os.environ.get("MAP", "login")]
    pipeline.TRANSFORMS = (first, *pipeline.TRANSFORMS[1:])
    if os.environ.get("LOOP") == "stock":
        pipeline.Application = SingleRecords  # type: ignore[attr-defined]
    batching.BATCH = int(os.environ.get("BATCH", batching.BATCH))
    limits.COMMIT_WHEN_IDLE = float(os.environ.get("COMMIT_WHEN_IDLE", limits.COMMIT_WHEN_IDLE))
    if session_timeout := os.environ.get("SESSION_TIMEOUT_MS"):
        clients.CONSUMER |= {
            "session.timeout.ms": int(session_timeout),
            "max.poll.interval.ms": max(int(session_timeout), int(limits.POLL_TIMEOUT * 1000)),
            "heartbeat.interval.ms": int(session_timeout) // 12,
        }
    if TRACE_BATCHES:
        application.Batches = TracedBatches  # type: ignore[attr-defined]
    try:
        return pipeline.main()
    finally:
        if file := os.environ.get("PEAK_MEMORY"):
            Path(file).write_text(str(peak_memory()))


if __name__ == "__main__":
    sys.exit(main())
