"""Reads the repository's Markdown pages: tables, commands, links, headings."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").glob("*/README.md")),
]


def read(name: str) -> str:
    """Return a page's text. `name` is its path from the root."""
    return (ROOT / name).read_text("utf-8")


def words(name: str) -> str:
    """Return a page's text with each line break as one space, to search for sentences."""
    return " ".join(read(name).split())


def table(name: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table after a heading, without its header."""
    after = f"\n{read(name)}".split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert rows, heading
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[0].splitlines()[2:]]


def code(text: str) -> list[str]:
    """Return what is marked as code in the sentences and tables of a text."""
    return re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(text: str) -> set[str]:
    """Return the commands of a page: the lines of its `sh` blocks, and those in its sentences."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    programs = r"make|\.venv/bin/python|docker compose|kubectl"
    inline = re.findall(rf"`((?:[A-Za-z_]+=\S+ )*(?:{programs}) [^`]+)`", " ".join(prose.split()))
    return {line for block in blocks for line in block.splitlines() if not line.startswith("#")} | set(inline)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
