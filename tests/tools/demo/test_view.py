"""What the demo shows: its figures, at any size of the terminal, and nothing that could command the terminal."""

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from tools.demo.view import Pair, Snapshot, picture, plain, printable, screen
from transforms import Reason

LOGIN = b'{"user_id": "1", "locale": "RI", "timestamp": 1720614565%b}'
ANDROID = Pair(0, 41, b"key-1", LOGIN % b', "device_type": "android"', LOGIN % b', "device_type": "ANDROID"', None)
TAGGED = LOGIN % b',"malformed":{"reason":"missing_device_type","detail":"none"}'
MISSING = Pair(3, 42, b"key-2", LOGIN % b"", TAGGED, "missing_device_type")
TOMBSTONE = Pair(1, 43, None, None, None, "null_value")
RUNNING = Snapshot(
    state="running",
    seconds=3.9,
    records_in=12_345,
    records_out=12_340,
    rate_in=50.4,
    rate_out=49.6,
    malformed={"missing_device_type": 71, "null_value": 6},
    device_types={("android", "ANDROID"): 801, ("iOS", "IOS"): 802},
    pairs=[ANDROID, MISSING, TOMBSTONE],
)


def shown(snapshot: Snapshot, width: int = 80, height: int = 24) -> list[str]:
    """The lines on a terminal of this size, without colours."""
    file = StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen(snapshot, width, height))
    return file.getvalue().removesuffix("\n").split("\n")


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (Snapshot(), "demo: 0 s, 0 in (0/s), 0 out (0/s), 0 malformed, lag 0"),
        (RUNNING, "demo: 3 s, 12345 in (50/s), 12340 out (50/s), 77 malformed, lag 5"),
        (Snapshot(records_in=1, records_out=2), "demo: 0 s, 1 in (0/s), 2 out (0/s), 0 malformed, lag 0"),
    ],
)
def test_plain(snapshot: Snapshot, line: str) -> None:
    """What is not a terminal gets one line with all the figures."""
    assert plain(snapshot) == line


@pytest.mark.parametrize(
    "parts",
    [
        ("user-login", "pipeline.py", "processed-user-login", "running  3 s"),
        ("in all", "per second"),
        ("in", "12,345", "50"),
        ("out", "12,340", "50"),
        ("lag", "5"),
        ("malformed: 77",),
        ("missing_device_type", "71", "━━━━━━"),
        ("null_value", "6", "━"),
        ("android → ANDROID", "801"),
        ("iOS → IOS", "802"),
        ("0:41", "key-1", '"device_type": "android"}', '"device_type": "ANDROID"}'),
        ("3:42", "key-2", "1720614565}", 'missing_device_type …565,"m'),
        ("1:43", "null", "null", "null_value null"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (132, 50)])
def test_screen(parts: tuple[str, ...], size: tuple[int, int]) -> None:
    """Every figure, and the latest records before and after, side by side, have their place from 80x24 on."""
    pattern = ".*".join(map(re.escape, parts))
    assert any(re.search(pattern, line) for line in shown(RUNNING, *size)), "\n".join(shown(RUNNING, *size))


def test_every_reason_is_shown() -> None:
    """All reasons are listed from the start, so that nothing moves when the first such record comes."""
    text = "\n".join(shown(Snapshot()))
    assert all(re.search(rf"\b{reason} +0\b", text) for reason in Reason), text


def test_latest_records_are_shown() -> None:
    """Of more records than there is room for, the latest are shown, the very latest at the bottom."""
    pairs = [Pair(2, offset, b"k", b"before", b"after", None) for offset in range(100)]
    places = re.findall(r"2:(\d+)", "\n".join(shown(Snapshot(pairs=pairs))))
    assert places == [str(offset) for offset in range(93, 100)]


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07\r\n\t\x00\x7f\x9b31m\u202e\u2028[bold red]ж漢字e\u0301🙂".encode() + b"\xff" + b"x" * 300
)
HOSTILE_TEXT = HOSTILE.decode(errors="replace")
ATTACK = Snapshot(
    state="running",
    malformed={HOSTILE_TEXT: 3},
    device_types={(HOSTILE_TEXT, "\ud800[/]"): 4},
    pairs=[
        Pair(0, 1, HOSTILE, HOSTILE, HOSTILE + b"!", None),
        Pair(0, 2, HOSTILE, HOSTILE, b'{"malformed":' + HOSTILE, HOSTILE_TEXT),
        Pair(0, 3, b"\x1b", b"\x1b[31m", b"", None),
        Pair(0, 10**18, b"", "漢".encode() * 500, "漢".encode() * 499 + b"\xe6", None),
    ],
)


@pytest.mark.parametrize("height", [1, 5, 20, 24, 60])
@pytest.mark.parametrize("width", [1, 20, 59, 60, 61, 79, 80, 81, 100, 200])
@pytest.mark.parametrize("snapshot", [Snapshot(), RUNNING, ATTACK])
def test_any_terminal(snapshot: Snapshot, width: int, height: int) -> None:
    """Nothing is wider or higher than the terminal, and no record's content can command it."""
    lines = shown(snapshot, width, height)
    assert len(lines) <= height
    for line in lines:
        assert cell_len(line) <= width
        assert line.isprintable(), ascii(line)


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
    """What does not show as itself is written as an escape; all else stays."""
    assert printable(content) == text


def test_markup_is_shown_as_text() -> None:
    """What looks like rich's markup in a record is text."""
    pair = Pair(0, 1, b"[red]", b"[bold]a", b"[bold]A", "[blink]")
    assert any(re.search(r"\[red\] .*\[bold\]a .*\[blink\] .*d\]A", line) for line in shown(Snapshot(pairs=[pair])))


def test_picture_loads_nothing() -> None:
    """The picture has no address except that of the SVG standard, so it loads nothing."""
    assert set(re.findall(r"\w+://[^\"\s)]+", picture(ATTACK))) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in picture(ATTACK)
    assert "url(" not in picture(ATTACK).replace("url(#", "")
