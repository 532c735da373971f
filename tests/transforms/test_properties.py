"""Properties of the transform, for JSON texts, damaged ones and random bytes."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import TypeVar

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from faults.oracle import assert_kept
from tests.transforms.texts import (
    any_values,
    json_values,
    mutated,
    plain_device_types,
    split_logins,
    usable_device_types,
    usual_logins,
)
from transforms import Malformed, original, upper_device_type
from transforms.login import slow_path

T = TypeVar("T")
OTHER_WORDS = bytes.maketrans(b"ghjkqwxzOS89", b"kjhgwqzxSO98")  # letters and digits without a meaning in JSON

bounded = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@bounded
@given(json_values)
def test_json(value: bytes) -> None:
    """For any JSON text, the outcome agrees with Python's json."""
    assert_kept(value, upper_device_type(value))


@bounded
@given(mutated())
def test_nearly_json(value: bytes) -> None:
    """For a damaged JSON text, the outcome agrees with Python's json."""
    assert_kept(value, upper_device_type(value))


@bounded
@given(st.binary(max_size=300))
def test_random_bytes(value: bytes) -> None:
    """The transform never raises, and each outcome is one of the contract's."""
    assert_kept(value, upper_device_type(value))


@bounded
@given(split_logins(plain_device_types))
def test_other_bytes(login: tuple[str, str, str]) -> None:
    """In a well-formed login, only the literal of device_type is replaced."""
    before, literal, after = login

    assert upper_device_type(f"{before}{literal}{after}".encode()) == f"{before}{literal.upper()}{after}".encode()


@bounded
@given(split_logins(usable_device_types))
def test_idempotent(login: tuple[str, str, str]) -> None:
    """The transform returns its own output of a well-formed login unchanged, without a copy."""
    output = upper_device_type("".join(login).encode())

    assert isinstance(output, bytes)
    assert upper_device_type(output) is output


@bounded
@given(usual_logins.map(str.encode) | mutated(usual_logins))
def test_paths_agree(value: bytes) -> None:
    """The slow path agrees with the fast path."""
    assert slow_path(value) == upper_device_type(value)


@bounded
@given(any_values)
def test_deep_stack(value: bytes) -> None:
    """The outcome is the same 500 frames deeper in the stack."""
    assert _deeper(500, lambda: upper_device_type(value)) == upper_device_type(value)


@bounded
@given(any_values)
def test_original(value: bytes) -> None:
    """`original` gives the input back, even if tagged values are tagged repeatedly."""
    tagged = [value]
    while len(tagged) < 4 and isinstance(result := upper_device_type(tagged[-1]), Malformed):
        assert result.value is not None
        tagged.append(result.value)
    assume(len(tagged) > 1)

    assert [original(later) for _, later in pairwise(tagged)] == tagged[:-1]


@bounded
@given(st.data())
def test_original_of_anything(data: st.DataObject) -> None:
    """For a damaged tagged value, `original` returns bytes or raises ValueError."""
    result = upper_device_type(data.draw(any_values))
    assume(isinstance(result, Malformed))
    assert isinstance(result, Malformed)
    assert result.value is not None
    damaged = data.draw(mutated(st.just(result.value.decode())))

    with suppress(ValueError):
        assert isinstance(original(damaged), bytes)


@bounded
@given(mutated() | json_values)
def test_detail_is_discreet(value: bytes) -> None:
    """Reason and detail do not depend on the letters and digits of keys and values."""
    results = [upper_device_type(value), upper_device_type(value.translate(OTHER_WORDS))]
    verdicts = [result[:2] if isinstance(result, Malformed) else None for result in results]

    assert verdicts[0] == verdicts[1]


def _deeper(frames: int, call: Callable[[], T]) -> T:
    return _deeper(frames - 1, call) if frames else call()
