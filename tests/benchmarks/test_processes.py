"""The processes of peers: their environment, CPU and memory, and failures."""

import sys
import time
from pathlib import Path

import pytest

from benchmarks.peers import OURS, PEERS, STOCK, Peer, python
from benchmarks.processes import PeerFailed, Route, Running, _arguments, _environment

ROUTE = Route("127.0.0.1:9", "in", "out")


def test_ours_runs_with_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in our own environment do not reach the pipeline, but the guarantee and the topics do."""
    monkeypatch.setenv("COMMIT_EVERY", "1000000")
    found = _environment(PEERS[OURS], ROUTE)
    assert "COMMIT_EVERY" not in found
    assert (found["input"], found["output"], found["PROCESSING_GUARANTEE"]) == ("in", "out", "exactly-once")
    assert _arguments(PEERS[OURS], ROUTE) == []


def test_others_take_arguments() -> None:
    """The other peers get address, topics, group and guarantee as arguments."""
    assert _arguments(PEERS[STOCK], ROUTE) == ["127.0.0.1:9", "in", "out", "group-of-out", "exactly-once"]


def test_a_peer_that_ends_is_noticed() -> None:
    """A peer that exits by itself is an error that shows its output."""
    failed = pytest.raises(PeerFailed, match=r"No module named benchmarks\.no_such_module")
    with Running(Peer("missing", python("benchmarks.no_such_module")), ROUTE) as running, failed:
        _check_for(120, running)


@pytest.mark.skipif(not Path("/proc").exists(), reason="the benchmark reads /proc")
def test_cpu_and_memory_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy process has plausible CPU seconds and memory, and stops on request."""
    monkeypatch.setattr("benchmarks.processes._arguments", lambda *_: ["-n1", "-r1", "while True: pass"])
    with Running(Peer("busy", python("timeit")), ROUTE) as running:
        begin = time.time()
        deadline = time.monotonic() + 120
        while (len(running.samples) < 3 or running.samples[-1].cpu < 0.3) and time.monotonic() < deadline:
            time.sleep(0.02)
        end = time.time()
        running.stop()
    assert 0.1 < running.cpu_between(begin, end) <= end - begin + 0.1
    assert running.samples[-1].rss <= running.peak
    assert 3 < running.peak < 100, sys.platform


def _check_for(seconds: float, running: Running) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        running.check()
        time.sleep(0.02)
