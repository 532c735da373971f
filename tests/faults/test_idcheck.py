"""The check by id counts lost, duplicated, reordered and wrong records, and measures how long output stops."""

from collections.abc import Sequence
from dataclasses import asdict

import pytest

from faults.idcheck import DEAD_LETTERS, IdCheck, percentile
from faults.records import record

SEED = 7
FINE = {"checked": 0, "lost": 0, "duplicated": 0, "reordered": 0, "wrong": 0}

CASES: list[tuple[Sequence[int], int, dict[str, int]]] = [
    ([0, 1, 2, 3], 4, {"checked": 4}),
    ([], 0, {}),
    ([0, 1, 2], 4, {"checked": 3, "lost": 1}),
    ([1, 2, 3], 4, {"checked": 3, "lost": 1}),
    ([0, 3], 4, {"checked": 2, "lost": 2}),
    ([], 3, {"lost": 3}),
    ([0, 1, 1, 2], 3, {"checked": 3, "duplicated": 1}),
    ([0, 1, 2, 0, 1, 2, 3], 4, {"checked": 4, "duplicated": 3}),
    ([0, 2, 1, 3], 4, {"checked": 4, "reordered": 1}),
    ([0, 2, 1, 1], 3, {"checked": 3, "reordered": 1, "duplicated": 1}),
]


def fed(numbers: Sequence[int], spoil: int | None = None) -> IdCheck:
    """A check that was given these records of partition 0, one a second. The value of `spoil` is cut."""
    check = IdCheck(SEED, [0])
    for second, number in enumerate(numbers):
        sent = record(SEED, 0, number)
        value = sent.mapped if sent.reason is None else sent.value
        value = value[:-1] if number == spoil and value else value
        check.take(0, sent.key, value, sent.reason, (float(second), float(second)))
    return check


@pytest.mark.parametrize(("numbers", "sent", "counts"), CASES)
def test_counts(numbers: Sequence[int], sent: int, counts: dict[str, int]) -> None:
    """Each record is checked, lost, duplicated or reordered as its number says."""
    assert asdict(fed(numbers).final_counts({0: sent})) == FINE | counts


def test_wrong() -> None:
    """A value that differs in one byte is wrong, and so is one of another partition."""
    assert asdict(fed(range(5), spoil=3).final_counts({0: 5})) == FINE | {"checked": 5, "wrong": 1}
    check = IdCheck(SEED, [0])
    sent = record(SEED, 1, 0)
    check.take(0, sent.key, sent.mapped, None, (0.0, 0.0))
    assert check.counts.wrong == 1


def test_dead_letters() -> None:
    """Of the dead letters' topic, only malformed records are expected: as they were sent, each once."""
    malformed = [number for number in range(1000) if record(SEED, 0, number).reason]
    check, incomplete = IdCheck(SEED, [0], DEAD_LETTERS), IdCheck(SEED, [0], DEAD_LETTERS)
    for number in malformed:
        sent = record(SEED, 0, number)
        check.take(0, sent.key, sent.value, sent.reason, (0.0, 0.0))
        if number != malformed[1]:
            incomplete.take(0, sent.key, sent.value, sent.reason, (0.0, 0.0))
    assert check.waiting_for({0: 1000}) == 0
    assert asdict(check.final_counts({0: 1000})) == FINE | {"checked": len(malformed)}
    assert asdict(incomplete.final_counts({0: 1000})) == FINE | {"checked": len(malformed) - 1, "lost": 1}
    login = next(record(SEED, 0, number) for number in range(1000) if number not in malformed)
    check.take(0, login.key, login.value, None, (0.0, 0.0))
    assert check.counts.wrong == 1


def test_waiting_for() -> None:
    """Records after the last one in the output are waited for, but those in a gap are lost."""
    assert fed([0, 1, 3]).waiting_for({0: 6}) == 2


def test_forget_before() -> None:
    """Missing records of the deleted input are not lost, but those of the new input are."""
    check = fed([0, 1, 4, 6])
    check.forget_before({0: 4})
    assert asdict(check.final_counts({0: 7})) == FINE | {"checked": 4, "lost": 1}


def test_resumed() -> None:
    """After a fault, output has resumed when every partition has a record that was written after it."""
    check = IdCheck(SEED, [0, 1])
    check.mark(10.0)
    for partition, number, written, arrived in [
        (0, 0, 9.9, 10.2),
        (0, 1, 10.1, 11.0),
        (1, 0, 9.0, 12.0),
        (1, 1, 12, 14),
    ]:
        sent = record(SEED, partition, number)
        check.take(partition, sent.key, sent.mapped, sent.reason, (written, arrived))
        assert check.open_faults == (arrived < 14)
    assert check.resumed == [4.0]
    assert check.longest_stall == 2.0


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.99, 0.0), ([3.0], 0.99, 3.0), ([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.99, 99)],
)
def test_percentile(values: Sequence[float], share: float, found: float) -> None:
    """The percentile is the smallest value that the share does not exceed."""
    assert percentile(values, share) == found


@pytest.mark.parametrize(
    ("marks", "unexplained"),
    [([], 1), ([2.5], 0), ([0.5], 1), ([3.5], 1), ([0.5, 2.5, 3.5], 0), ([1.0], 0), ([3.0], 0)],
)
def test_unexplained(marks: Sequence[float], unexplained: int) -> None:
    """A duplicate is explained only by a fault between its writing and its arrival."""
    check = IdCheck(SEED, [0])
    for moment in marks:
        check.mark(moment)
    for number, written, arrived in [(0, 1.0, 1.1), (1, 2.0, 2.1), (0, 1.0, 3.0)]:
        sent = record(SEED, 0, number)
        check.take(0, sent.key, sent.mapped, sent.reason, (written, arrived))
    assert check.counts.duplicated == 1
    assert check.unexplained == unexplained
