"""The experiments: which peers run in which order, over how many records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TypeVar

from benchmarks.engines import KAFKA_STREAMS
from benchmarks.idle import measure_idle
from benchmarks.latency import measure_latency
from benchmarks.load import SIZE, pool
from benchmarks.measure import Backlog, BacklogSpec, PeerRun, backlog, measure, measure_workers
from benchmarks.peers import BARE, OURS, OURS_AT_LEAST_ONCE, PEERS, STOCK, STOCK_AT_LEAST_ONCE, STOCK_LOOP, Peer
from benchmarks.results import Experiment, Results
from benchmarks.start import measure_import, measure_start
from benchmarks.topics import BenchmarkTopics
from benchmarks.warm_up import warm_transactions

_T = TypeVar("_T")
RECORD_SIZES = (100, SIZE, 1_000, 8_000, 64_000)
MALFORMED_SHARES = (0, 2, 100)
WELL_FORMED = "0 %"
SHARING = ((1, 1), (4, 1), (2, 2), (4, 2), (4, 4))
"""Partitions, workers."""
RATES = (1_000, 10_000)
COMPARED_WITH_ENGINES = (OURS, OURS_AT_LEAST_ONCE, BARE)
IDLE_RATES = (0, 10)
BY_LATENCY = (OURS, OURS_AT_LEAST_ONCE, STOCK, STOCK_AT_LEAST_ONCE)
IMPORTS = {OURS: "pipeline", STOCK: "quixstreams"}
_IDLE_SECONDS = 20.0
_SETTLED = 60  # seconds of the long run after which memory must not grow, or half of a shorter run
_MOST_BYTES = 300_000_000  # of one backlog in the experiment on sizes: more would measure the disk


@dataclass(frozen=True)
class BenchmarkPlan:
    """The number and the duration of the runs."""

    rounds: int
    throughput_rounds: int
    transactions: int
    """How many transactions warm the broker up."""
    seconds: float
    """The planned duration of a run over a backlog, on a quiet machine."""
    latency_seconds: float
    everything: bool
    long_records: int


FULL = BenchmarkPlan(5, 7, 15_000, 2.5, 8.0, everything=True, long_records=10_000_000)
QUICK = BenchmarkPlan(1, 1, 1_000, 1.0, 5.0, everything=False, long_records=0)
ENGINES_PLAN = replace(FULL, rounds=5, throughput_rounds=5, seconds=10.0, latency_seconds=20.0)
"""Long enough for Java to compile the hot code of an engine."""


class Experiments:
    """All experiments, on one broker."""

    def __init__(
        self, topics: BenchmarkTopics, plan: BenchmarkPlan, results: Results, engines: Sequence[Peer] = ()
    ) -> None:
        self._topics = topics
        self._plan = plan
        self._results = results
        self._engines = engines

    def warm(self) -> None:
        """Let the broker's Java compile its hot code, above all for transactions. The results are discarded."""
        source = backlog(self._topics, pool(), 500_000)
        for name in (OURS, BARE) * self._plan.rounds:
            measure(self._topics, PEERS[name], source, source.count)
        self._topics.delete(source.topic)
        warm_transactions(self._topics, self._plan.transactions)
        measure_latency(self._topics, PEERS[OURS], RATES[0], self._plan.latency_seconds)

    def throughput(self) -> None:
        """Every peer over the same topic."""
        self._compare_rates(Experiment.THROUGHPUT, [peer for peer in PEERS.values() if self._wanted(peer)])

    def latency(self) -> None:
        """Both guarantees, of ours and of stock Quix."""
        names = BY_LATENCY if self._plan.everything else (OURS, STOCK, STOCK_AT_LEAST_ONCE)
        rates = RATES if self._plan.everything else RATES[:1]
        self._compare_latencies(Experiment.LATENCY, [PEERS[name] for name in names], rates)

    def engines(self) -> None:
        """This pipeline and the bare loop over the same topic as the engines.

        Latency is compared with Kafka Streams alone.
        """
        engines = [peer for peer in self._engines if self._wanted(peer)]
        self._compare_rates(Experiment.ENGINES, [*(PEERS[name] for name in COMPARED_WITH_ENGINES), *engines])
        exactly_once = [PEERS[OURS], *(peer for peer in engines if peer.name == KAFKA_STREAMS)]
        self._compare_latencies(Experiment.ENGINES_LATENCY, exactly_once, RATES[:1])

    def malformed(self) -> None:
        """By the share of malformed records of all kinds, compared with stock Quix on well-formed records."""
        runs = [(OURS, share) for share in MALFORMED_SHARES if self._plan.everything or share == 100]  # noqa: PLR2004
        runs.append((STOCK, 0))
        shares = sorted({share for _, share in runs})
        sources = {
            share: backlog(self._topics, pool(without_device_type=0, malformed=share / 100), self._records(PEERS[OURS]))
            for share in shares
        }
        for number in self._rounds():
            for name, share in runs:
                peer, source = PEERS[name], sources[share]
                seconds = 0.4 if share == 100 else 1.0  # noqa: PLR2004  (slower records, fewer of them)
                run = measure(self._topics, peer, source, int(seconds * self._records(peer)))
                self._results.add(Experiment.MALFORMED, name, f"{share} %", number, run.figures)
        self._delete(list(sources.values()))

    def sizes(self) -> None:
        """By the size of a record, compared with the bare loop."""
        sources = {}
        for size in RECORD_SIZES:
            count = int(min(self._records(PEERS[OURS]), _MOST_BYTES / size))
            sources[size] = backlog(self._topics, pool(size), count)
        for number in self._rounds():
            for size, source in sources.items():
                for name in (OURS, BARE):
                    run = measure(self._topics, PEERS[name], source, source.count)
                    megabytes = run.figures["records_per_second"] * size / 1e6
                    self._results.add(Experiment.SIZES, name, size, number, {**run.figures, "mb_per_second": megabytes})
        self._delete(list(sources.values()))

    def workers(self) -> None:
        """By partitions and workers."""
        for number in self._rounds():
            for sharing in SHARING:
                peer = PEERS[OURS]
                run = measure_workers(self._topics, peer, BacklogSpec(pool(), self._records(peer)), sharing)
                self._results.add(Experiment.WORKERS, OURS, "{}/{}".format(*sharing), number, run.figures)

    def long(self) -> None:
        """Over millions of records, whether rate and memory stay flat."""
        source = backlog(self._topics, pool(), self._plan.long_records)
        run = measure(self._topics, PEERS[OURS], source, source.count)
        self._topics.delete(source.topic)
        self._results.long_rates = list(run.per_second.values())
        self._results.long_memory = memory_by_second(run)
        self._results.add(
            Experiment.LONG, OURS, "", 1, {**run.figures, **flatness(run.per_second, self._results.long_memory)}
        )

    def _compare_rates(self, experiment: str, peers: Sequence[Peer]) -> None:
        source = backlog(self._topics, pool(), max(map(self._records, peers)))
        for number in range(1, self._plan.throughput_rounds + 1):
            for peer in rotated(peers, number):
                run = measure(self._topics, peer, source, self._records(peer))
                self._results.add(experiment, peer.name, "", number, run.figures)
        self._topics.delete(source.topic)

    def _compare_latencies(self, experiment: str, peers: Sequence[Peer], rates: Sequence[int]) -> None:
        for number in self._rounds():
            for rate in rates:
                for peer in rotated(peers, number):
                    figures = measure_latency(self._topics, peer, rate, self._plan.latency_seconds)
                    self._results.add(experiment, peer.name, rate, number, figures)

    def start(self) -> None:
        """Until the first record, and the imports alone."""
        for module in IMPORTS.values():
            measure_import(module)  # it may compile modules
        for number in self._rounds():
            for name, module in IMPORTS.items():
                figures = measure_import(module) | measure_start(self._topics, PEERS[name])
                self._results.add(Experiment.START, name, "", number, figures)

    def idle(self) -> None:
        """With nothing or little to do."""
        for number in self._rounds():
            for rate in IDLE_RATES:
                figures = measure_idle(self._topics, PEERS[OURS], rate, _IDLE_SECONDS)
                self._results.add(Experiment.IDLE, OURS, rate, number, figures)

    def _rounds(self) -> range:
        return range(1, self._plan.rounds + 1)

    def _records(self, peer: Peer) -> int:
        return int(peer.records_per_second * self._plan.seconds)

    def _wanted(self, peer: Peer) -> bool:
        if peer.extra and find_spec(peer.extra) is None:
            print(f"{peer.name} is left out: it is not installed")
            return False
        return self._plan.everything or peer.name != STOCK_LOOP

    def _delete(self, sources: Sequence[Backlog]) -> None:
        self._topics.delete(*(source.topic for source in sources))


def rotated(peers: Sequence[_T], number: int) -> list[_T]:
    """The same order with another begin in each round, so that no peer always follows a pause."""
    begin = (number - 1) % len(peers)
    return [*peers[begin:], *peers[:begin]]


def memory_by_second(run: PeerRun) -> list[float]:
    """The last sample of each second, in MB, from the first record to the last."""
    first, last = min(run.per_second), max(run.per_second)
    by_second = {int(sample.time): sample.rss for sample in run.samples}
    return [rss for second, rss in sorted(by_second.items()) if first <= second <= last]


def flatness(per_second: dict[int, int], memory: list[float]) -> dict[str, float]:
    """The growth of memory after its settling time, and the rate of the last third over that of the first."""
    settled = min(_SETTLED, len(memory) // 2)
    rates = list(per_second.values())[1:-1]  # the first and the last second are not whole
    third = max(1, len(rates) // 3)
    return {
        "seconds": len(memory),
        "settled_after": settled,
        "growth_mb": max(memory[settled:]) - max(memory[: settled + 1]),
        "last_third_over_first": (sum(rates[-third:]) / sum(rates[:third])) if rates else 1.0,
    }
