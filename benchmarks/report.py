"""The results as Markdown: the goals, and a table for each experiment."""

from collections.abc import Callable, Iterable, Sequence

from benchmarks.charts import PERCENTILES, charts
from benchmarks.goals import Goal, goals
from benchmarks.peers import BARE, STOCK
from benchmarks.results import LATENCY, LONG, MALFORMED, SIZES, THROUGHPUT, WORKERS, Results

Cell = str | float | None


def markdown(results: Results) -> str:
    """Return the whole report; experiments that were not run are left out."""
    about = "; ".join(f"{name}: {value}" for name, value in results.about.items())
    parts = [
        "# Benchmark",
        f"{about}.",
        "Each figure is the median over the rounds, each ratio that of ratios within a round.",
    ]
    sections: list[tuple[str, str, Callable[[Results], str]]] = [
        (THROUGHPUT, "Throughput", throughput_table),
        (LATENCY, "Latency, as a read_committed reader sees it, in ms", latency_table),
        (SIZES, "By the size of a record", sizes_table),
        (MALFORMED, "By the share of malformed records", malformed_table),
        (WORKERS, "By partitions and workers", workers_table),
        (LONG, "A long run", long_table),
    ]
    parts += ["## To reach", goals_table(goals(results))]
    for experiment, title, write in sections:
        if results.peers(experiment):
            parts += [f"## {title}", write(results)]
    parts += [f"![{name.removesuffix('.svg')}]({name})" for name in charts(results)]
    return "\n\n".join(parts) + "\n"


def goals_table(found: Iterable[Goal]) -> str:
    """Each goal with its bound, the figure, and the verdict."""
    rows = (
        (goal.what, f"{goal.kind} {goal.bound:g} {goal.unit}", _with_unit(goal.figure, goal.unit), goal.verdict)
        for goal in found
    )
    return table(("", "to reach", "measured", ""), rows)


def throughput_table(results: Results) -> str:
    """Each peer's rate, CPU and memory, and its ratio to stock Quix and to the bare loop."""
    rows = [
        (
            peer,
            results.median(THROUGHPUT, peer, "records_per_second"),
            _with_unit(results.ratio(THROUGHPUT, "records_per_second", peer, STOCK), "x"),
            _with_unit(results.ratio(THROUGHPUT, "records_per_second", peer, BARE), "x"),
            _number(results.median(THROUGHPUT, peer, "cpu_us"), 2),
            results.median(THROUGHPUT, peer, "peak_mb"),
        )
        for peer in results.peers(THROUGHPUT)
    ]
    return table(("", "records/s", f"to {STOCK}", f"to {BARE}", "CPU us/record", "peak MB"), rows)


def latency_table(results: Results) -> str:
    """Each peer's percentiles at each rate."""
    rows = [
        (peer, f"{int(rate):,}", *(_number(results.median(LATENCY, peer, name, rate), 1) for name in PERCENTILES))
        for rate in results.settings(LATENCY)
        for peer in results.peers(LATENCY)
    ]
    return table(("", "records/s", "p50", "p99", "p99.9"), rows)


def sizes_table(results: Results) -> str:
    """Rates and CPU by size, ours and the bare loop's."""
    rows = [
        (
            f"{int(size):,} bytes",
            peer,
            results.median(SIZES, peer, "records_per_second", size),
            results.median(SIZES, peer, "mb_per_second", size),
            _number(results.median(SIZES, peer, "cpu_us", size), 2),
            results.median(SIZES, peer, "peak_mb", size),
        )
        for size in results.settings(SIZES)
        for peer in results.peers(SIZES)
    ]
    return table(("", "", "records/s", "MB/s", "CPU us/record", "peak MB"), rows)


def malformed_table(results: Results) -> str:
    """Rates and CPU by the malformed share."""
    return _plain_table(results, MALFORMED, "malformed")


def workers_table(results: Results) -> str:
    """Rates, and CPU and memory of all workers together."""
    return _plain_table(results, WORKERS, "partitions/workers")


def long_table(results: Results) -> str:
    """Rate and memory over a long backlog."""
    figures = [row.figures for row in results.rows if row.experiment == LONG][-1]
    settled = f"memory's growth after {figures['settled_after']:.0f} s, MB"
    rows = [
        ("records", figures["records"]),
        ("records/s", figures["records_per_second"]),
        ("CPU us/record", _number(figures["cpu_us"], 2)),
        ("peak MB", figures["peak_mb"]),
        (settled, _number(figures["growth_mb"], 1)),
        ("rate of the last third over that of the first", _number(figures["last_third_over_first"], 2)),
    ]
    return table(("", ""), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table; numbers are right-aligned, with separators."""
    lines = [list(header), ["---", *("---:" for _ in header[1:])]]
    lines += [[_cell(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain_table(results: Results, experiment: str, setting_name: str) -> str:
    rows = [
        (peer, setting, rate, _number(results.median(experiment, peer, "cpu_us", setting), 2), memory)
        for setting in results.settings(experiment)
        for peer in results.peers(experiment)
        if (rate := results.median(experiment, peer, "records_per_second", setting)) is not None
        and (memory := results.median(experiment, peer, "peak_mb", setting)) is not None
    ]
    return table(("", setting_name, "records/s", "CPU us/record", "peak MB"), rows)


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else f"{cell:,.0f}"


def _number(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:,.{digits}f}"


def _with_unit(value: float | None, unit: str) -> str | None:
    if value is None:
        return None
    return f"{value:,.3f} {unit}" if abs(value) < 0.1 else f"{value:,.2f} {unit}"  # noqa: PLR2004  (two digits kept)
