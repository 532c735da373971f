"""What the demo shows: its figures, at any size of the terminal, and nothing that could command the terminal."""

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style

from tools.demo.change import ADDED, Pair, change
from tools.demo.view import BAR, HEADER, TITLE, Snapshot, WorkerView, bar, faults, picture, plain, screen, strip
from tools.printable import printable
from tools.verify.findings import COUNTS
from transforms import Reason

LOGIN = b'{"user_id": "1", "locale": "RI", "timestamp": 1720614565%b}'
ANDROID = Pair(0, 41, b"key-1", LOGIN % b', "device_type": "android"', LOGIN % b', "device_type": "ANDROID"', None)
TAGGED = LOGIN % b',"malformed":{"reason":"missing_device_type","detail":"none"}'
MISSING = Pair(3, 42, b"key-2", LOGIN % b"", TAGGED, "missing_device_type")
TOMBSTONE = Pair(1, 43, None, None, None, "null_value")
GOOD = dict.fromkeys(COUNTS, 0) | {"checked": 12_340, "pending": 5}
RUNNING = Snapshot(
    state="running",
    seconds=3.9,
    page="http://127.0.0.1:20080/",
    broker="127.0.0.1:29092",
    records_in=12_345,
    records_out=12_340,
    rates=[(0.0, 0.0), (10.0, 9.0), (50.4, 49.6)],
    latency=0.125,
    malformed={"missing_device_type": 84, "null_value": 1, "invalid_json": 10},
    pairs=[ANDROID, MISSING, TOMBSTONE],
    workers=[WorkerView(1, 4711, [0, 2]), WorkerView(2, 4712, None), WorkerView(3, 4713, [])],
    kills=2,
    counts=GOOD,
    event="worker 1 was back after 2.3 s",
    has_keys=True,
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
        (Snapshot(), "demo: starting 0 s, 0 in (0/s), 0 out (0/s), 0 malformed, lag 0"),
        (RUNNING, "demo: running 3 s, 12345 in (50/s), 12340 out (50/s), 95 malformed, lag 5"),
        (
            Snapshot("stopping", records_in=1, records_out=2),
            "demo: stopping 0 s, 1 in (0/s), 2 out (0/s), 0 malformed, lag 0",
        ),
    ],
)
def test_plain(snapshot: Snapshot, line: str) -> None:
    """What is not a terminal gets one line with all the figures."""
    assert plain(snapshot) == line


@pytest.mark.parametrize(
    "parts",
    [
        ("user-login", "pipeline.py", "processed-user-login", "running  3 s"),
        ("page http://127.0.0.1:20080/ ", "broker 127.0.0.1:29092"),
        ("in", "12,345", "50/s"),
        ("out", "12,340", "50/s"),
        ("lag", "5"),
        ("p99 latency", "0.12 s until read back"),
        ("in", " ▂█", "max 50/s"),
        ("out", " ▁█", " s"),
        ("workers: 3, killed: 2",),
        ("1", "pid 4711", "partitions 0 2"),
        ("2", "pid 4712", "starting"),
        ("3", "pid 4713", "waiting for partitions"),
        ("malformed: 95",),
        ("place", "value", "header"),
        ("0:41", '"device_type": "android → ANDROID"}'),
        ("3:42", "14565 + ,", "malformed: missing_device_type"),
        ("1:43", "null", "malformed: null_value"),
        ("12,340 compared: 0 lost, 0 twice, 0 wrong", "worker 1 was back after 2.3 s"),
        ("k kill a worker", "w add one", "b send 100,000 records", "q quit"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_screen(parts: tuple[str, ...], size: tuple[int, int]) -> None:
    """Every figure, the latest records and their headers, both addresses and the keys have their place from 80x24."""
    lines = shown(RUNNING, *size)
    assert len(lines) == size[1]
    assert any(re.search(".*".join(map(re.escape, parts)), line) for line in lines), "\n".join(lines)


def test_keys_that_have_no_effect_are_not_shown() -> None:
    """No keys are offered without a terminal, while it stops, or after; no fifth worker is offered."""
    four = replace(RUNNING, workers=[WorkerView(number, 1, None) for number in range(1, 5)])
    last_lines = {
        "no terminal": shown(replace(RUNNING, has_keys=False))[-1],
        "stopping": shown(replace(RUNNING, state="stopping"))[-1],
        "done": shown(replace(RUNNING, state="done"))[-1],
        "four workers": shown(four)[-1],
    }
    assert {name: line.strip() for name, line in last_lines.items()} == {
        "no terminal": "",
        "stopping": "The workers process the rest; Ctrl-C ends the demo at once.",
        "done": "",
        "four workers": "k kill a worker  b send 100,000 records  q quit",
    }


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_malformed_bars(size: tuple[int, int]) -> None:
    """The bars of 1, 10 and 84 malformed records are in proportion, within an eighth of a column."""
    lengths = {}
    for line in shown(RUNNING, *size):
        if match := re.search(r"(\d+) ([▏▎▍▌▋▊▉█]+) *$", line):
            lengths[int(match[1])] = 8 * match[2].count("█") + " ▏▎▍▌▋▊▉".find(match[2][-1]) % 9 % 8
    assert sorted(lengths) == [1, 10, 84]
    for count, length in lengths.items():
        assert length == pytest.approx(lengths[84] * count / 84, abs=0.5 if count > 1 else 1), lengths


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        (bar(0, 84, 8), ""),
        (bar(1, 84, 8), "▏"),
        (bar(10, 84, 8), "█"),
        (bar(84, 84, 8), "█" * 8),
        (bar(1, 1_000_000, 8), "▏"),
        (strip([], 0, 3), "   "),
        (strip([0, 0], 0, 3), "   "),
        (strip([0, 1, 4, 8], 8, 6), "   ▁▄█"),
        (strip([0.5, 100_000], 100_000, 2), "▁█"),
    ],
)
def test_bars(drawn: str, text: str) -> None:
    """A bar is in proportion to the largest one, to an eighth; what is above 0 is visible, and 0 is empty."""
    assert drawn == text


def test_old_rates_do_not_set_the_scale() -> None:
    """The strip's scale is that of the rates that are shown: a burst of a while ago does not flatten the others."""
    lines = shown(replace(RUNNING, rates=[(90_000.0, 90_000.0), *[(50.0, 50.0)] * 60]))
    assert any("█" * 19 + " max 50/s" in line for line in lines), "\n".join(lines)


def test_faults() -> None:
    """What tools.verify has found is said in words; records out of order only if there are any."""
    assert faults(GOOD) == "0 lost, 0 twice, 0 wrong"
    bad = GOOD | {"lost": 1234, "duplicated": 2, "wrong": 3, "reordered": 4}
    assert faults(bad) == "1,234 lost, 2 twice, 3 wrong, 4 out of order"


@pytest.mark.parametrize("style", [TITLE, BAR, HEADER, ADDED])
def test_light_and_dark(style: str) -> None:
    """Each colour has a contrast of at least 4 to black and to white, by the formula of WCAG."""
    color = Style.parse(style).color
    assert isinstance(color, Color)
    parts = [part / 255 for part in color.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert min((luminance + 0.05) / 0.05, 1.05 / (luminance + 0.05)) > 4


def test_every_reason_is_shown() -> None:
    """All reasons are listed from the start, so that nothing moves when the first such record comes."""
    text = "\n".join(shown(Snapshot()))
    assert all(re.search(rf"\b{reason} +0\b", text) for reason in Reason), text


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


def test_latest_records_are_shown() -> None:
    """Of more records than there is room for, the latest are shown, the very latest at the bottom."""
    pairs = [Pair(2, offset, b"k", b"before", b"after", None) for offset in range(100)]
    places = re.findall(r"2:(\d+)", "\n".join(shown(Snapshot(pairs=pairs))))
    assert places == [str(offset) for offset in range(94, 100)]


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07\r\n\t\x00\x7f\x9b31m\u202e\u2028[bold red]ж漢字e\u0301🙂".encode() + b"\xff" + b"x" * 300
)
HOSTILE_TEXT = HOSTILE.decode(errors="replace")
ATTACK = Snapshot(
    state="running",
    malformed={HOSTILE_TEXT: 3},
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
    lines = shown(Snapshot(pairs=[pair]), width=100)
    assert any(re.search(r"\[red\] +\[bold\]a → A +malformed: \[blink\]", line) for line in lines)


def test_picture_loads_nothing() -> None:
    """The picture has no address except that of the SVG standard, so it loads nothing."""
    assert set(re.findall(r"\w+://[^\"\s)]+", picture(ATTACK))) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in picture(ATTACK)
    assert "url(" not in picture(ATTACK).replace("url(#", "")
