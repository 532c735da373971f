"""The figures that the demo shows, and its last line."""

from collections.abc import Sequence
from functools import partial
from typing import cast

import pytest
from confluent_kafka import Message

from runtime.loop.output_record import TAG
from runtime.settings import Settings
from tests.tools.verify.test_walk import Held, InMemory, Partition
from tools.demo.figures import LATENCY_OVER, Figures
from tools.demo.view import Board, result
from tools.verify.findings import total
from tools.verify.gap import Record
from tools.verify.range import EVERYTHING
from tools.verify.walk import Walk

INPUT = [Record(b"key", b'{"n": %d, "device_type": "iOS"}' % number, number + 1, None) for number in range(5)]
INPUT.append(Record(None, None, 6, None))
OUTPUT = [record._replace(value=record.value and record.value.replace(b"iOS", b"IOS")) for record in INPUT]
OUTPUT[5] = OUTPUT[5]._replace(headers=((TAG, b"null_value"),))


def held(records: Sequence[Record]) -> Partition:
    """A partition that has these records."""
    return Partition(0, [InMemory(*item) for item in enumerate(records)])


@pytest.mark.parametrize(
    ("output", "found"),
    [
        pytest.param(OUTPUT, "0 lost, 0 twice, 0 wrong", id="all there"),
        pytest.param([*OUTPUT[:2], *OUTPUT[3:]], "1 lost, 0 twice, 0 wrong", id="one missing"),
        pytest.param(OUTPUT[:4], "0 lost, 0 twice, 0 wrong, 2 not processed", id="two missing at the end"),
        pytest.param([], "0 lost, 0 twice, 0 wrong, 6 not processed", id="nothing"),
        pytest.param([*OUTPUT, OUTPUT[0], OUTPUT[1]], "0 lost, 2 twice, 0 wrong", id="two twice, at the end"),
        pytest.param([*OUTPUT[:2], INPUT[2], *OUTPUT[3:]], "0 lost, 0 twice, 1 wrong", id="one unchanged"),
    ],
)
def test_result(output: list[Record], found: str) -> None:
    """The last line says all that tools.verify finds wrong or not processed."""
    topics = Held([held(INPUT)], [held(output)])
    board = Board(state="done", kills=3, records_in=len(INPUT))
    walk = Walk(topics, Settings(), EVERYTHING, lambda: False, Figures(topics.target, board))
    walk.step(lambda _: None, final=True)
    board.counts, malformed = total(walk.findings()), board.malformed.total()
    assert result(board) == f"demo: 6 in, {len(output)} out, {malformed} malformed, 0 workers, 3 killed: {found}"
    board.state = "stopping"
    assert result(board).endswith(f"3 killed: {max(0, 6 - len(output))} not yet counted")


@pytest.mark.parametrize("output_first", [False, True])
def test_figures(*, output_first: bool) -> None:
    """The figures: records out, rates of each second, reasons, and the latest records with their outputs."""
    board = Board()
    figures = Figures(Held([], []).target, board)
    figures.update(1.0)
    for offset, (before, after) in enumerate(zip(INPUT, OUTPUT, strict=True)):
        inputs, outputs = ([cast("Message", InMemory(offset, record))] for record in (before, after))
        takes = [partial(figures.expected, inputs), partial(figures.found, outputs)]
        for take in reversed(takes) if output_first else takes:
            take()
        board.records_in = 2 * (offset + 1)
        figures.update(1.5 + offset)
    board.records_in = 13
    figures.update(7.5)
    rates = [rate for both in board.rates for rate in both]
    assert rates[-12:] == pytest.approx([4 / 1.5, 2 / 1.5, 2, 1, 2, 1, 2, 1, 2, 1, 1, 0])
    assert not any(rates[:-12])
    assert board.records_out == 6
    assert board.malformed == {"null_value": 1}
    assert [(pair.offset, pair.after, pair.reason) for pair in board.pairs] == [
        (offset, record.value, "null_value" if record.headers else None) for offset, record in enumerate(OUTPUT)
    ]


def test_latency() -> None:
    """The latency is the 99th percentile, over the last seconds, of the time from timestamp to reading the output."""
    board = Board()
    figures = Figures(Held([], []).target, board, clock=lambda: 10.0)
    figures.update(0.0)
    assert board.latency is None
    records = [Record(b"key", b"value", 10_000 - milliseconds, None) for milliseconds in range(1, 201)]
    figures.found([cast("Message", InMemory(offset, record)) for offset, record in enumerate(records)])
    for second in range(1, LATENCY_OVER + 1):
        figures.update(second)
        assert board.latency == 0.198
    figures.update(LATENCY_OVER + 1)
    assert board.latency is None
