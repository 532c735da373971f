"""Reads a dead letter, and builds the record that is sent back for it."""

import json
from typing import NamedTuple

from runtime.connect.topics import LEAST_DEAD_LETTER_BYTES
from runtime.loop.dead_letters import NAMES, OFFSET, PARTITION, TOPIC
from runtime.loop.output_record import TAG, Headers
from tools.tail.records import TopicRecord
from transforms import Reason

ATTEMPT = "replay.attempt"
"""The header of a record that was sent back: how often."""

_REASONS = frozenset(map(str, Reason))
_DIGITS = 9  # of a number in a header


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
    """Read a dead letter; None if the record is none of the pipeline that reads this input topic."""
    texts = {name: (content or b"").decode(errors="backslashreplace") for name, content in record.headers}
    if not texts.keys() >= NAMES or texts[TOPIC] != source or texts[TAG] not in _REASONS:
        return None
    partition, offset = _number(texts[PARTITION]), _number(texts[OFFSET], len(f"{2**63}"))
    if partition is None or offset is None:
        return None
    is_stub = texts[TAG] == Reason.TOO_LARGE and _is_stub(record.value or b"", [source, partition, offset])
    attempts = _number(texts.get(ATTEMPT, "")) or 0
    return Letter(record, texts[TAG], partition, attempts, f"{source}[{partition}]@{offset}", is_stub)


def _number(text: str, digits: int = _DIGITS) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def _is_stub(value: bytes, place: list[object]) -> bool:
    """Whether the value says that the original is at this place. A stub is small."""
    if len(value) > LEAST_DEAD_LETTER_BYTES:
        return False
    try:
        content = json.loads(value)["malformed"]
        return [content[name] for name in ("topic", "partition", "offset")] == place
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
