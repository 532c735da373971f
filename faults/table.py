"""Writes the table of all rows into docs/faults.md, from faults/results."""

from pathlib import Path

from faults.report import table

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"


def write_table(results: Path, page: Path = PAGE) -> None:
    """Write the table between the page's two marks; only for the repository's own results, or another page."""
    if results.resolve() != (PAGE.parent.parent / "faults" / "results").resolve() and page == PAGE:
        return
    text = page.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}{table(results)}{_END}{after}")
