"""docs/dead-letters.md has the headers and figures of the code."""

from runtime.connect.topics import LEAST_DEAD_LETTER_BYTES, ROOM_FOR_HEADERS
from runtime.loop.dead_letters import NAMES
from tests.docs.pages import code, table, words

PAGE = "docs/dead-letters.md"


def test_headers() -> None:
    """The table lists the headers of a dead letter."""
    assert {code(row[0])[0] for row in table(PAGE, "## What a dead letter has")} == NAMES


def test_figures() -> None:
    """The sizes are those of the checks at start."""
    assert f"takes records of {LEAST_DEAD_LETTER_BYTES:,} bytes" in words(PAGE)
    assert f"{ROOM_FOR_HEADERS:,} bytes more than the input" in words(PAGE)
