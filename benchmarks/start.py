"""Measures how long a peer takes from the start of its process to its first record, and how long its imports take."""

import subprocess
import sys
import time
from contextlib import closing

from benchmarks.latency import read_all
from benchmarks.load import pool
from benchmarks.measure import Figures
from benchmarks.peers import Peer
from benchmarks.processes import ROOT, Route, Running, environment
from benchmarks.topics import INPUT, OUTPUT, BenchmarkTopics
from benchmarks.verify import output_check

_IMPORT = """
import time
begin, cpu = time.perf_counter(), time.process_time()
import {}
print(time.perf_counter() - begin, time.process_time() - cpu)
"""


def measure_start(topics: BenchmarkTopics, peer: Peer) -> Figures:
    """Start a peer while one record waits. Return the seconds until the broker and a read_committed reader have it.

    Raises:
        PeerFailed: it exited.
        WrongOutput: its output is wrong.
    """
    logins = pool()
    route = Route(topics.address, topics.create(INPUT), topics.create(OUTPUT))
    topics.fill(route.source, logins, 1)
    with closing(topics.reader(route.target)) as reader:
        begin = time.time()
        with Running(peer, route) as running:
            read_all(reader, running, 1)
            committed = time.time()
            running.stop()
    check = output_check(logins, 0, 1, exact=peer.exact)
    output = topics.read(route.target, check)
    check.finish()
    topics.delete(route.source, route.target)
    return {"first_record_s": output.first - begin, "committed_s": committed - begin}


def measure_import(module: str) -> Figures:
    """Import a module in a new process, which does nothing else. Return the seconds and the CPU seconds."""
    command = [sys.executable, "-c", _IMPORT.format(module)]
    run = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    seconds, cpu = map(float, run.stdout.split())
    return {"import_s": seconds, "import_cpu_s": cpu}
