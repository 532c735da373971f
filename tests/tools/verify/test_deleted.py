"""Records that are deleted while the walk reads both topics. These are in memory, without Kafka."""

import pytest

from runtime.errors import Failed
from runtime.settings import Settings
from tests.tools.verify.test_walk import COUNT, Held, Partition, doctor, found, topic
from tools.verify.range import EVERYTHING
from tools.verify.walk import Walk


class Expiring(Held):
    """Two topics that lose their first records after some reads.

    Args:
        target: the output; the input has all logins.
        after: the number of reads.
        gone: how many records the input and the output lose.
    """

    def __init__(self, target: list[Partition], after: int, gone: tuple[int, int]) -> None:
        super().__init__(topic((0,)), target)
        self.reads_left, self.gone = after, gone

    def on_read(self) -> None:
        self.reads_left -= 1
        if self.reads_left == 0:
            for name, first in zip(("in", "out"), self.gone, strict=True):
                ((begin, records),) = self.held[name]
                self.held[name] = [Partition(begin + first, records[first:])]


@pytest.mark.parametrize("after", [1, 2, 3, 10, 50, 90, 115])
@pytest.mark.parametrize("gone", [(300, 0), (0, 300), (300, 300), (200, 300), (300, 200), (400, 0), (400, 400)])
def test_expire_unread(gone: tuple[int, int], after: int) -> None:
    """Records that are deleted before they can be read are skipped. A fault in the others is found."""
    counts, ok = found(Walk(Expiring(topic((0,)), after, gone), Settings(), EVERYTHING, lambda: False))
    assert ok
    assert set(counts) <= {"checked", "skipped"}
    assert counts.get("checked", 0) >= COUNT - max(gone)
    is_late = counts.get("checked") == COUNT
    assert is_late or counts["skipped"] > 0

    wrong = topic((0,))
    doctor(wrong, 350, wrong=True)
    counts, ok = found(Walk(Expiring(wrong, after, gone), Settings(), EVERYTHING, lambda: False))
    assert max(gone) == COUNT or (counts["wrong"], ok) == (1, False)


def test_created_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an offset is missing although no record was deleted, the topic was created again: there is no verdict."""
    held = Expiring(topic((0,)), 3, (300, 0))
    monkeypatch.setattr(held, "begins", lambda _facts, numbers: dict.fromkeys(numbers, 0))
    with pytest.raises(Failed, match=r"in\[0\]@\d+ does not exist any more"):
        found(Walk(held, Settings(), EVERYTHING, lambda: False))
