"""What the demo shows of a changed value, and of content that could command a terminal."""

import pytest
from rich.cells import cell_len

from tests.tools.demo.test_view import ANDROID
from tools.demo.change import change
from tools.printable import printable


@pytest.mark.parametrize(
    ("before", "after", "columns", "text"),
    [
        (b'{"device_type": "iOS"}', b'{"device_type": "IOS"}', 40, '{"device_type": "iOS → IOS"}'),
        (b'{"a": 1, "device_type": "iOS"}', b'{"a": 1, "device_type": "IOS"}', 25, '…vice_type": "iOS → IOS"}'),
        (b'{"n": 17}', b'{"n": 17,"malformed":{}}', 40, '{"n": 17 + ,"malformed":{}}'),
        (b'{"n": 17}', b'{"n": 17,"malformed":{"reason":"x"}}', 24, '… 17 + ,"malformed":{"…}'),
        (ANDROID.before, ANDROID.after, 23, '…: "android → ANDROID"}'),
        (b"", b'{"malformed":{}}', 40, ' + {"malformed":{}}'),
        (b"login failed", b'{"raw":"login failed"}', 40, 'login failed → {"raw":"login failed"}'),
        (None, None, 40, "null"),
        (None, b"1", 40, "null → 1"),
        (b"same", b"same", 40, "same"),
        (b"same as before", b"same as before", 8, "same as…"),
        ("é".encode(), "è".encode(), 40, "é → è"),
        (b"x" * 10_000, b"x" * 10_000 + b"y", 8, "xxxxxxx…"),
    ],
)
def test_change(before: bytes | None, after: bytes | None, columns: int, text: str) -> None:
    """Only what differs is shown of a value, in whole words, with a little before and after it."""
    drawn = change(before, after, columns)
    assert drawn.plain == text
    assert cell_len(drawn.plain) <= columns


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"device_type": "iOS"}', '{"device_type": "iOS"}'),
        ("ж 漢 🙂".encode(), "ж 漢 🙂"),
        (b"\x1b[31m", r"\x1b[31m"),
        (b"a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202e\u200b\ufeff\xa0".encode(), r"\u202e\u200b\ufeff\xa0"),
        ("\u2066\u2067\u2068\u2069\u202a\u202c\u200f".encode(), r"\u2066\u2067\u2068\u2069\u202a\u202c\u200f"),
        ("\x9b31m\x85\x90".encode(), r"\x9b31m\x85\x90"),
        ("\u2028\u2029\U000e0041\ufffe".encode(), r"\u2028\u2029\U000e0041\ufffe"),
        (b"\xff\xc3", r"\xff\xc3"),
        (b"[bold]", "[bold]"),
        (b"", ""),
    ],
)
def test_printable(content: bytes, text: str) -> None:
    """What does not show as itself is written as an escape. All else stays."""
    assert printable(content) == text
