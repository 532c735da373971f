"""Whether a peer wrote what it should have: each record once, with the right value, whatever the order."""

import json
from collections import Counter

import orjson

from benchmarks.load import Value
from pipeline import TRANSFORMS
from transforms import Malformed, chain


class WrongOutput(Exception):
    """A peer's output is not what its input calls for: its figures are worth nothing."""


def verify(output: Counter[Value], source: Counter[Value], *, exact: bool) -> None:
    """Hold an output against the input.

    Args:
        output: how often each value stands in the output.
        source: how often each value stands in the input.
        exact: whether our map's bytes are expected, or the JSON that upper-casing gives, however it is spaced.

    Raises:
        WrongOutput: records are missing, too many, or changed.
    """
    expected: Counter[Value] = Counter()
    for value, count in source.items():
        expected[_ours(value) if exact else _upper(value)] += count
    found = output if exact else _canonical(output)
    if found != expected:
        missing, more = expected - found, found - expected
        example = next(iter(missing or more))
        raise WrongOutput(
            f"{output.total()} records instead of {source.total()}: {missing.total()} missing or changed, "
            f"{more.total()} not expected, for example {example!r:.200}"
        )


_transform = chain(*TRANSFORMS)


def _ours(value: Value) -> Value:
    result = _transform(value)
    return result.value if isinstance(result, Malformed) else result


def _upper(value: Value) -> Value:
    try:
        login = json.loads(value or b"")
        if "device_type" in login:
            login["device_type"] = login["device_type"].upper()
    except (ValueError, TypeError, AttributeError):
        login = {}
    return _bytes(login)


def _canonical(output: Counter[Value]) -> Counter[Value]:
    found: Counter[Value] = Counter()
    for value, count in output.items():
        try:
            found[_bytes(json.loads(value or b""))] += count
        except ValueError:
            found[value] += count
    return found


def _bytes(login: object) -> bytes:
    return orjson.dumps(login, option=orjson.OPT_SORT_KEYS)
