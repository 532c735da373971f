"""docs/records.md lists the reasons of the code."""

from tests.docs.pages import table, words
from transforms import Reason
from transforms.syntax import NESTING_LIMIT


def test_reasons() -> None:
    """The table has all reasons, in the order in which they are checked."""
    assert [row[0] for row in table("docs/records.md", "## A malformed record")] == [f"`{reason}`" for reason in Reason]


def test_nesting_limit() -> None:
    """The limit on nesting is the code's."""
    assert f"nesting deeper than {NESTING_LIMIT} levels" in words("docs/records.md")
