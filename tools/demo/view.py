"""Draws the demo's figures as a screen for a terminal or as one plain line.

Keys and values are not trusted: control characters and markup are escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.terminal_theme import MONOKAI
from rich.text import Text

from transforms import Reason

SMALLEST = (60, 20)
"""Columns and lines below which only the plain line is shown."""

_LINES_AROUND_RECORDS = len(Reason) + 6  # all lines except the latest records
_DEVICE_TYPES = 5  # as many as fit next to the reasons
_KEY, _PLACE = 8, 9  # columns of a key, and of a partition with an offset
_EDGES = 7  # columns that the border of the latest records and the gaps between them take
_BEFORE_DIFFERENCE = len('"device_type": "')
_AFTER_DIFFERENCE = len('android"}…')
_BEFORE_TAG = 3
_BAR = 6


@dataclass(frozen=True)
class Pair:
    """One record before and after the pipeline: its place in the input topic, its key, and both values."""

    partition: int
    offset: int
    key: bytes | None
    before: bytes | None
    after: bytes | None
    reason: str | None


@dataclass(frozen=True)
class Snapshot:
    """The demo's figures at one moment: seconds since the start, records, records per second, latest records last."""

    state: str = ""
    seconds: float = 0.0
    records_in: int = 0
    records_out: int = 0
    rate_in: float = 0.0
    rate_out: float = 0.0
    malformed: Mapping[str, int] = field(default_factory=dict)
    device_types: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pairs: Sequence[Pair] = ()

    @property
    def lag(self) -> int:
        """Records that are in the input topic and not yet in the output topic."""
        return max(0, self.records_in - self.records_out)


def plain(snapshot: Snapshot) -> str:
    """The figures as one line, without a terminal."""
    return (
        f"demo: {int(snapshot.seconds)} s, {snapshot.records_in} in ({snapshot.rate_in:.0f}/s), "
        f"{snapshot.records_out} out ({snapshot.rate_out:.0f}/s), {sum(snapshot.malformed.values())} malformed, "
        f"lag {snapshot.lag}"
    )


def screen(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """The figures for a terminal of this size."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return Group(Text(plain(snapshot), no_wrap=True, overflow="ellipsis"))
    upper = Table.grid(expand=True)
    upper.add_column(ratio=1)
    upper.add_column(ratio=1)
    upper.add_row(Group(_records(snapshot), _device_types(snapshot)), _reasons(snapshot))
    return Group(_title(snapshot), upper, _latest(snapshot, width, height - _LINES_AROUND_RECORDS))


def printable(content: bytes) -> str:
    r"""Decode text; what is not UTF-8 or not printable becomes an escape such as \x1b."""
    text = content.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _title(snapshot: Snapshot) -> RenderableType:
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True, overflow="ellipsis")
    title.add_column(justify="right", style="dim", no_wrap=True)
    name = Text.assemble(" user-login ", ("→", "cyan"), " pipeline.py ", ("→", "cyan"), " processed-user-login")
    title.add_row(name, f"{snapshot.state}  {int(snapshot.seconds)} s ")
    return title


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=f"[bold]{title}", title_align="left", border_style="cyan", padding=(0, 1))


def _table(columns: int, numbers: Sequence[int]) -> Table:
    """A table with this many columns: the first one is wide, those in `numbers` are right-aligned."""
    table = Table.grid(expand=True, padding=(0, 1))
    for column in range(columns):
        justify: JustifyMethod = "right" if column in numbers else "left"
        table.add_column(ratio=None if column else 1, justify=justify, no_wrap=True, overflow="ellipsis")
    return table


def _records(snapshot: Snapshot) -> Panel:
    table = _table(3, numbers=(1, 2))
    table.add_row("", *(Text(heading, "dim") for heading in ("in all", "per second")))
    table.add_row("in", f"{snapshot.records_in:,}", f"{snapshot.rate_in:,.0f}")
    table.add_row("out", f"{snapshot.records_out:,}", f"{snapshot.rate_out:,.0f}")
    table.add_row("lag", f"{snapshot.lag:,}", "")
    return _panel(table, "records")


def _device_types(snapshot: Snapshot) -> Panel:
    table = _table(2, numbers=(1,))
    most = sorted(snapshot.device_types.items(), key=lambda item: -item[1])[:_DEVICE_TYPES]
    for (before, after), count in most:
        names = (printable(name.encode(errors="backslashreplace")) for name in (before, after))
        table.add_row(Text(" → ".join(names)), f"{count:,}")
    for _ in range(_DEVICE_TYPES - len(most)):
        table.add_row("", "")
    return _panel(table, "device types")


def _reasons(snapshot: Snapshot) -> Panel:
    table = _table(3, numbers=(1,))
    largest = max(snapshot.malformed.values(), default=0)
    for reason in Reason:
        count = snapshot.malformed.get(reason, 0)
        bar = "━" * -(-count * _BAR // max(1, largest))
        style = "" if count else "dim"
        table.add_row(Text(reason, style), Text(f"{count:,}", style), Text(f"{bar:{_BAR}}", "yellow"))
    return _panel(table, f"malformed: {sum(snapshot.malformed.values()):,}")


def _latest(snapshot: Snapshot, width: int, lines: int) -> Panel:
    columns = (width - _PLACE - _KEY - _EDGES) // 2
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="dim")
    for heading, wide in (("place", _PLACE), ("key", _KEY), ("value before", columns), ("value after", columns)):
        table.add_column(heading, width=wide, no_wrap=True, overflow="ellipsis")
    shown = list(snapshot.pairs)[-lines:]
    for pair in shown:
        key = Text("null" if pair.key is None else printable(pair.key), "dim")
        table.add_row(f"{pair.partition}:{pair.offset}", key, *_before_and_after(pair, columns))
    for _ in range(lines - len(shown)):
        table.add_row("")
    return _panel(table, "the latest records, before and after (place is partition:offset)")


def _before_and_after(pair: Pair, columns: int) -> tuple[Text, Text]:
    """The two values from shortly before their difference, which is in colour."""
    before, after = pair.before or b"", pair.after or b""
    unequal = (at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new)
    common = next(unequal, min(len(before), len(after)))
    start = common - max(_BEFORE_DIFFERENCE, columns - _AFTER_DIFFERENCE)
    left = _excerpt(pair.before, start, common, columns, "")
    if not pair.reason:
        return left, _excerpt(pair.after, start, common, columns, "green")
    tagged = _excerpt(pair.after, common - _BEFORE_TAG, common, columns, "yellow")
    return left, Text.assemble((f"{printable(pair.reason.encode())} ", "bold yellow"), tagged)


def _excerpt(value: bytes | None, start: int, common: int, columns: int, colour: str) -> Text:
    """A value's text from byte `start`, for a cell of this width; the part after byte `common` is in colour."""
    if value is None:
        return Text("null", "dim italic")
    start = max(0, start)
    while b"\x80" <= value[start : start + 1] < b"\xc0":  # inside a character
        start += 1
    end = start + 4 * columns  # a character takes at most four bytes
    same, different = printable(value[start:common]), printable(value[max(start, common) : end])
    return Text.assemble("…" if start else "", (same, "dim"), (different, colour))


def picture(snapshot: Snapshot) -> str:
    """The screen as SVG, without the address of any font or other site."""
    console = Console(record=True, width=100, height=24, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen(snapshot, *console.size))
    svg = console.export_svg(title="make demo", theme=MONOKAI, unique_id="demo")
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace").replace("arial", "sans-serif")
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
