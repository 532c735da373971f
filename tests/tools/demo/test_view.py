"""What the demo shows: its figures, at any size of the terminal, and nothing that could command the terminal."""

import re
from collections import Counter, deque
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style

from tools.demo.change import ADDED, Pair
from tools.demo.view import BAR, TITLE, Board, faults, picture, plain, screen, strip
from tools.verify.findings import COUNTS
from transforms import Reason

LOGIN = b'{"user_id": "1", "locale": "RI", "timestamp": 1720614565%b}'
ANDROID = Pair(0, 41, b"key-1", LOGIN % b', "device_type": "android"', LOGIN % b', "device_type": "ANDROID"', None)
TAGGED = LOGIN % b',"malformed":{"reason":"missing_device_type","detail":"none"}'
MISSING = Pair(3, 42, b"key-2", LOGIN % b"", TAGGED, "missing_device_type")
TOMBSTONE = Pair(1, 43, None, None, None, "null_value")
GOOD = dict.fromkeys(COUNTS, 0) | {"checked": 12_340, "pending": 5}
RUNNING = Board(
    state="running",
    seconds=3.9,
    page="http://127.0.0.1:20080/",
    broker="127.0.0.1:29092",
    records_in=12_345,
    records_out=12_340,
    rates=deque([(0.0, 0.0), (10.0, 9.0), (50.4, 49.6)]),
    latency=0.125,
    malformed=Counter({"missing_device_type": 84, "null_value": 1, "invalid_json": 10}),
    pairs=deque([ANDROID, MISSING, TOMBSTONE]),
    workers=[("1", "pid 4711", "partitions 0 2"), ("2", "pid 4712", "starting"), ("3", "pid 4713", "stopped")],
    kills=2,
    counts=GOOD,
    event="worker 1 was back after 2.3 s",
    has_keys=True,
)


def shown(board: Board, width: int = 80, height: int = 24) -> list[str]:
    """The lines on a terminal of this size, without colours."""
    file = StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen(board, width, height))
    return file.getvalue().removesuffix("\n").split("\n")


@pytest.mark.parametrize(
    ("board", "line"),
    [
        (Board(), "demo: starting 0 s, 0 in (0/s), 0 out (0/s), 0 malformed, lag 0"),
        (RUNNING, "demo: running 3 s, 12345 in (50/s), 12340 out (50/s), 95 malformed, lag 5"),
        (
            Board("stopping", records_in=1, records_out=2),
            "demo: stopping 0 s, 1 in (0/s), 2 out (0/s), 0 malformed, lag 0",
        ),
    ],
)
def test_plain(board: Board, line: str) -> None:
    """What is not a terminal gets one line with all the figures."""
    assert plain(board) == line


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
        ("out", " ▂█", " s"),
        ("workers: 3, killed: 2",),
        ("1", "pid 4711", "partitions 0 2"),
        ("2", "pid 4712", "starting"),
        ("3", "pid 4713", "stopped"),
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
    """No keys are offered without a terminal, while it stops, or after. No fifth worker is offered."""
    four = replace(RUNNING, workers=[("1", "pid 1", "starting")] * 4)
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


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_malformed_bars(size: tuple[int, int]) -> None:
    """The bars of 1, 10 and 84 malformed records are in proportion, within an eighth of a column."""
    lengths = {}
    for line in shown(RUNNING, *size):
        if match := re.search(r"(\d+) ([▏▎▍▌▋▊▉█]+) *$", line):
            lengths[int(match[1])] = 8 * match[2].count("█") + " ▏▎▍▌▋▊▉".find(match[2][-1]) % 9 % 8
    assert sorted(lengths) == [1, 10, 84]
    for count, length in lengths.items():
        assert length == pytest.approx(lengths[84] * count / 84, abs=1), lengths


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        (strip([], 0), ""),
        (strip([0, 0], 0), "  "),
        (strip([0, 1, 4, 8], 8), " ▁▄█"),
        (strip([0.5, 100_000], 100_000), "▁█"),
    ],
)
def test_strip(drawn: str, text: str) -> None:
    """A rate's bar is in proportion to the largest one, to an eighth. Anything above 0 is visible, and 0 is empty."""
    assert drawn == text


def test_few_malformed_are_visible() -> None:
    """A reason with one record in a million has a bar."""
    lines = shown(replace(RUNNING, malformed=Counter({"null_value": 1, "invalid_json": 1_000_000})))
    assert any(re.search(r"null_value +1 ▏ *$", line) for line in lines), "\n".join(lines)


def test_old_rates_do_not_set_the_scale() -> None:
    """The strip's scale is that of the rates that are shown: a burst of a while ago does not flatten the others."""
    lines = shown(replace(RUNNING, rates=deque([(90_000.0, 90_000.0), *[(50.0, 50.0)] * 60])))
    assert any("█" * 19 + " max 50/s" in line for line in lines), "\n".join(lines)


def test_faults() -> None:
    """What tools.verify has found is said in words, with records out of order only if there are any."""
    assert faults(GOOD) == "0 lost, 0 twice, 0 wrong"
    bad = GOOD | {"lost": 1234, "duplicated": 2, "wrong": 3, "reordered": 4}
    assert faults(bad) == "1,234 lost, 2 twice, 3 wrong, 4 out of order"


@pytest.mark.parametrize("style", [TITLE, BAR, ADDED])
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
    text = "\n".join(shown(Board()))
    assert all(re.search(rf"\b{reason} +0\b", text) for reason in Reason), text


def test_latest_records_are_shown() -> None:
    """Of more records than there is room for, the latest are shown, the very latest at the bottom."""
    pairs = deque(Pair(2, offset, b"k", b"before", b"after", None) for offset in range(100))
    places = re.findall(r"2:(\d+)", "\n".join(shown(Board(pairs=pairs))))
    assert places == [str(offset) for offset in range(94, 100)]


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07\r\n\t\x00\x7f\x9b31m\u202e\u2028[bold red]ж漢字e\u0301🙂".encode() + b"\xff" + b"x" * 300
)
HOSTILE_TEXT = HOSTILE.decode(errors="replace")
ATTACK = Board(
    state="running",
    malformed=Counter({HOSTILE_TEXT: 3}),
    pairs=deque(
        [
            Pair(0, 1, HOSTILE, HOSTILE, HOSTILE + b"!", None),
            Pair(0, 2, HOSTILE, HOSTILE, b'{"malformed":' + HOSTILE, HOSTILE_TEXT),
            Pair(0, 3, b"\x1b", b"\x1b[31m", b"", None),
            Pair(0, 10**18, b"", "漢".encode() * 500, "漢".encode() * 499 + b"\xe6", None),
        ]
    ),
)


@pytest.mark.parametrize("height", [1, 5, 20, 24, 60])
@pytest.mark.parametrize("width", [1, 20, 59, 60, 61, 79, 80, 81, 100, 200])
@pytest.mark.parametrize("board", [Board(), RUNNING, ATTACK])
def test_any_terminal(board: Board, width: int, height: int) -> None:
    """Nothing is wider or higher than the terminal, and no record's content can command it."""
    lines = shown(board, width, height)
    assert len(lines) <= height
    for line in lines:
        assert cell_len(line) <= width
        assert line.isprintable(), ascii(line)


def test_markup_is_shown_as_text() -> None:
    """What looks like rich's markup in a record is text."""
    pair = Pair(0, 1, b"[red]", b"[bold]a", b"[bold]A", "[blink]")
    lines = shown(Board(pairs=deque([pair])), width=100)
    assert any(re.search(r"\[red\] +\[bold\]a → A +malformed: \[blink\]", line) for line in lines)


def test_picture_loads_nothing() -> None:
    """The picture has no address except that of the SVG standard, so it loads nothing."""
    assert set(re.findall(r"\w+://[^\"\s)]+", picture(ATTACK))) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in picture(ATTACK)
    assert "url(" not in picture(ATTACK).replace("url(#", "")
