"""docs/faults.md: the table of what each row found, made from faults/results and never by hand."""

from pathlib import Path

from faults.report import table

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"


def write_table(results: Path, page: Path = PAGE) -> None:
    """Put the table of all results into the page, between its two marks; only where they are the repository's own."""
    if results.resolve() != (PAGE.parent.parent / "faults" / "results").resolve() and page == PAGE:
        return
    text = page.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}{table(results)}{_END}{after}")
