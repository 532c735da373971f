"""Hostile values (row 9): the JSON corpus, sizes around the output topic's limit, and mutants of both.

The expected output comes from faults/oracle.py, which shares no code with the transforms.
"""

import hashlib
import json
import random
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

from faults.oracle import OK, Reading, assert_tagged, read
from faults.records import TRACED, Sent, record
from tools.broker.protocol import RawRecord, batch_size
from transforms import Malformed, Reason

LIMIT = 20_000
"""The output topic's max.message.bytes."""

_CORPUS = Path(__file__).parent.parent / "tests" / "corpus"
_SIZES = [size for size in range(LIMIT - 500, LIMIT + 50) for _ in range(2)]
"""Of values in the first partition. There are two of each size, so that one of them has no header."""
_GROWING = "\u0390"  # one character of two bytes whose upper case has three characters
_SHARE_OF_LOGINS = 0.7
_MOST_DETAIL = 200  # bytes of a tag in addition to the value in it
_TRAPS = (
    b"\x00",
    b"\xff",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b'"',
    b"NaN",
    b"1e999",
    b'"device_type":',
    b"\xef\xbb\xbf",
)


def value_of(seed: int, partition: int, number: int) -> bytes | None:
    """Return the value with this number: first the sizes or the corpus, then mutants without end."""
    if partition == 0:
        if number < len(_SIZES):
            return _sized(_SIZES[number])
        number -= len(_SIZES)
    if number < len(corpus()):
        return corpus()[number]
    return _mutant(random.Random(f"{seed} {partition} {number}"), seed, partition, number)


def hostile(seed: int, partition: int, number: int, _pad: int = 0) -> Sent:
    """Return the record with this number, as faults.records.record does. `judge` decides on its output."""
    return Sent(b"%d:%d" % (partition, number), value_of(seed, partition, number), None, None)


def judge(sent: Sent, value: bytes | None, tag: bytes | None) -> bool:
    """Whether value and tag are right for the record sent, including its size to the byte."""
    reading = read(sent.value)
    if tag == b"too_large":
        is_login = reading.verdict == OK
        whole = reading.output if is_login else _tagged_at_most(sent.value, reading)
        return _is_stub(sent, value) and not _fits(sent, whole, None if is_login else reading.verdict)
    if reading.verdict == OK:
        return tag is None and value == reading.output and _fits(sent, value, None)
    return tag == reading.verdict.encode() and (value is None if sent.value is None else _holds(value, sent, reading))


def before_mutants(partitions: int) -> int:
    """How many values come before the first mutants, if all partitions get equally many records."""
    return (len(_SIZES) + len(corpus())) * partitions


@cache
def corpus() -> tuple[bytes | None, ...]:
    """The values of all cases of tests/corpus."""
    lines = [line for file in sorted(_CORPUS.glob("*.jsonl")) for line in file.read_text("ascii").splitlines()]
    return tuple(assemble(json.loads(line)["value"]) for line in lines)


def assemble(spelled: Any) -> bytes | None:  # noqa: ANN401  (JSON)
    """Decode a value of the corpus, as tests/corpus/README.md describes it."""
    if spelled is None or isinstance(spelled, str):
        return None if spelled is None else spelled.encode()
    return b"".join(
        part.encode()
        if isinstance(part, str)
        else bytes.fromhex(part["hex"])
        if "hex" in part
        else part["repeat"].encode() * part["times"]
        for part in spelled
    )


def _sized(size: int) -> bytes:
    start, end = f'{{"device_type":"{_GROWING * 9}","x":"'.encode(), b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


def _mutant(chance: random.Random, seed: int, partition: int, number: int) -> bytes:
    """Change a login, or a value of the corpus, in one to four places."""
    base = record(seed, partition, number).value if chance.random() < _SHARE_OF_LOGINS else chance.choice(corpus())
    value = bytearray(base or b"{}")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(value) + 1)
        until = min(len(value), at + chance.choice((1, 1, 2, 8, 40)))
        kind = chance.randrange(5)
        if kind == 0:
            value[at:until] = b""
        elif kind == 1:
            value[at:at] = value[at:until]
        elif kind == 2:  # noqa: PLR2004  (kinds are numbers)
            value[at:at] = chance.choice(_TRAPS)
        elif kind == 3:  # noqa: PLR2004
            value[at : at + 1] = bytes((chance.randrange(256),))
        else:
            value[at:at] = (chance.choice(corpus()) or b"")[:200]
    return bytes(value[: LIMIT // 2])


def _holds(value: bytes | None, sent: Sent, reading: Reading) -> bool:
    """Whether the value is the input with its tag, to the byte. Any detail is accepted."""
    _, found, rest = (value or b"").rpartition(b'"malformed":{"reason":"%b","detail":' % reading.verdict.encode())
    try:
        detail, _ = json.JSONDecoder().raw_decode(rest.decode(errors="replace"))
        tagged = Malformed(Reason(reading.verdict), str(detail), value)
        assert_tagged(sent.value, tagged, has_malformed=reading.has_malformed)
    except (ValueError, AssertionError):
        return False
    return bool(found)


def _is_stub(sent: Sent, value: bytes | None) -> bool:
    """Whether the stub has the input's size, hash and place. Record numbers are offsets here."""
    try:
        tag = json.loads(value or b"")["malformed"]
    except (ValueError, TypeError, KeyError):
        return False
    whole = {"size": len(sent.value or b""), "sha256": hashlib.sha256(sent.value or b"").hexdigest()}
    partition, number = map(int, (sent.key or b"").split(b":"))
    right = whole | {"reason": "too_large", "partition": partition, "offset": number}
    return right.items() <= tag.items() and "topic" in tag and tag.keys() - right.keys() == {"topic", "detail"}


def _fits(sent: Sent, value: bytes | None, reason: str | None) -> bool:
    """Whether it fits into the output topic, with the headers of faults.load and the tag."""
    number = int((sent.key or b"").partition(b":")[2])
    headers: list[tuple[bytes, bytes | None]] = [(b"trace", b"0")] if number % TRACED == 0 else []
    headers += [(b"malformed", reason.encode())] if reason else []
    return batch_size(RawRecord(sent.key, value, headers)) <= LIMIT


def _tagged_at_most(value: bytes | None, reading: Reading) -> bytes | None:
    """A value that is at least as long as the tagged one, and at most _MOST_DETAIL bytes longer."""
    if value is None:
        return None
    held = value
    if reading.verdict == "invalid_utf8":
        held = b64encode(value)
    elif not reading.verdict.endswith("_device_type") or reading.has_malformed:
        held = json.dumps(value.decode(), ensure_ascii=False).encode()
    return held + bytes(_MOST_DETAIL)
