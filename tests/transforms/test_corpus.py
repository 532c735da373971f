"""The JSON corpus: each case's verdict, output and byte offset, by both paths of the map."""

import json
import random
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from faults.oracle import OK, assert_kept, read
from tools.generator.logins import MALFORMED_KINDS
from transforms import Malformed, upper_device_type
from transforms.login import exact

CORPUS = Path(__file__).parents[1] / "corpus"
FILES = sorted(CORPUS.glob("*.jsonl"))


class Case(NamedTuple):
    """One line of the corpus, its values put together."""

    name: str
    value: bytes | None
    expect: str
    output: bytes | None
    at: int | None


def _bytes(spelled: Any) -> bytes | None:
    """Put together a value as `tests/corpus/README.md` describes it."""
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


def _case(file: Path, line: str) -> Case:
    fields = json.loads(line)
    assert fields.keys() <= {"name", "value", "expect", "output", "at"}, line
    assert ("output" in fields) == (fields["expect"] == OK), line
    name = f"{file.stem}: {fields['name']}"
    value, output = _bytes(fields["value"]), _bytes(fields.get("output"))
    return Case(name, value, fields["expect"], output, fields.get("at"))


CASES = [_case(file, line) for file in FILES for line in file.read_text("ascii").splitlines()]
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@each_case
def test_verdict(case: Case) -> None:
    """Each case gets its verdict, and as its output or tagged value the very bytes that the contract promises."""
    result = upper_device_type(case.value)

    assert _verdict(result) == (case.expect, case.output)
    assert_kept(case.value, result)


@each_case
def test_exact_path(case: Case) -> None:
    """The exact path alone says of each case what the map says."""
    assert exact(case.value) == upper_device_type(case.value)


@each_case
def test_plain_reading(case: Case) -> None:
    """Each case's verdict and output are also what a plain reading with Python's json makes of the same bytes."""
    assert read(case.value)[:2] == (case.expect, case.output)


@pytest.mark.parametrize("case", [case for case in CASES if case.at is not None], ids=lambda case: str(case.name))
def test_offset(case: Case) -> None:
    """The detail names the byte, not the character, at which a case goes wrong."""
    result = upper_device_type(case.value)

    assert isinstance(result, Malformed)
    assert re.findall(r"\bat byte (\d+)", result.detail) == [str(case.at)]


def test_damaged_cases() -> None:
    """Of cases with a byte or a fragment put in, left out or copied, both paths make what a plain reading makes."""
    chance = random.Random(3)
    short = [case.value for case in CASES if case.value is not None and len(case.value) < 500]
    for _ in range(50_000):
        value = _damaged(chance, chance.choice(short), chance.choice(short))
        result = upper_device_type(value)
        assert_kept(value, result)
        assert exact(value) == result


def test_corpus_is_sound() -> None:
    """The corpus has over 200 cases under names of their own, for each reason that is the map's, in printable ASCII."""
    text = "".join(file.read_text("ascii") for file in FILES)

    assert len(CASES) > 200
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.expect for case in CASES} == {OK, *MALFORMED_KINDS}
    assert re.fullmatch(r"[ -~\n]*", text)


def _damaged(chance: random.Random, value: bytes, other: bytes) -> bytes:
    """`value` with a few bytes replaced, at one place, by one byte, by nothing, or by a fragment of `other`."""
    start, end = sorted((chance.randint(0, len(other)), chance.randint(0, len(other))))
    put_in = chance.choice([chance.randbytes(1), chance.choice(b'{}[]:,"\\ 0-.e').to_bytes(), b"", other[start:end]])
    at = chance.randint(0, len(value))
    return value[:at] + put_in + value[at + chance.choice([0, 0, 1, 2]) :]


def _verdict(result: bytes | Malformed) -> tuple[str, bytes | None]:
    return (result.reason, None) if isinstance(result, Malformed) else (OK, result)
