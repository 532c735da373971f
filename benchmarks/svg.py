"""Small charts as SVG, readable on a light and on a dark page: bars, ranges on a logarithmic scale, lines."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, LABELS, RIGHT, TOP = 760, 270, 90, 44
PLOT = WIDTH - LABELS - RIGHT
ROW = 26
SERIES = 190  # room for the names of lines
_STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.axis { fill: none; stroke: #d1d9e0 } .a { fill: #0969da; stroke: #0969da } .b { fill: #8c959f; stroke: #8c959f }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .axis { stroke: #3d444d }
.a { fill: #4493f8; stroke: #4493f8 } .b { fill: #656c76; stroke: #656c76 } }
.line { fill: none; stroke-width: 2 }
</style>"""


def bars(title: str, rows: Sequence[tuple[str, float]], ours: str) -> str:
    """Horizontal bars; those whose label begins with `ours` stand out."""
    most = max(value for _, value in rows)
    body = []
    for index, (label, value) in enumerate(rows):
        y, length = TOP + index * ROW, PLOT * value / most
        body += [
            _text(LABELS - 10, y + 15, label, anchor="end"),
            f'<rect class="{_shade(label, ours)}" x="{LABELS}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}"/>',
            _text(LABELS + length + 6, y + 15, f"{value:,.0f}"),
        ]
    return _svg(title, body, TOP + len(rows) * ROW + 10)


def ranges(title: str, rows: Sequence[tuple[str, Sequence[float]]], ours: str) -> str:
    """For each label a dot at each of its values, joined, on a logarithmic scale; the last value is written out."""
    place = _logarithmic([value for _, values in rows for value in values], LABELS, PLOT)
    height = TOP + len(rows) * ROW + 30
    body = [
        f'<path class="axis" d="M{place(tick):.1f} {TOP}V{height - 24}"/>'
        + _text(place(tick), height - 8, f"{tick:g}", "small", "middle")
        for tick in _powers([value for _, values in rows for value in values])
    ]
    for index, (label, values) in enumerate(rows):
        y, shade, places = TOP + index * ROW + 12, _shade(label, ours), [place(value) for value in values]
        body.append(_text(LABELS - 10, y + 4, label, anchor="end"))
        body.append(f'<path class="{shade}" stroke-width="3" d="M{places[0]:.1f} {y}H{places[-1]:.1f}"/>')
        body += [f'<circle class="{shade}" cx="{x:.1f}" cy="{y}" r="5"/>' for x in places]
        body.append(_text(places[-1] + 10, y + 4, f"{values[-1]:,.0f}"))
    return _svg(title, body, height)


def lines(title: str, x_labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Lines from zero up, the first of them standing out; at most ten of the x labels are written."""
    height, left, base = 260, 70, 260 - 34
    most = max(value for values in series.values() for value in values) or 1
    step = (WIDTH - left - SERIES) / max(1, len(x_labels) - 1)
    body = [f'<path class="axis" d="M{left} {TOP}V{base}H{WIDTH - SERIES}"/>']
    for share in (0, 0.5, 1):
        body += [_text(left - 8, base - share * (base - TOP) + 4, f"{most * share:,.0f}", "small", "end")]
    every = math.ceil(len(x_labels) / 10)
    for index, label in enumerate(x_labels):
        if index % every == 0:
            body.append(_text(left + index * step, height - 14, label, "small", "middle"))
    for shade, (name, values) in zip("ab", series.items(), strict=False):
        points = [(left + index * step, base - value / most * (base - TOP)) for index, value in enumerate(values)]
        joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        body.append(f'<path class="{shade} line" d="M{joined}"/>')
        body.append(_text(points[-1][0] + 8, points[-1][1] + 4, name))
    return _svg(title, body, height)


def _logarithmic(values: Sequence[float], start: float, length: float) -> Callable[[float], float]:
    powers = _powers(values)
    low, high = math.log10(powers[0]), math.log10(powers[-1])
    return lambda value: start + length * (math.log10(value) - low) / (high - low)


def _powers(values: Sequence[float]) -> list[float]:
    """The powers of ten that enclose the values; at least two."""
    low = math.floor(math.log10(min(values)))
    return [10.0**power for power in range(low, max(low + 1, math.ceil(math.log10(max(values)))) + 1)]


def _shade(label: str, ours: str) -> str:
    return "a" if label.startswith(ours) else "b"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, body: Sequence[str], height: int) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            _STYLE,
            _text(10, 24, title, "title"),
            *body,
            "</svg>\n",
        ]
    )
