"""The charts as SVG, once matplotlib is there: `make bench-quick` installs it and runs these tests."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from benchmarks.__main__ import write
from benchmarks.charts import Bars, charts
from benchmarks.draw import draw
from benchmarks.results import Results

KEPT = Path(__file__).parents[2] / "benchmarks" / "results"


def test_what_is_kept(tmp_path: Path) -> None:
    """The files in the repository are those that the results there give."""
    write(Results.read(KEPT / "results.json"), tmp_path)
    for made in tmp_path.iterdir():
        assert (KEPT / made.name).read_text() == made.read_text(), made.name
    assert {file.name for file in KEPT.iterdir()} == {file.name for file in tmp_path.iterdir()}


def test_labels_are_inside() -> None:
    """A chart grows with its longest label, and names it."""
    short, long = "ours", "a peer with a name " * 5
    widths = [width(draw(Bars("title", [(label, 1.0)]))) for label in (short, long)]
    assert widths[0] < widths[1]
    assert all(f"<!-- {text} -->" in draw(Bars("title", [(long, 1234.0)])) for text in (long, "title", "1,234"))


@pytest.mark.parametrize("name", charts(Results.read(KEPT / "results.json")))
def test_ground_is_white(name: str) -> None:
    """Each chart is readable on a dark page: the first thing that it draws is its white ground."""
    drawn = ET.fromstring((KEPT / name).read_text())  # noqa: S314  (our own text)
    first = next(element for element in drawn.iter() if element.tag.endswith("}path"))
    assert "fill: #ffffff" in first.attrib["style"]


def width(svg: str) -> float:
    """How wide a chart is, in points."""
    return float(ET.fromstring(svg).attrib["width"].removesuffix("pt"))  # noqa: S314  (our own text)
