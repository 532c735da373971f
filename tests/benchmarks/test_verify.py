"""The benchmark's check of a peer's output."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.load import Value, pool, values
from benchmarks.verify import WrongOutput, verify
from transforms import Malformed, upper_device_type

SOURCE = values(pool(), 7, 25_000)


def ours() -> Counter[Value]:
    """What our map makes of SOURCE."""
    output: Counter[Value] = Counter()
    for value, count in SOURCE.items():
        result = upper_device_type(value)
        output[result.value if isinstance(result, Malformed) else result] += count
    return output


def as_json() -> Counter[Value]:
    """What a peer makes of SOURCE that writes JSON in its own way, keys in another order."""
    output: Counter[Value] = Counter()
    for value, count in SOURCE.items():
        login = json.loads(value or b"")
        if "device_type" in login:
            login["device_type"] = login["device_type"].upper()
        output[json.dumps(dict(reversed(login.items())), separators=(",", ":")).encode()] += count
    return output


def without_one(output: Counter[Value]) -> None:
    """Take one record away."""
    output[max(output, key=lambda value: output[value])] -= 1


def with_one_twice(output: Counter[Value]) -> None:
    """Add one record that is there already."""
    output[next(iter(output))] += 1


def with_one_changed(output: Counter[Value]) -> None:
    """Change one record's value, and leave their number as it is."""
    value = next(value for value in output if value and b"ANDROID" in value)
    output[value] -= 1
    output[value.replace(b"ANDROID", b"Android")] += 1


def with_one_not_json(output: Counter[Value]) -> None:
    """Put rubbish in one record's place."""
    without_one(output)
    output[b"rubbish"] += 1


@pytest.mark.parametrize(("output", "exact"), [(ours(), True), (as_json(), False)], ids=["exact", "json"])
def test_accepts_what_is_right(output: Counter[Value], *, exact: bool) -> None:
    """An output with every record's right value passes."""
    verify(output, SOURCE, exact=exact)


@pytest.mark.parametrize("spoil", [without_one, with_one_twice, with_one_changed, with_one_not_json])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "json"])
def test_catches_what_is_wrong(spoil: Callable[[Counter[Value]], None], *, exact: bool) -> None:
    """A single missing, repeated, changed or unreadable record among 25,000 is caught."""
    output = ours() if exact else as_json()
    spoil(output)
    with pytest.raises(WrongOutput):
        verify(output, SOURCE, exact=exact)


def test_bytes_count_where_they_should() -> None:
    """The same JSON in other bytes passes for a peer, and not for ours."""
    with pytest.raises(WrongOutput):
        verify(as_json(), SOURCE, exact=True)
