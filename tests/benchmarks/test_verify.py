"""The benchmark's check of a peer's output."""

import json
from collections.abc import Callable

import pytest

from benchmarks.load import Value, pool
from benchmarks.verify import WrongOutput, output_check
from pipeline import TRANSFORMS
from transforms import Malformed, chain

POOL = pool()
START, COUNT = 7, 25_000
SOURCE = [POOL[(START + number) % len(POOL)].value for number in range(COUNT)]


def ours() -> list[Value]:
    """Our transforms' output for SOURCE."""
    results = map(chain(*TRANSFORMS), SOURCE)
    return [result.value if isinstance(result, Malformed) else result for result in results]


def as_json() -> list[Value]:
    """The output for SOURCE of a peer that writes JSON in its own way, with keys in another order."""
    output: list[Value] = []
    for value in SOURCE:
        login = json.loads(value or b"")
        if "device_type" in login:
            login["device_type"] = login["device_type"].upper()
        output.append(json.dumps(dict(reversed(login.items())), separators=(",", ":")).encode())
    return output


def check(output: list[Value], partitions: int = 1, *, exact: bool) -> None:
    """Check an output whose records go to the partitions in turn."""
    checked = output_check(POOL, START, COUNT, partitions, exact=exact)
    for partition in range(partitions):
        values = output[partition::partitions]
        for begin in range(0, len(values), 1000):
            checked.add(partition, values[begin : begin + 1000])
    checked.finish()


def without_one(output: list[Value]) -> None:
    """Remove one record."""
    del output[12_345]


def without_the_last(output: list[Value]) -> None:
    """Remove the last record."""
    del output[-1]


def with_one_twice(output: list[Value]) -> None:
    """Repeat one record."""
    output.insert(20_000, output[12_345])


def with_one_changed(output: list[Value]) -> None:
    """Change one record's value."""
    at = next(at for at, value in enumerate(output) if value and b"ANDROID" in value)
    output[at] = (output[at] or b"").replace(b"ANDROID", b"Android")


def with_one_not_json(output: list[Value]) -> None:
    """Replace one record by rubbish."""
    output[12_345] = b"rubbish"


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize(("output", "exact"), [(ours(), True), (as_json(), False)], ids=["exact", "json"])
def test_accepts_what_is_right(output: list[Value], partitions: int, *, exact: bool) -> None:
    """An output with every record's right value passes."""
    check(output, partitions, exact=exact)


@pytest.mark.parametrize("spoil", [without_one, without_the_last, with_one_twice, with_one_changed, with_one_not_json])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "json"])
def test_detects_what_is_wrong(spoil: Callable[[list[Value]], None], *, exact: bool) -> None:
    """A single missing, repeated, changed or unreadable record among 25,000 is detected."""
    output = ours() if exact else as_json()
    spoil(output)
    with pytest.raises(WrongOutput):
        check(output, exact=exact)


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "json"])
def test_order(*, exact: bool) -> None:
    """Two records in another order are detected in our output. Other peers promise no order."""
    output = ours() if exact else as_json()
    output[100], output[200] = output[200], output[100]
    if exact:
        with pytest.raises(WrongOutput):
            check(output, exact=True)
    else:
        check(output, exact=False)


def test_same_json_in_other_bytes() -> None:
    """The same JSON in other bytes is an error in our output."""
    with pytest.raises(WrongOutput):
        check(as_json(), exact=True)
