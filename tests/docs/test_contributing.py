"""CONTRIBUTING.md: the files that it points to have what it says."""

import re

import pytest

from tests.docs.pages import ROOT, code, table

PAGE = "CONTRIBUTING.md"
PLACES = table(PAGE, "## Where to change what")
STEPS = table(PAGE, "## The path of one record")


@pytest.mark.parametrize("row", PLACES, ids=lambda row: row[0])
def test_place(row: list[str]) -> None:
    """Each row names a file that has the text to look for, and a test file that exists."""
    _, where, (look_for,), (test,) = row[0], code(row[1]), code(row[2]), code(row[3])
    files = [ROOT / name for name in where if (ROOT / name).is_file()]
    assert any(look_for in file.read_text("utf-8") for file in files)
    assert (ROOT / test).is_file()


def test_way_of_a_record() -> None:
    """Each step's names are in the file of that step, or, if that is "the same", in the one before."""
    file = ""
    for _, link, happens in STEPS:
        file = "".join(re.findall(r"\]\((.*?)\)", link)) or file
        names = [name.rpartition(".")[2] for name in code(happens) if not name.endswith(".py")]
        assert [name for name in names if name not in (ROOT / file).read_text("utf-8")] == []
