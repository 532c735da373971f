"""Which dead letters are open, as committed offsets and their metadata tell it. Tested without Kafka."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connect.topic_ids import NO_ID
from tools.replay.open_offsets import FullError, OpenOffsets, is_of_topic

ID = "VQ8c8tSSTz2kvBrUpCjDIw"
OFFSETS = range(40)


def visit(
    progress: tuple[int, str], letters: set[int], wanted: set[int], begin: int | None, ends: list[int]
) -> set[int]:
    """Visit letters up to each of these ends, with a commit there, and return what was sent.

    Nothing else changes.
    """
    offsets = OpenOffsets(*progress)
    if begin is not None:
        offsets.begin(begin)
    at = offsets.first if begin is None else begin
    sent = set()
    for end in ends:
        for letter in sorted(letters):
            if at <= letter < end and letter in offsets:
                if letter in wanted:
                    offsets.send()
                    sent.add(letter)
                else:
                    offsets.leave(letter)
        at = max(at, end)
        visit.progress = offsets.committed(at, ID)  # type: ignore[attr-defined]
    return sent


@given(
    st.sets(st.sampled_from(OFFSETS)),
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(OFFSETS)),
            st.one_of(st.none(), st.sampled_from(OFFSETS)),
            st.lists(st.sampled_from(OFFSETS), min_size=1, max_size=3).map(sorted),
        ),
        max_size=6,
    ),
)
def test_each_once(letters: set[int], runs: list[tuple[set[int], int | None, list[int]]]) -> None:
    """After several runs, a dead letter is open if and only if none of them has sent it."""
    progress, sent = (0, ""), set[int]()
    for wanted, begin, ends in runs:
        just_sent = visit(progress, letters, wanted, begin, ends)
        assert not just_sent & sent
        sent |= just_sent
        progress = visit.progress  # type: ignore[attr-defined]
        offsets = OpenOffsets(*progress)
        assert {letter for letter in letters if letter in offsets} == letters - sent
        assert all(offset in offsets for offset in (1000, 2**62))


def test_offset_only() -> None:
    """If all were sent in order, the offset says it, and the metadata have the topic's id only."""
    offsets = OpenOffsets(3)
    for _ in range(5):
        offsets.send()
    assert offsets.committed(20, ID) == (20, f"topic-id:{ID}")
    assert offsets.committed(30, ID) == (30, f"topic-id:{ID}")


def test_left_together() -> None:
    """Letters that are left one after the other take one range, however many they are."""
    offsets = OpenOffsets(0)
    for offset in range(10_000):
        offsets.leave(offset)
    offsets.send()
    assert offsets.committed(20_000, ID) == (0, f"topic-id:{ID} 10000 10000")


def test_full() -> None:
    """If the ranges do not fit the metadata, that is an error before the letter is sent, and what was sent is kept."""
    offsets = OpenOffsets(0)
    sent: list[int] = []

    def leave_and_send() -> None:
        for offset in range(0, 10_000, 2):
            offsets.leave(offset)
            offsets.send()
            sent.append(offset + 1)

    with pytest.raises(FullError):
        leave_and_send()
    first, metadata = offsets.committed(sent[-1] + 2, ID)
    assert first == 0
    assert 3_900 < len(metadata) < 4_096
    again = OpenOffsets(first, metadata)
    assert [offset for offset in range(1, 10_000, 2) if offset not in again] == sent
    assert len(sent) > 500


@pytest.mark.parametrize("metadata", [f"topic-id:{ID} 1", f"topic-id:{ID} 1 x", "instance:a client:b 3 4"])
def test_foreign_metadata(metadata: str) -> None:
    """Metadata of another program are an error."""
    with pytest.raises(ValueError, match=r"invalid literal|shorter|not of replay"):
        OpenOffsets(5, metadata)


@pytest.mark.parametrize(
    ("committed", "topic_id", "expected"),
    [
        ("", ID, True),
        (f"topic-id:{ID}", ID, True),
        (f"topic-id:{ID} 1 2", ID, True),
        ("topic-id:x 1 2", ID, False),
        ("topic-id:x", NO_ID, True),
        (f"topic-id:{NO_ID}", ID, True),
    ],
)
def test_is_of_topic(committed: str, topic_id: str, *, expected: bool) -> None:
    """The topic's id tells an offset of another topic with the same name, if the broker and the commit have one."""
    assert is_of_topic(committed, topic_id) is expected
