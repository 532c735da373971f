"""Measures the latency from sending a record until a read_committed reader of the output topic has it."""

import time
from contextlib import closing
from typing import Any

from benchmarks.load import pool
from benchmarks.measure import Figures
from benchmarks.peers import Peer
from benchmarks.processes import Route, Running
from benchmarks.sender import sending
from benchmarks.topics import INPUT, OUTPUT, BenchmarkTopics
from benchmarks.verify import WrongOutput

WARM_UP = 3.0  # seconds whose records are not counted
_TIMEOUT = 60.0  # seconds


def measure_latency(topics: BenchmarkTopics, peer: Peer, rate: int, seconds: float) -> Figures:
    """Send `rate` records per second for `seconds`, after a warm-up. Return percentiles in milliseconds."""
    route = Route(topics.address, topics.create(INPUT), topics.create(OUTPUT))
    topics.fill(route.source, pool(), 1)
    with (
        closing(topics.reader(route.target)) as reader,
        Running(peer, route) as running,
    ):
        read_all(reader, running, 1)  # it has started
        with sending(route.address, route.source, rate, WARM_UP + seconds):
            seen = read_all(reader, running, int(rate * (WARM_UP + seconds)))
        running.stop()
    topics.delete(route.source, route.target)
    return _percentiles(seen)


def percentile(ordered: list[float], share: float) -> float:
    """The value at this share of the ordered list."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def read_all(reader: Any, running: Running, count: int) -> dict[int, int]:  # noqa: ANN401  (it has no types)
    """Wait for this many records. Return the nanoseconds that each took, by time of sending."""
    seen: dict[int, int] = {}
    found, deadline, checked = 0, time.monotonic() + _TIMEOUT + WARM_UP, 0.0
    while found < count:
        first = reader.poll(0.1)
        now = time.monotonic_ns()
        for message in [first, *reader.consume(1000, 0)] if first is not None else []:
            if not message.error():
                found += 1
                key = message.key() or b""
                seen[int(key) if key.isdigit() else -found] = now
        if time.monotonic() > checked + 1:
            running.check()
            checked = time.monotonic()
        if checked > deadline:
            raise TimeoutError(f"{found} of {count} records arrived")
    if len(seen) != count:
        raise WrongOutput(f"{found} records arrived, but only {len(seen)} different ones of {count}")
    return {sent: arrived - sent for sent, arrived in seen.items()}


def _percentiles(seen: dict[int, int]) -> Figures:
    begin = min(seen) + WARM_UP * 1e9
    taken = sorted(nanoseconds / 1e6 for sent, nanoseconds in seen.items() if sent >= begin)
    return {
        "records": len(taken),
        "p50_ms": percentile(taken, 0.5),
        "p99_ms": percentile(taken, 0.99),
        "p999_ms": percentile(taken, 0.999),
        "max_ms": taken[-1],
    }
