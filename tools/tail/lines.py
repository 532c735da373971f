"""Writes a record as people read it, or as JSON. Records are not trusted: control characters are shown as escapes."""

import base64
import json
from datetime import UTC, datetime, timedelta

from tools.printable import printable
from tools.tail.originals import InputValue
from tools.tail.records import TopicRecord

ADDED, REMOVED, TAGGED, KEY, FAINT = "1;32", "1;31", "1;33", "1", "2"
"""The codes of colours and weights (SGR): they leave the cursor where it is."""

NULL, UNKNOWN = "(null)", "(unknown)"


def time_of(timestamp: int) -> str:
    """A timestamp in milliseconds as local time (ISO 8601), or as a number if it is beyond the calendar."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp)
        return moment.astimezone().isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{timestamp}"


class Lines:
    """Writes records as lines of text.

    Args:
        is_coloured: whether to use colours.
        has_before: whether to write the input's value, too, if it is known.
        of_dead_letters: whether the records are dead letters.
    """

    def __init__(self, *, is_coloured: bool, has_before: bool, of_dead_letters: bool = False) -> None:
        self._is_coloured, self._has_before, self._of_dead_letters = is_coloured, has_before, of_dead_letters

    def text(self, record: TopicRecord, before: InputValue | None) -> str:
        """One line for a record. With `has_before`, two more lines follow: the value before and after."""
        letter = record.dead_letter if self._of_dead_letters else None
        shown = letter.others if letter else record.headers
        names = [f"{printable(name.encode())}:{_shown(content)}" for name, content in shown]
        headers = [self._styled(text, FAINT) for text in names]
        if letter:
            why = printable(f"{letter.reason}: {letter.detail}".encode())
            headers += [self._styled(why, TAGGED), self._styled(printable(f"from {letter.place}".encode()), FAINT)]
        elif record.tag is not None:
            headers[-1] = self._styled(names[-1], TAGGED)
        place = self._styled(f"{time_of(record.timestamp)}  {record.place}", FAINT)
        line = "  ".join([place, self._styled(_shown(record.key), KEY), *headers])
        new = _shown(record.value)
        if before is None:
            return f"{line}\n  - {UNKNOWN}\n  + {new}" if self._has_before else f"{line}  {new}"
        old = _shown(before.value)
        if not self._has_before:
            return f"{line}  {self._marked(new, old, ADDED)}"
        return f"{line}\n  - {self._marked(old, new, REMOVED)}\n  + {self._marked(new, old, ADDED)}"

    def _marked(self, text: str, other: str, style: str) -> str:
        """A text whose part that differs from the other one is styled."""
        begin = common_start(text, other)
        end = len(text) - common_start(text[begin:][::-1], other[begin:][::-1])
        return f"{text[:begin]}{self._styled(text[begin:end], style)}{text[end:]}"

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._is_coloured and text else text


def as_json(record: TopicRecord, before: InputValue | None, *, has_before: bool, of_dead_letters: bool = False) -> str:
    """The record as a JSON object, exactly."""
    letter = record.dead_letter if of_dead_letters else None
    shown = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _exact(record.key),
        "headers": [[name, _exact(content)] for name, content in record.headers],
        "reason": letter.reason if letter else record.tag,
        "value": _exact(record.value),
    }
    if of_dead_letters:
        source = {name: getattr(letter, name) for name in ("topic", "partition", "offset")} if letter else None
        shown |= {"detail": letter.detail if letter else None, "source": source}
    if has_before:
        shown |= {"found": before is not None, "before": _exact(before.value) if before else None}
    return json.dumps(shown).replace("\x7f", r"\u007f")  # the one control character that json.dumps does not escape


def common_start(one: str, other: str) -> int:
    """How many first characters are the same, without a part of a word."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    count = next(differ, min(len(one), len(other)))
    if one[count : count + 1].isalnum() or other[count : count + 1].isalnum():
        while count and one[count - 1].isalnum():
            count -= 1
    return count


def _shown(content: bytes | None) -> str:
    return NULL if content is None else printable(content)


def _exact(content: bytes | None) -> object:
    """A text for JSON, an object with the member `base64` for what is not UTF-8, or null for null."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
