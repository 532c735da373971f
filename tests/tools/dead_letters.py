"""The dead letters that the contract requires."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline import TRANSFORMS
from tests.kafka import Record
from transforms import Malformed, chain

DETAIL, PLACE = "malformed.detail", "__streams.errors."
NAMES = ("malformed", DETAIL, *(PLACE + name for name in ("topic", "partition", "offset", "message")))
FORGED: list[tuple[str, bytes | None]] = [(name, b"forged") for name in NAMES]
_transform = chain(*TRANSFORMS)


def letter_headers(reason: str, detail: str, topic: str, partition: int, offset: int) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter."""
    texts = (reason, detail, topic, partition, offset, f"{reason}: {detail}")
    return [(name, f"{text}".encode()) for name, text in zip(NAMES, texts, strict=True)]


def dead_letter(record: Record, topic: str) -> Record | None:
    """The dead letter of an input record at its offset, if it fits, or None if the record is a login."""
    result = _transform(record.value)
    if not isinstance(result, Malformed):
        return None
    kept = [header for header in record.headers if header[0] not in NAMES]
    own = letter_headers(result.reason, result.detail, topic, record.partition, record.offset)
    return replace(record, headers=[*kept, *own])


def dead_letters(records: Sequence[Record], topic: str) -> list[Record]:
    """The dead letters of the records of one partition, whose offsets begin with 0."""
    made = (dead_letter(replace(record, offset=at), topic) for at, record in enumerate(records))
    return [letter for letter in made if letter]
