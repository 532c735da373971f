"""Runs one peer over a backlog: records per second, CPU per record, peak memory. The output is verified."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers import Peer
from benchmarks.processes import Route, Running, Sample
from benchmarks.topics import INPUT, OUTPUT, BenchmarkTopics
from benchmarks.verify import OutputCheck, output_check
from tools.generator.logins import GeneratedRecord
from tools.waiting import wait_until

_QUIET = 1.5  # seconds without a new record after which the output is taken to be complete
_SLOWEST = 1_000  # records/s of the slowest peer
Figures = dict[str, float]


@dataclass(frozen=True)
class BacklogSpec:
    """What a backlog contains: records that are repeated."""

    pool: Sequence[GeneratedRecord]
    count: int
    compression: str = "lz4"


@dataclass(frozen=True)
class Backlog:
    """A filled input topic of one partition."""

    topic: str
    pool: Sequence[GeneratedRecord]
    count: int


@dataclass(frozen=True)
class PeerRun:
    """The result of a run."""

    figures: Figures
    samples: list[Sample]
    per_second: dict[int, int]


def backlog(topics: BenchmarkTopics, pool: Sequence[GeneratedRecord], count: int) -> Backlog:
    """Make an input topic and fill it."""
    topic = topics.create(INPUT)
    topics.fill(topic, pool, count)
    return Backlog(topic, pool, count)


def measure(topics: BenchmarkTopics, peer: Peer, source: Backlog, count: int) -> PeerRun:
    """Let a peer process the last `count` records of a backlog.

    Raises:
        PeerFailed: it exited.
        WrongOutput: its output is wrong.
    """
    route, start = Route(topics.address, source.topic, topics.create(OUTPUT)), source.count - count
    topics.start_at(route.group, route.source, start)
    with Running(peer, route) as running:
        _finish(topics, running, route.target, count)
    check = output_check(source.pool, start, count, exact=peer.exact)
    return _result(topics, running, route.target, check)


def measure_workers(topics: BenchmarkTopics, peer: Peer, load: BacklogSpec, sharing: tuple[int, int]) -> PeerRun:
    """Let several processes of a peer share a backlog, which appears once all of them have their partitions.

    Args:
        topics: of the broker.
        peer: the program.
        load: the content of the backlog.
        sharing: numbers of partitions and processes.
    """
    partitions, workers = sharing
    route = Route(topics.address, topics.create(INPUT, partitions), topics.create(OUTPUT, partitions))
    show = topics.fill_unseen(route.source, load.pool, load.count, load.compression)
    with Running(peer, route, workers) as running:
        wait_until(lambda: topics.members(route.group) == workers, f"{workers} members of {route.group}")
        show()
        _finish(topics, running, route.target, load.count)
    topics.delete(route.source)
    check = output_check(load.pool, 0, load.count, partitions, exact=peer.exact)
    return _result(topics, running, route.target, check)


def _finish(topics: BenchmarkTopics, running: Running, target: str, count: int) -> None:
    """Wait until the output is complete, then stop the peer."""
    end, last, since = topics.ends(target), 0, time.monotonic()
    deadline = since + 60 + count / _SLOWEST
    while last < count or time.monotonic() - since < _QUIET:
        running.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{target} has {last} of {count} records")
        time.sleep(0.2)
        if (now := end()) != last:
            last, since = now, time.monotonic()
    running.stop()


def _result(topics: BenchmarkTopics, running: Running, target: str, check: OutputCheck) -> PeerRun:
    output = topics.read(target, check)
    topics.delete(target)
    check.finish()
    count = output.per_second.total()
    figures = {
        "records": count,
        "records_per_second": count / (output.last - output.first),
        "cpu_us": running.cpu_between(output.first, output.last) / count * 1e6,
        "peak_mb": running.peak,
    }
    return PeerRun(figures, running.samples, dict(sorted(output.per_second.items())))
