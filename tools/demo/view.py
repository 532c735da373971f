"""Draws the demo's figures as a screen for a terminal, as one plain line, or as a picture.

Keys and values are not trusted: control characters and markup are escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tools.demo.change import Pair, change
from tools.printable import printable
from tools.verify.findings import COUNTS, FAULTS
from transforms import Reason

SMALLEST = (60, 20)
"""Columns and lines below which only the plain line is shown."""

PARTITIONS = 4
"""Of each topic; more workers would have none."""

# Colours that can be read on white and on black: turquoise and orange.
TITLE, BAR, HEADER = "bold color(30)", "color(130)", "bold color(130)"

_LINES_AROUND_RECORDS = len(Reason) + 7  # all lines except the latest records
_PLACE, _KEY, _HEADER = 8, 8, len(f"malformed: {max(Reason, key=len)}")
_KEY_FROM = 100  # columns from which the key is shown
_ACTIONS = {"k": "kill a worker", "w": "add one", "b": "send 100,000 records", "q": "quit"}
_STOPPING = " The workers process the rest; Ctrl-C ends the demo at once."
_LOW, _LEFT = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█"  # eighths of a block


@dataclass(frozen=True)
class WorkerView:
    """One worker: its number, its process id, and its partitions; None while it starts."""

    number: int
    pid: int
    partitions: Sequence[int] | None


@dataclass(frozen=True)
class Snapshot:
    """The demo's figures at one moment.

    Attributes:
        seconds: since the start while the state is "starting", otherwise since the first processed record.
        rates: records per second, in and out, of each second; the latest one last.
        latency: the 99th percentile in seconds.
        pairs: the latest records; the very latest one last.
        counts: of tools.verify.
        has_keys: whether keys have an effect.
    """

    state: str = "starting"
    seconds: float = 0.0
    page: str = ""
    broker: str = ""
    records_in: int = 0
    records_out: int = 0
    rates: Sequence[tuple[float, float]] = ()
    latency: float | None = None
    malformed: Mapping[str, int] = field(default_factory=dict)
    pairs: Sequence[Pair] = ()
    workers: Sequence[WorkerView] = ()
    kills: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    event: str = ""
    has_keys: bool = False

    @property
    def lag(self) -> int:
        """Records that are in the input topic and not yet in the output topic."""
        return max(0, self.records_in - self.records_out)

    @property
    def rate(self) -> tuple[float, float]:
        """The latest records per second, in and out."""
        return self.rates[-1] if self.rates else (0.0, 0.0)


def plain(snapshot: Snapshot) -> str:
    """The figures as one line, without a terminal."""
    return (
        f"demo: {snapshot.state} {int(snapshot.seconds)} s, {snapshot.records_in} in ({snapshot.rate[0]:.0f}/s), "
        f"{snapshot.records_out} out ({snapshot.rate[1]:.0f}/s), {sum(snapshot.malformed.values())} malformed, "
        f"lag {snapshot.lag}"
    )


def faults(counts: Mapping[str, int]) -> str:
    """What tools.verify has found, in words."""
    text = f"{counts['lost']:,} lost, {counts['duplicated']:,} twice, {counts['wrong']:,} wrong"
    return text + (f", {counts['reordered']:,} out of order" if counts["reordered"] else "")


def result(snapshot: Snapshot, *, is_counted: bool) -> str:
    """The last line; `is_counted` is whether both topics were read to their ends."""
    counts, number = snapshot.counts, len(snapshot.workers)
    found = faults(counts) if is_counted else f"{snapshot.lag} not yet counted"
    if is_counted and (left := counts["pending"] + counts["skipped"]):
        found += f", {left} not processed"
    return (
        f"demo: {snapshot.records_in} in, {snapshot.records_out} out, {sum(snapshot.malformed.values())} malformed, "
        f"{number} worker{'' if number == 1 else 's'}, {snapshot.kills} killed: {found}"
    )


def screen(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """The figures for a terminal of this size."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return Group(Text(plain(snapshot), no_wrap=True, overflow="ellipsis"))
    upper, half = Table.grid(expand=True, padding=(0, 2, 0, 0)), width // 2 - 2
    upper.add_column(ratio=1)
    upper.add_column(ratio=1)
    upper.add_row(Group(_records(snapshot, half), _workers(snapshot)), _reasons(snapshot, half))
    latest = _latest(snapshot, width, height - _LINES_AROUND_RECORDS)
    return Group(_head(snapshot), upper, latest, _foot(snapshot))


def _head(snapshot: Snapshot) -> RenderableType:
    name = Text.assemble(" user-login ", ("→", TITLE), " pipeline.py ", ("→", TITLE), " processed-user-login")
    addresses = Text.assemble(" page ", (snapshot.page, "bold"), "   broker ", (snapshot.broker, "bold"))
    return Group(_ends(name, Text(f"{snapshot.state}  {int(snapshot.seconds)} s ", "bold")), _ends(addresses))


def _foot(snapshot: Snapshot) -> RenderableType:
    """What was compared, what happened last, and the keys."""
    style = "bold reverse" if any(snapshot.counts[fault] for fault in FAULTS) else "bold"
    compared = Text.assemble(f" {snapshot.counts['checked']:,} compared: ", (faults(snapshot.counts), style))
    keys = Text(_STOPPING if snapshot.state == "stopping" else "")
    if snapshot.has_keys and snapshot.state in {"starting", "running"}:
        names = [key for key in _ACTIONS if key != "w" or len(snapshot.workers) < PARTITIONS]
        keys = Text.assemble(*(part for key in names for part in (" ", (key, "bold reverse"), f" {_ACTIONS[key]} ")))
    return Group(_ends(compared, Text(f"{snapshot.event} ")), _ends(keys))


def _ends(left: Text, right: Text | None = None) -> Table:
    """A line with text at its ends."""
    table = Table.grid(expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis", justify="right")
    table.add_row(left, right)
    return table


def _section(title: str, rows: Sequence[Sequence[str | Text]], right: int = -1, widths: Sequence[int] = ()) -> Group:
    """A title, if any, above a table: its last column takes the rest, and the column `right` is right-aligned."""
    table, last = Table.grid(expand=True, padding=(0, 1, 0, 0)), len(rows[0]) - 1
    for column in range(len(rows[0])):
        table.add_column(
            ratio=1 if column == last else None,
            width=widths[column] if column < len(widths) else None,
            justify="right" if column == right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    rule = Rule(Text(f" {title}", TITLE), align="left", style="color(30)")
    return Group(*[rule] * bool(title), Padding(table, (0, 0, 0, 1)))


def _records(snapshot: Snapshot, width: int) -> Group:
    latency = ("", "") if snapshot.latency is None else (f"{snapshot.latency:,.2f} s", "until read back")
    columns = width - len(" out  max 99,999/s ")
    rates = snapshot.rates[-columns:]
    most = max((rate for both in rates for rate in both), default=0.0)
    strips = [Text(strip([both[at] for both in rates], most, columns), BAR) for at in (0, 1)]
    figures = [
        ("in", f"{snapshot.records_in:,}", f"{snapshot.rate[0]:,.0f}/s"),
        ("out", f"{snapshot.records_out:,}", f"{snapshot.rate[1]:,.0f}/s"),
        ("lag", f"{snapshot.lag:,}", ""),
        ("p99 latency", *latency),
    ]
    over_time = [("in", strips[0], f"max {most:,.0f}/s"), ("out", strips[1], f"{columns} s")]
    return Group(_section("records", figures, right=1), _section("", over_time))


def strip(rates: Sequence[float], most: float, columns: int) -> str:
    """Rates as bars from the bottom, one a column, in proportion to `most`; a rate above 0 is visible."""
    return "".join(_LOW[_eighths(rate, most, 1)] for rate in rates).rjust(columns)


def bar(count: float, most: float, columns: int) -> str:
    """A bar from the left in proportion to `most`, which has all the columns; a count above 0 is visible."""
    full, rest = divmod(_eighths(count, most, columns), 8)
    return f"{_LEFT[8] * full}{_LEFT[rest]}".rstrip()


def _eighths(count: float, most: float, columns: int) -> int:
    """How many eighths of this many columns: the nearest number, and at least one if the count is above 0."""
    return max(1, round(8 * columns * count / most)) if count > 0 else 0


def _workers(snapshot: Snapshot) -> Group:
    rows = [(f"{one.number}", f"pid {one.pid}", _share(one.partitions)) for one in snapshot.workers[:PARTITIONS]]
    rows += [("", "", "")] * (PARTITIONS - len(rows))
    return _section(f"workers: {len(snapshot.workers)}, killed: {snapshot.kills}", rows)


def _share(partitions: Sequence[int] | None) -> str:
    if partitions is None:
        return "starting"
    return " ".join(["partitions", *map(str, partitions)]) if partitions else "waiting for partitions"


def _reasons(snapshot: Snapshot, width: int) -> Group:
    counts = {reason: snapshot.malformed.get(reason, 0) for reason in Reason}
    most = max(counts.values())
    columns = width - max(map(len, Reason)) - len(f"{most:,}") - 3
    rows = []
    for reason, count in counts.items():
        style = "" if count else "dim"
        rows.append((Text(reason, style), Text(f"{count:,}", style), Text(bar(count, most, columns), BAR)))
    return _section(f"malformed: {sum(snapshot.malformed.values()):,}", rows, right=1)


def _latest(snapshot: Snapshot, width: int, lines: int) -> Group:
    key = _KEY if width >= _KEY_FROM else 0
    header = min(_HEADER, width // 2 - _PLACE)
    value = width - _PLACE - key - header - 4
    rows = [[Text(heading, "dim") for heading in ("place", "key", "value: what has changed", "header")]]
    for pair in list(snapshot.pairs)[-lines:]:
        name = "null" if pair.key is None else printable(pair.key)
        tag = f"malformed: {printable(pair.reason.encode())}" if pair.reason else ""
        difference = change(pair.before, pair.after, value)
        rows.append([Text(f"{pair.partition}:{pair.offset}"), Text(name, "dim"), difference, Text(tag, HEADER)])
    rows += [[Text()] * 4] * (1 + lines - len(rows))
    if not key:
        rows = [[row[0], *row[2:]] for row in rows]
    widths = [_PLACE, *([key] if key else []), value]
    return _section("the latest records, before → after (place is partition:offset)", rows, widths=widths)


def picture(snapshot: Snapshot) -> str:
    """The screen as SVG, without the address of any font or other site."""
    console = Console(record=True, width=100, height=26, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen(snapshot, *console.size))
    svg = console.export_svg(title="make demo", theme=MONOKAI, unique_id="demo")
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace").replace("arial", "sans-serif")
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
