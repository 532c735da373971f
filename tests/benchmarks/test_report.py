"""The benchmark's figures: medians, ratios within a round, goals, the Markdown, and the charts' data."""

from pathlib import Path

import pytest

from benchmarks.charts import Chart, charts
from benchmarks.engines import FLINK, KAFKA_STREAMS
from benchmarks.experiments import flatness, rotated
from benchmarks.goals import goals
from benchmarks.latency import percentile
from benchmarks.peers import BARE, OURS, STOCK, STOCK_AT_LEAST_ONCE
from benchmarks.report import markdown
from benchmarks.results import Experiment, Results


def run(rate: float, **more: float) -> dict[str, float]:
    """The figures of one run."""
    return {"records": 1000, "records_per_second": rate, "cpu_us": 1e6 / rate, "peak_mb": 150.0, **more}


def filled() -> Results:
    """Results of every experiment."""
    results = Results({"machine": "2 cores"})
    # The machine is twice as slow in round 2, and four times as slow in round 3.
    for number, slower in ((1, 1), (2, 2), (3, 4)):
        for peer, rate in ((OURS, 400_000), (STOCK, 80_000), (BARE, 500_000)):
            results.add(Experiment.THROUGHPUT, peer, "", number, run(rate / slower))
            for size in (100, 8_000):
                rate_of_size = rate / slower * 100 / size
                results.add(
                    Experiment.SIZES, peer, size, number, run(rate_of_size, mb_per_second=rate_of_size * size / 1e6)
                )
        for peer, p99 in ((OURS, 25.0), (STOCK, 4900.0), (STOCK_AT_LEAST_ONCE, 10.0)):
            results.add(
                Experiment.LATENCY, peer, 1000, number, {"p50_ms": p99 / 2, "p99_ms": p99 * slower, "p999_ms": p99 * 5}
            )
        results.add(Experiment.MALFORMED, OURS, "100 %", number, run(88_000 / slower))
        results.add(Experiment.MALFORMED, STOCK, "0 %", number, run(80_000 / slower))
        results.add(Experiment.WORKERS, OURS, "1/1", number, run(250_000 / slower))
        results.add(Experiment.WORKERS, OURS, "4/4", number, run(200_000 / slower))
        for peer, seconds in ((OURS, 1.5), (STOCK, 1.2)):
            imports = {"import_s": seconds / 2, "import_cpu_s": slower * 0.5}
            results.add(
                Experiment.START, peer, "", number, {"first_record_s": seconds * slower, "committed_s": 9.0, **imports}
            )
        for rate, percent in ((0, 0.5), (10, 5.0)):
            results.add(Experiment.IDLE, OURS, rate, number, {"cpu_percent": percent * slower})
    long = flatness(dict.fromkeys(range(100, 110), 300_000), [120.0] * 10)
    results.add(Experiment.LONG, OURS, "", 1, run(300_000, **long))
    results.long_rates, results.long_memory = [300_000] * 10, [120.0] * 10
    return results


def compared_with_engines() -> Results:
    """Results of the comparison with engines."""
    results = Results({"machine": "2 cores"})
    for number, slower in ((1, 1), (2, 2)):
        for peer, rate in ((OURS, 300_000), (BARE, 400_000), (KAFKA_STREAMS, 150_000), (FLINK, 330_000)):
            results.add(Experiment.ENGINES, peer, "", number, run(rate / slower))
        for peer, p99 in ((OURS, 30.0), (KAFKA_STREAMS, 50.0)):
            results.add(
                Experiment.ENGINES_LATENCY,
                peer,
                1000,
                number,
                {"p50_ms": 1.0, "p99_ms": p99 * slower, "p999_ms": 200.0},
            )
    return results


def test_median_over_rounds() -> None:
    """A figure is the median of its rounds, and None if it was not measured."""
    results = filled()
    assert results.median(Experiment.THROUGHPUT, OURS, "records_per_second") == 200_000
    assert results.median(Experiment.THROUGHPUT, "unknown", "records_per_second") is None


def test_ratio_within_a_round() -> None:
    """A ratio compares runs of the same round, so that a machine that slows down does not change it."""
    results = filled()
    results.add(Experiment.THROUGHPUT, OURS, "", 4, run(1.0))  # the other has no such round
    assert results.ratio(Experiment.THROUGHPUT, "records_per_second", OURS, STOCK) == 5.0


def test_goals() -> None:
    """Each goal is compared with its own figure."""
    found = {goal.what: (goal.figure, goal.verdict) for goal in goals(filled())}
    assert list(found.values()) == [
        (5.0, "reached"),
        (None, "not measured"),
        (0.8, "**not reached**"),
        (None, "not measured"),
        (0.8, "**not reached**"),
        (None, "not measured"),
        (None, "not measured"),
        (1.1, "reached"),
        (pytest.approx(1.25), "**not reached**"),
        (pytest.approx(1.25), "**not reached**"),
        (pytest.approx(1.25), "**not reached**"),
        (2.5, "**not reached**"),
        (pytest.approx(25 / 4900), "reached"),
        (pytest.approx(1.25), "reached"),
        (1.0, "reached"),
        (1.0, "reached"),
        (10.0, "**not reached**"),
        (150.0, "reached"),
        (0.0, "reached"),
    ]


def test_goals_compared_with_engines() -> None:
    """Results with engines have their own goals. An engine that was left out is not measured."""
    assert [(goal.figure, goal.verdict) for goal in goals(compared_with_engines())] == [
        (2.0, "reached"),
        (pytest.approx(0.909, abs=0.001), "**not reached**"),
        (None, "not measured"),
        (None, "not measured"),
        (0.6, "**not reached**"),
    ]


def test_markdown_compared_with_engines() -> None:
    """The report has the engines' ratios to ours and to the bare loop, their latency, and no other experiment."""
    text = markdown(compared_with_engines())
    assert len([line for line in text.splitlines() if line.startswith("## ")]) == 3
    assert f"| {KAFKA_STREAMS} | 112,500 | 0.50 x | 0.38 x | 10.00 | 150 |" in text
    assert f"| {KAFKA_STREAMS} | 1,000 | 1.0 | 75.0 | 200.0 |" in text


def test_charts_compared_with_engines() -> None:
    """Both experiments with engines have a chart, with every peer."""
    found = charts(compared_with_engines())
    assert set(found) == {"engines.svg", "engines-latency-1000.svg"}
    assert list(found["engines.svg"].series) == [BARE, FLINK, OURS, KAFKA_STREAMS]
    assert found["engines-latency-1000.svg"].series[OURS] == [1.0, 45.0, 200.0]


def test_markdown() -> None:
    """The report has a section for each experiment, and tables whose rows are as wide as their headers."""
    text = markdown(filled())
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## To reach",
        "## Throughput",
        "## Latency, as a read_committed reader sees it, in ms",
        "## By the size of a record",
        "## By the share of malformed records",
        "## By partitions and workers",
        "## From the start of the process to the first record, in s",
        "## With little to do",
        "## A long run",
    ]
    assert f"| {OURS} | 200,000 | 5.00 x | 0.80 x | 5.00 | 150 |" in text
    for table in (part.splitlines() for part in text.split("\n\n") if part.startswith("|")):
        assert len({line.count("|") for line in table}) == 1


def test_charts() -> None:
    """Each charted experiment has its chart, with every peer and every value."""
    found = charts(filled())
    assert set(found) == {"throughput.svg", "latency-1000.svg", "sizes.svg", "long-rate.svg", "long-memory.svg"}
    rates = {BARE: [250_000], OURS: [200_000], STOCK: [40_000]}
    assert found["throughput.svg"] == Chart("Records a second, one process", "bars", rates)
    assert list(found["throughput.svg"].series) == list(rates)
    assert found["sizes.svg"].series == {OURS: [20.0, 20.0], BARE: [25.0, 25.0]}


def test_nothing_measured() -> None:
    """Without a run, the report says so and there is no chart."""
    assert markdown(Results()).count("not measured") == 19
    assert charts(Results()) == {}


def test_results_are_stored(tmp_path: Path) -> None:
    """Results are the same after they are written and read."""
    results = filled()
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results


@pytest.mark.parametrize(("share", "expected"), [(0.5, 501.0), (0.99, 991.0), (0.999, 1000.0)])
def test_percentile(share: float, expected: float) -> None:
    """A percentile of the numbers 1 to 1,000 is the number at that rank."""
    assert percentile([float(number) for number in range(1, 1001)], share) == expected


def test_growth_is_seen() -> None:
    """Memory that keeps growing counts as growth, memory that was higher at first does not."""
    rates = dict.fromkeys(range(1000, 1200), 10)
    assert flatness(rates, [100.0 + second for second in range(200)])["growth_mb"] == 139
    assert flatness(rates, [150.0, *([100.0] * 199)])["growth_mb"] == -50


@pytest.mark.parametrize("peers", ["ab", "abcd", "abcdefg"])
def test_order_rotates(peers: str) -> None:
    """Each round has every peer once, and each peer begins a round in its turn."""
    rounds = [rotated(peers, number) for number in range(1, len(peers) + 1)]
    assert [sorted(order) for order in rounds] == [list(peers)] * len(peers)
    assert {order[0] for order in rounds} == set(peers)


ROOT = Path(__file__).parents[2]
COMMITTED = [file.parent for file in (ROOT / "benchmarks" / "results").rglob("results.json")]


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_report(folder: Path) -> None:
    """A committed report is up to date with the results next to it."""
    assert (folder / "results.md").read_text() == markdown(Results.read(folder / "results.json"))
