"""Writes docs/faults.md's table and faults/results/rows.md, from faults/results/row-*.json."""

from pathlib import Path

from faults.report import details, table

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
DETAILS = "rows.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"


def write_table(results: Path, page: Path = PAGE) -> None:
    """Write the details next to the results, and the table between the page's two marks.

    The repository's own page is left as it is if the results are not the repository's.
    """
    (results / DETAILS).write_text(details(results))
    if results.resolve() != (PAGE.parent.parent / "faults" / "results").resolve() and page == PAGE:
        return
    text = page.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}{table(results)}{_END}{after}")
