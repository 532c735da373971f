"""Makes text of records and logs safe to show: nothing in it can move a terminal's cursor."""


def printable(content: bytes) -> str:
    r"""Decode text. What is not UTF-8 or not printable becomes an escape such as \x1b."""
    text = content.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
