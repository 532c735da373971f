"""`pipeline.py` with settings that are not public: stock Quix's loop, small batches, slow and failing maps.

Variables, all optional, in addition to the pipeline's own:
    LOOP: `batches`, or `stock` for Quix's own loop.
    BATCH: the most records in a batch.
    SESSION_TIMEOUT_MS: the session timeout; the worker sends twelve heartbeats in this time.
    COMMIT_WHEN_IDLE: seconds without a record after which processed records are committed.
    MAP: `login`, `context` to write the result of `message_context()`, or `failing` to fail if a value is b"fail".
    SLOW_WHILE: a file; while it exists, each record takes SLOW_BY seconds more (default 0.001).
    STOP_AT: the number, from 1, of the record during which the pipeline sends itself SIGTERM.
    PEAK_MEMORY: a file; at the end, the peak memory in bytes is written to it.
    TRACE_BATCHES: a file; before each batch, a line with the number of its records is added to it.
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
from tools.process_state import usage
from transforms import Malformed, upper_device_type

STOP_AT = int(os.environ.get("STOP_AT", "0"))
SLOW_WHILE = Path(os.environ.get("SLOW_WHILE", os.devnull + "/none"))
SLOW_BY = float(os.environ.get("SLOW_BY", "0.001"))
TRACE_BATCHES = os.environ.get("TRACE_BATCHES")


_records = count(1)


def login(value: bytes | None) -> bytes | Malformed:
    """The pipeline's own map, with STOP_AT and SLOW_WHILE."""
    if next(_records) == STOP_AT:
        os.kill(os.getpid(), signal.SIGTERM)
    if SLOW_WHILE.exists():
        time.sleep(SLOW_BY)
    return upper_device_type(value)


def context(value: bytes | None) -> bytes | Malformed:
    """The message context of the current record, and its value."""
    found = message_context()
    place = f"{found.topic} {found.partition} {found.offset} {found.size} {found.leader_epoch}"
    return place.encode() + b" " + repr(value).encode()


def failing(value: bytes | None) -> bytes | Malformed:
    """The pipeline's own map, except that it fails on b"fail"."""
    if value == b"fail":
        raise MemoryError("meant to fail")  # any other exception tags the record
    return upper_device_type(value)


class TracedBatches(batching.Batches):
    """Batches that write their sizes to TRACE_BATCHES."""

    def handle(self, messages: list[Message], execute: batching.Execute) -> int:
        """Write the number of records to the file, then handle them."""
        assert TRACE_BATCHES is not None
        with Path(TRACE_BATCHES).open("a") as file:
            file.write(f"{len(messages)}\n")
        return super().handle(messages, execute)


def peak_memory() -> int:
    """The peak memory of this process, in bytes."""
    if used := usage(os.getpid()):  # on Linux, getrusage includes the memory of the process that started us
        return used.peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main() -> int:
    """Run the pipeline with these changes."""
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
