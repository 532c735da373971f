"""The JSON corpus: each case's verdict, output and byte offset, by the fast path and the slow path."""

import json
import random
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from faults.hostile import assemble
from faults.oracle import OK, assert_kept, read
from tools.generator.logins import MALFORMED_KINDS
from transforms import Malformed, upper_device_type
from transforms.login import slow_path

CORPUS = Path(__file__).parents[1] / "corpus"
FILES = sorted(CORPUS.glob("*.jsonl"))


class Case(NamedTuple):
    """One line of the corpus, decoded."""

    name: str
    value: bytes | None
    expect: str
    output: bytes | None
    at: int | None


def _case(file: Path, line: str) -> Case:
    fields = json.loads(line)
    assert fields.keys() <= {"name", "value", "expect", "output", "at"}, line
    assert ("output" in fields) == (fields["expect"] == OK), line
    name = f"{file.stem}: {fields['name']}"
    value, output = assemble(fields["value"]), assemble(fields.get("output"))
    return Case(name, value, fields["expect"], output, fields.get("at"))


CASES = [_case(file, line) for file in FILES for line in file.read_text("ascii").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_verdict(case: Case) -> None:
    """Each case has its verdict, and its output or tag, byte for byte: by fast path, slow path and Python's json."""
    assert read(case.value)[:2] == (case.expect, case.output)
    for transform in (upper_device_type, slow_path):
        result = transform(case.value)
        assert _verdict(result) == (case.expect, case.output)
        assert_kept(case.value, result)
        if case.at is not None:
            assert isinstance(result, Malformed)
            assert re.findall(r"\bat byte (\d+)", result.detail) == [str(case.at)]


def test_damaged_cases() -> None:
    """Both paths agree with Python's json on cases with a byte or fragment inserted, removed or copied."""
    chance = random.Random(3)
    short = [case.value for case in CASES if case.value is not None and len(case.value) < 500]
    for _ in range(50_000):
        value = _damaged(chance, chance.choice(short), chance.choice(short))
        result = upper_device_type(value)
        assert_kept(value, result)
        assert slow_path(value) == result


def test_corpus_is_sound() -> None:
    """The corpus has over 200 cases with unique names, for each reason of the transform, in printable ASCII."""
    text = "".join(file.read_text("ascii") for file in FILES)

    assert len(CASES) > 200
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.expect for case in CASES} == {OK, *MALFORMED_KINDS}
    assert re.fullmatch(r"[ -~\n]*", text)


def _damaged(chance: random.Random, value: bytes, other: bytes) -> bytes:
    """`value` with up to two bytes replaced by one byte, by nothing, or by a fragment of `other`."""
    start, end = sorted((chance.randint(0, len(other)), chance.randint(0, len(other))))
    inserted = chance.choice([chance.randbytes(1), chance.choice(b'{}[]:,"\\ 0-.e').to_bytes(), b"", other[start:end]])
    at = chance.randint(0, len(value))
    return value[:at] + inserted + value[at + chance.choice([0, 0, 1, 2]) :]


def _verdict(result: bytes | Malformed) -> tuple[str, bytes | None]:
    return (result.reason, None) if isinstance(result, Malformed) else (OK, result)
