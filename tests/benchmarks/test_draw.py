"""The charts as SVG. These tests need matplotlib, which `make bench-quick` installs before it runs them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from benchmarks.__main__ import write
from benchmarks.charts import Chart, charts
from benchmarks.draw import draw
from benchmarks.results import Results

COMMITTED = [file.parent for file in (Path(__file__).parents[2] / "benchmarks" / "results").rglob("results.json")]
CHARTS = [folder / name for folder in COMMITTED for name in charts(Results.read(folder / "results.json"))]


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_charts(folder: Path, tmp_path: Path) -> None:
    """The committed files are up to date with the committed results."""
    write(Results.read(folder / "results.json"), tmp_path)
    for made in tmp_path.iterdir():
        assert (folder / made.name).read_text() == made.read_text(), made.name
    assert {file.name for file in folder.iterdir() if file.is_file()} == {file.name for file in tmp_path.iterdir()}


def test_labels_are_inside() -> None:
    """A chart grows with its longest label, and names it."""
    short, long = "ours", "a peer with a name " * 5
    widths = [width(draw(Chart("title", "bars", {label: [1.0]}))) for label in (short, long)]
    assert widths[0] < widths[1]
    assert all(
        f"<!-- {text} -->" in draw(Chart("title", "bars", {long: [1234.0]})) for text in (long, "title", "1,234")
    )


@pytest.mark.parametrize("file", CHARTS, ids=lambda file: file.name)
def test_ground_is_white(file: Path) -> None:
    """Each chart is readable on a dark page, because it draws a white background first."""
    drawn = ET.fromstring(file.read_text())  # noqa: S314  (our own text)
    first = next(element for element in drawn.iter() if element.tag.endswith("}path"))
    assert "fill: #ffffff" in first.attrib["style"]


def width(svg: str) -> float:
    """A chart's width, in points."""
    return float(ET.fromstring(svg).attrib["width"].removesuffix("pt"))  # noqa: S314  (our own text)
