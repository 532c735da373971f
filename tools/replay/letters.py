"""Reads a dead letter, and builds the record that is sent back for it."""

import json
from typing import NamedTuple

from runtime.connect.topics import LEAST_DEAD_LETTER_BYTES
from runtime.loop.dead_letters import NAMES
from runtime.loop.output_record import Headers
from tools.tail.records import TopicRecord, number_in
from transforms import Reason

ATTEMPT = "replay.attempt"
"""The header of a record that was sent back: how often."""

_REASONS = frozenset(map(str, Reason))


class Letter(NamedTuple):
    """A dead letter of this pipeline."""

    record: TopicRecord
    reason: str
    partition: int
    """The original's partition in the input topic."""
    attempts: int
    """How often the original was sent back before."""
    origin: str
    """Where the original is in the input topic: topic[partition]@offset."""
    is_stub: bool
    """Whether the original is not here, because it was too large."""

    def headers(self) -> Headers:
        """Give the original's headers, and the one that counts its attempts."""
        others = [header for header in self.record.headers if header[0] not in {*NAMES, ATTEMPT}]
        return [*others, (ATTEMPT, b"%d" % (self.attempts + 1))]


def letter_of(record: TopicRecord, source: str) -> Letter | None:
    """Read a dead letter. Return None if it is not a dead letter of the pipeline that reads this input topic."""
    found = record.dead_letter
    if found is None or found.topic != source or found.reason not in _REASONS:
        return None
    place = [source, found.partition, found.offset]
    is_stub = found.reason == Reason.TOO_LARGE and _is_stub(record.value or b"", place)
    attempts = (dict(found.others).get(ATTEMPT) or b"").decode(errors="backslashreplace")
    return Letter(record, found.reason, found.partition, number_in(attempts, 9) or 0, found.place, is_stub)


def _is_stub(value: bytes, place: list[object]) -> bool:
    """Whether the value says that the original is at this place. A stub is small."""
    if len(value) > LEAST_DEAD_LETTER_BYTES:
        return False
    try:
        content = json.loads(value)["malformed"]
        return [content[name] for name in ("topic", "partition", "offset")] == place
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
