"""Finds outputs with the time of producing as timestamp: the input's is 0, or their topic refuses it.

The client replaces a timestamp of 0. A record whose timestamp the topic refuses gets a new one; the output is tagged.
It does no I/O.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from confluent_kafka import Message

from runtime.loop.output_record import TAG
from tools.verify.gap import Record, sort_gap
from tools.verify.side import Side


class Retiming(NamedTuple):
    """What the pipeline makes of inputs whose timestamp a topic refuses.

    Attributes:
        retimed: from an input and the record expected otherwise, returns the record to produce, with a timestamp of 0;
            None if there is none.
        may_refuse: whether the topic may have refused a timestamp at a time of producing; both in milliseconds.
    """

    retimed: Callable[[Message, Record], Record | None]
    may_refuse: Callable[[int, int], bool]


def retime(inputs: Side, outputs: Side, retiming: Retiming | None, count: int) -> bool:
    """Expect the outputs with another timestamp for these first inputs. Return False if there are none."""
    found = list(_find_retimed(inputs, outputs.records[:count], retiming, count))
    for at, record in found:
        inputs.records[at] = record
    return bool(found)


def _find_retimed(
    inputs: Side, found: Sequence[Record], retiming: Retiming | None, count: int
) -> Iterator[tuple[int, Record]]:
    """Yield the indices of inputs with their outputs."""
    expected = inputs.records[:count]
    if not retiming and not any(record.timestamp == 0 for record in expected):
        return
    gap = sort_gap(expected, found)
    waiting = defaultdict[Record, deque[Record]](deque)
    for at in gap.extra:
        waiting[found[at]._replace(timestamp=0)].append(found[at])
    tagged_keys = {one.key for one in waiting if any(name == TAG for name, _ in one.headers or ())}
    for at in gap.missing if waiting else ():
        record = expected[at]
        if record.timestamp == 0:
            if same := waiting.get(record):
                yield at, same.popleft()
        elif retiming and record.key in tagged_keys:
            made = retiming.retimed(inputs.messages[at], record)
            same = waiting.get(made) if made else None
            if same and retiming.may_refuse(record.timestamp or 0, same[0].timestamp or 0):
                yield at, same.popleft()
