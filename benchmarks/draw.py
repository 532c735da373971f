"""Draws charts as SVG with matplotlib, on a white ground that is readable on light and dark pages."""

import io
import math

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.charts import Chart

_OURS, _PEER = "#0969da", "#8c959f"
_STYLE = {
    "svg.hashsalt": "benchmarks",  # the same ids in each run
    "font.size": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WIDTH, _ROW, _HEIGHT = 8.0, 0.34, 3.0  # inches
_MOST_X_LABELS = 10


def draw(chart: Chart) -> str:
    """Draw one chart. The same chart always gives the same text."""
    with rc_context(_STYLE):
        height = _HEIGHT if chart.kind == "lines" else 0.9 + _ROW * len(chart.series)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.add_subplot(title=chart.title)
        {"bars": _bars, "ranges": _ranges, "lines": _lines}[chart.kind](axes, chart)
        text = io.StringIO()
        metadata = {"Title": chart.title, "Date": None, "Creator": None}
        figure.savefig(text, format="svg", bbox_inches="tight", metadata=metadata)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _bars(axes: Axes, chart: Chart) -> None:
    bars = axes.barh(
        list(chart.series),
        [value for (value,) in chart.series.values()],
        color=[_color(label) for label in chart.series],
    )
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)


def _ranges(axes: Axes, chart: Chart) -> None:
    for row, (label, values) in enumerate(chart.series.items()):
        axes.plot(values, [row] * len(values), "o-", color=_color(label), linewidth=2)
        axes.annotate(
            f"{values[-1]:,.0f}", (values[-1], row), (8, 0), textcoords="offset points", verticalalignment="center"
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(chart.series)), list(chart.series))
    axes.set_ylim(len(chart.series) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.4)


def _lines(axes: Axes, chart: Chart) -> None:
    for label, values in chart.series.items():
        axes.plot(values, color=_color(label), label=label)
    every = math.ceil(len(chart.x_labels) / _MOST_X_LABELS)
    places = range(0, len(chart.x_labels), every)
    axes.set_xticks(places, [chart.x_labels[place] for place in places])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _color(label: str) -> str:
    return _OURS if label.startswith("ours") else _PEER
