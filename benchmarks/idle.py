"""Measures the CPU time of a worker that has little or nothing to do."""

import time
from contextlib import closing

from benchmarks.latency import read_all
from benchmarks.load import pool
from benchmarks.measure import Figures
from benchmarks.peers import Peer
from benchmarks.processes import Route, Running
from benchmarks.sender import sending
from benchmarks.topics import INPUT, OUTPUT, BenchmarkTopics

SETTLED = 10.0  # seconds after the first record, whose CPU time is not counted


def measure_idle(topics: BenchmarkTopics, peer: Peer, rate: int, seconds: float) -> Figures:
    """Let a peer process one record, then `rate` records per second. Return its CPU time in percent of a core.

    Raises:
        PeerFailed: it exited.
        WrongOutput: records are duplicated.
    """
    route = Route(topics.address, topics.create(INPUT), topics.create(OUTPUT))
    topics.fill(route.source, pool(), 1)
    with closing(topics.reader(route.target)) as reader, Running(peer, route) as running:
        read_all(reader, running, 1)
        with sending(route.address, route.source, rate, SETTLED + seconds):
            time.sleep(SETTLED)
            begin = time.time()
            time.sleep(seconds)
            end = time.time()
            read_all(reader, running, int(rate * (SETTLED + seconds)))
        running.stop()
    topics.delete(route.source, route.target)
    return {"cpu_percent": running.cpu_between(begin, end) / (end - begin) * 100}
