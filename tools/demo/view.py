"""Draws the demo's figures as a screen for a terminal, as one plain line, or as a picture.

Keys and values are not trusted: control characters and markup are escaped.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from math import ceil
from typing import Any

from rich.bar import Bar
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

PARTITIONS = 4  # of each topic; more workers would have none
TITLE, BAR = "color(30)", "color(130)"  # turquoise and orange, which can be read on white and on black

_SMALLEST = (60, 20)  # columns and lines below which only the plain line is shown
_KEPT = 200  # seconds and records: more than fit on a screen
_LINES_AROUND_RECORDS = len(Reason) + 7  # all lines except the latest records
_PLACE, _KEY, _HEADER = 8, 8, len(f"malformed: {max(Reason, key=len)}")
_KEY_FROM = 98  # columns from which the key is shown
_ACTIONS = {"k": "kill a worker", "w": "add one", "b": "send 100,000 records", "q": "quit"}

# Columns of a table: as wide as its content, the same to the right, and what is left.
_FIT: dict[str, Any] = {}
_RIGHT: dict[str, Any] = {"justify": "right"}
_REST: dict[str, Any] = {"ratio": 1}


@dataclass
class Board:
    """The demo's present figures. The code that counts something writes it here."""

    state: str = "starting"
    seconds: float = 0.0  # since the first processed record; before it, since the start
    page: str = ""
    broker: str = ""
    records_in: int = 0
    records_out: int = 0
    rates: deque[tuple[float, float]] = field(default_factory=lambda: deque([(0.0, 0.0)], _KEPT))  # in, out per s
    latency: float | None = None  # the 99th percentile in seconds
    malformed: Counter[str] = field(default_factory=Counter)
    pairs: deque[Pair] = field(default_factory=lambda: deque(maxlen=_KEPT))  # the very latest one last
    workers: Sequence[tuple[str, str, str]] = ()  # number, process id, partitions
    kills: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))  # of tools.verify
    event: str = ""
    has_keys: bool = False  # whether keys have an effect

    @property
    def lag(self) -> int:
        """Records that are in the input topic and not yet in the output topic."""
        return max(0, self.records_in - self.records_out)


def plain(board: Board) -> str:
    """The figures as one line, without a terminal."""
    return (
        f"demo: {board.state} {int(board.seconds)} s, {board.records_in} in ({board.rates[-1][0]:.0f}/s), "
        f"{board.records_out} out ({board.rates[-1][1]:.0f}/s), {board.malformed.total()} malformed, lag {board.lag}"
    )


def faults(counts: Mapping[str, int]) -> str:
    """What tools.verify has found, in words."""
    text = f"{counts['lost']:,} lost, {counts['duplicated']:,} twice, {counts['wrong']:,} wrong"
    return text + (f", {counts['reordered']:,} out of order" if counts["reordered"] else "")


def result(board: Board) -> str:
    """The last line. Only if both topics were read to their ends is a missing record lost."""
    counts, number = board.counts, len(board.workers)
    found = faults(counts) if board.state == "done" else f"{board.lag} not yet counted"
    if board.state == "done" and (left := counts["pending"] + counts["skipped"]):
        found += f", {left} not processed"
    return (
        f"demo: {board.records_in} in, {board.records_out} out, {board.malformed.total()} malformed, "
        f"{number} worker{'' if number == 1 else 's'}, {board.kills} killed: {found}"
    )


def screen(board: Board, width: int, height: int) -> RenderableType:
    """The figures for a terminal of this size."""
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        return Group(_line(plain(board)))
    inner = width - 2
    sections = (Group(_records(board, inner // 2), _workers(board)), _reasons(board, inner // 2))
    latest = _latest(board, inner, height - _LINES_AROUND_RECORDS)
    return Padding(Group(*_head(board), _table([_REST, _REST], [sections]), latest, *_foot(board)), (0, 1))


def _line(*parts: str | tuple[str, str]) -> Text:
    """Text, or text with a style, on one line."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _table(columns: Sequence[Mapping[str, Any]], rows: Iterable[Iterable[RenderableType]], title: str = "") -> Group:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(**column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    rule = Rule(Text(title, f"bold {TITLE}"), align="left", style=TITLE)
    return Group(rule, table) if title else Group(table)


def _head(board: Board) -> tuple[RenderableType, RenderableType]:
    name = _line("user-login ", ("→", TITLE), " pipeline.py ", ("→", TITLE), " processed-user-login")
    state = Text(f"{board.state}  {int(board.seconds)} s", "bold")
    addresses = _line("page ", (board.page, "bold"), "   broker ", (board.broker, "bold"))
    return _table([_REST, _RIGHT], [(name, state)]), addresses


def _foot(board: Board) -> tuple[RenderableType, RenderableType]:
    """What was compared, what happened last, and the keys."""
    style = "bold reverse" if any(board.counts[fault] for fault in FAULTS) else "bold"
    compared = _line(f"{board.counts['checked']:,} compared: ", (faults(board.counts), style))
    keys = _line("The workers process the rest; Ctrl-C ends the demo at once." if board.state == "stopping" else "")
    if board.has_keys and board.state in {"starting", "running"}:
        names = [key for key in _ACTIONS if key != "w" or len(board.workers) < PARTITIONS]
        keys = _line("  ").join(_line((key, "bold reverse"), f" {_ACTIONS[key]}") for key in names)
    return _table([_REST, _RIGHT], [(compared, Text(board.event))]), keys


def _records(board: Board, width: int) -> Group:
    latency = ("", "") if board.latency is None else (f"{board.latency:,.2f} s", "until read back")
    columns = width - len("out  max 99,999/s ")
    rates = list(board.rates)[-columns:]
    most = max((rate for both in rates for rate in both), default=0.0)
    strips = [Text(strip([both[at] for both in rates], most), BAR) for at in (0, 1)]
    figures = [
        ("in", f"{board.records_in:,}", f"{board.rates[-1][0]:,.0f}/s"),
        ("out", f"{board.records_out:,}", f"{board.rates[-1][1]:,.0f}/s"),
        ("lag", f"{board.lag:,}", ""),
        ("p99 latency", *latency),
    ]
    over_time = [("in", strips[0], f"max {most:,.0f}/s"), ("out", strips[1], f"{columns} s")]
    return Group(_table([_FIT, _RIGHT, _REST], figures, "records"), _table([_FIT, _RIGHT | _REST, _FIT], over_time))


def strip(rates: Sequence[float], most: float) -> str:
    """Rates as bars from the bottom, one a column, in proportion to `most`. A rate above 0 is visible."""
    return "".join(" ▁▂▃▄▅▆▇█"[ceil(8 * rate / most) if rate > 0 else 0] for rate in rates)


def _workers(board: Board) -> Group:
    rows = [*board.workers, *[("", "", "")] * (PARTITIONS - len(board.workers))]
    return _table([_FIT, _FIT, _REST], rows, f"workers: {len(board.workers)}, killed: {board.kills}")


def _reasons(board: Board, width: int) -> Group:
    most, rows = max(board.malformed.values(), default=0), []
    columns = max(1, width - max(map(len, Reason)) - len(f"{most:,}") - 3)
    visible = most / columns / 8  # the least part of a column that can be shown
    for reason in Reason:
        count = board.malformed.get(reason, 0)
        style = "" if count else "dim"
        bar = Bar(most, 0, max(count, visible) if count else 0, color=BAR)
        rows.append((Text(reason, style), Text(f"{count:,}", style), bar))
    return _table([_FIT, _RIGHT, _REST], rows, f"malformed: {board.malformed.total():,}")


def _latest(board: Board, width: int, lines: int) -> Group:
    header = min(_HEADER, width // 2 - _PLACE + 1)
    key = [_KEY] if width >= _KEY_FROM else []
    value = width - _PLACE - sum(key) - header - 2 - len(key)
    rows = [[Text(heading, "dim") for heading in ("place", "key", "value: what has changed", "header")]]
    for pair in list(board.pairs)[-lines:]:
        name = "null" if pair.key is None else printable(pair.key)
        tag = f"malformed: {printable(pair.reason.encode())}" if pair.reason else ""
        place, changed = f"{pair.partition}:{pair.offset}", change(pair.before, pair.after, value)
        rows.append([Text(place), Text(name, "dim"), changed, Text(tag, f"bold {BAR}")])
    rows += [[Text()] * 4] * (1 + lines - len(rows))
    if not key:
        rows = [[row[0], *row[2:]] for row in rows]
    columns = [*({"width": one} for one in (_PLACE, *key, value)), _REST]
    return _table(columns, rows, "the latest records, before → after (place is partition:offset)")


def picture(board: Board) -> str:
    """The screen as SVG, without the address of any font or other site."""
    console = Console(record=True, width=100, height=26, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen(board, *console.size))
    svg = console.export_svg(title="make demo", theme=MONOKAI, unique_id="demo")
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace").replace("arial", "sans-serif")
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
