"""The results as Markdown: the goals, and a table for each experiment."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.charts import charts
from benchmarks.goals import Goal, goals
from benchmarks.peers import BARE, OURS, STOCK
from benchmarks.results import Experiment, Results


class Column(NamedTuple):
    """A figure of each run or, with `over`, its ratio to that peer's."""

    title: str
    figure: str
    digits: int = 0
    over: str = ""


class Section(NamedTuple):
    """The table of an experiment. `setting` names what differs between its runs, if anything does."""

    experiment: str
    title: str
    setting: str
    columns: Sequence[Column]


_RATE = Column("records/s", "records_per_second")
_COST = (Column("CPU us/record", "cpu_us", 2), Column("peak MB", "peak_mb"))
_TO_STOCK, _TO_BARE, _TO_OURS = (Column(f"to {peer}", "records_per_second", over=peer) for peer in (STOCK, BARE, OURS))
_PERCENTILES = [Column("p50", "p50_ms", 1), Column("p99", "p99_ms", 1), Column("p99.9", "p999_ms", 1)]
_START = (
    Column("record at the broker", "first_record_s", 2),
    Column("record committed", "committed_s", 2),
    Column("imports", "import_s", 2),
    Column("CPU of the imports", "import_cpu_s", 2),
)
_FLATNESS = (
    Column("memory settled after s", "settled_after"),
    Column("its growth later, MB", "growth_mb", 1),
    Column("rate of the last third over that of the first", "last_third_over_first", 2),
)
SECTIONS = (
    Section(Experiment.THROUGHPUT, "Throughput", "", (_RATE, _TO_STOCK, _TO_BARE, *_COST)),
    Section(Experiment.LATENCY, "Latency, as a read_committed reader sees it, in ms", "records/s", _PERCENTILES),
    Section(Experiment.ENGINES, "Throughput, compared with engines", "", (_RATE, _TO_OURS, _TO_BARE, *_COST)),
    Section(
        Experiment.ENGINES_LATENCY,
        "Latency, compared with Kafka Streams, as a read_committed reader sees it, in ms",
        "records/s",
        _PERCENTILES,
    ),
    Section(Experiment.SIZES, "By the size of a record", "bytes", (_RATE, Column("MB/s", "mb_per_second"), *_COST)),
    Section(Experiment.MALFORMED, "By the share of malformed records", "malformed", (_RATE, *_COST)),
    Section(Experiment.WORKERS, "By partitions and workers", "partitions/workers", (_RATE, *_COST)),
    Section(Experiment.START, "From the start of the process to the first record, in s", "", _START),
    Section(Experiment.IDLE, "With little to do", "records/s", [Column("CPU, % of a core", "cpu_percent", 2)]),
    Section(Experiment.LONG, "A long run", "", (Column("records", "records"), _RATE, *_COST, *_FLATNESS)),
)


def markdown(results: Results) -> str:
    """Return the whole report. Experiments that were not run are left out."""
    about = "; ".join(f"{name}: {value}" for name, value in results.about.items())
    parts = [
        "# Benchmark",
        f"{about}.",
        "Each figure is the median over the rounds, each ratio that of ratios within a round.",
        "## To reach",
        goals_table(goals(results)),
    ]
    for section in SECTIONS:
        if results.peers(section.experiment):
            parts += [f"## {section.title}", _section_table(results, section)]
    parts += [f"![{name.removesuffix('.svg')}]({name})" for name in charts(results)]
    return "\n\n".join(parts) + "\n"


def goals_table(found: Iterable[Goal]) -> str:
    """Each goal with its bound, the figure, and the verdict."""
    rows = [
        (goal.what, f"{goal.kind} {goal.bound:g} {goal.unit}", _with_unit(goal.figure, goal.unit), goal.verdict)
        for goal in found
    ]
    return _table(("", "to reach", "measured", ""), rows)


def _section_table(results: Results, section: Section) -> str:
    """The median of each figure, by peer and setting."""
    experiment, columns = section.experiment, section.columns
    rows = [
        (peer, *_setting(setting), *(_figure(results, section, (peer, setting), column) for column in columns))
        for setting in results.settings(experiment)
        for peer in results.peers(experiment)
        if results.median(experiment, peer, columns[0].figure, setting) is not None
    ]
    return _table(("", *_setting(section.setting), *(column.title for column in columns)), rows)


def _setting(text: str) -> Sequence[str]:
    """The cell of a setting, or no cell if there is none."""
    return [f"{int(text):,}" if text.isdigit() else text] if text else []


def _figure(results: Results, section: Section, run: tuple[str, str], column: Column) -> str:
    peer, setting = run
    if column.over:
        ratio = results.ratio(section.experiment, column.figure, peer, column.over, (setting, setting))
        return _with_unit(ratio, "x")
    return f"{results.median(section.experiment, peer, column.figure, setting):,.{column.digits}f}"


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.3f} {unit}" if abs(value) < 0.1 else f"{value:,.2f} {unit}"  # noqa: PLR2004  (two digits kept)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. All columns except the first are right-aligned."""
    lines = [header, ("---", *("---:" for _ in header[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
