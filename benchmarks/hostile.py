"""Measures the cost of values that are made to take long: `python -m benchmarks.hostile` prints CPU time per kB.

The exit code is 1 if a value takes more than LIMIT, which applies to an idle machine.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from transforms import Malformed, upper_device_type

SIZES = (62_000, 1_024_000)
"""Bytes. The second is about what a topic takes by default."""
LIMIT = 25.0
"""Microseconds per kB that no value may take."""

_TRIES = 9

Shape = tuple[bytes, bytes, bytes]

_LOGIN = b'{"device_type":"device_type","x":['  # a device type twice in the text takes the exact path
_END = b"0]}"
_DEEP = b'{"device_type":"device_type","x":' + b"[" * 126
_ESCAPED = rb'{"\u0064\u0065\u0076\u0069\u0063\u005f\u0074\u0079\u0070\u005F":['
_TWICE = rb'0],"malformed":0,"d\u0065vice_type":0}'  # wrapped, and searched for two names
_PARTS = (b"{},", b'"[",', b'["[",[]],', b'"",', b"[[]],")
_STRINGS = ('"\u00e9",'.encode(), b'"",', b'",",', b'"]]",', b"0,", b" ")
_NAMES = (b'{"device_type":0},', rb'"\ud800",', rb'"\"",', rb'"\/",', b'{"":0},', b"{},", b'"[[",', b'",",', b"0,")


def _irregular(parts: Sequence[bytes]) -> bytes:
    """Mix these parts, for so long that a processor cannot predict them."""
    return b"".join(random.Random(3).choices(parts, k=12_000))


SHAPES: dict[str, Shape] = {
    # brackets
    "brackets": (b"", b"[", b""),
    "braces": (b"", b'{"a":', b""),
    "empty arrays": (b"[", b"[],", b"1]"),
    "empty arrays, cut off": (b"[", b"[],", b""),
    "empty arrays, wrong at the end": (b"[", b"[],", b"x"),
    "empty arrays in a login": (_LOGIN, b"[],", _END),
    "empty arrays, too deep at the end": (_LOGIN, b"[],", b"[" * 200),
    "empty objects as members": (b"{", b'"":{},', b'"device_type":"device_type"}'),
    "arrays of a number": (_LOGIN, b"[1],", _END),
    "arrays 60 deep, too deep at the end": (_LOGIN, b"[" * 60 + b"]" * 60 + b",", b"[" * 200),
    "arrays 100 deep": (b"[", b"[" * 100 + b"]" * 100 + b",", b"1]"),
    "arrays 128 deep": (b"[", b"[" * 127 + b"]" * 127 + b",", b"1]"),
    "arrays 128 deep in a login": (_LOGIN, b"[" * 126 + b"]" * 126 + b",", _END),
    "at the limit of nesting": (_DEEP, b"[],", b"0" + b"]" * 126 + b"}"),
    "at the limit of nesting, with strings": (_DEEP, b'["["],', b"0" + b"]" * 126 + b"}"),
    "objects": (b'{"device_type":"a","x":[', b'{"a":1},', b"1]}"),
    "objects in objects": (b"[", b'{"":{}},', b"1]"),
    "objects and numbers": (b'{"x":{', b'"a":1,"b":{},', b'"c":1}}'),
    # numbers, strings and white space
    "numbers": (b"[", b"1,", b"1]"),
    "numbers, cut off": (b"[", b"1,", b""),
    "numbers inside 100 arrays": (b"[1," * 100, b"1,", b"x"),
    "strings": (_LOGIN, b'"",', _END),
    "strings and 129 brackets": (_LOGIN + b"[],[]," * 65, b'"",', _END),
    "brackets in strings": (b'{"device_type":"a","x":[', b'"]",', b'"["]}'),
    "brackets in strings, cut off": (b'{"device_type":"a","x":[', b'"["[', b""),
    "brackets in strings, too deep at the end": (_LOGIN, b'"[",[],', b"[" * 200),
    "quotes and brackets": (b'{"device_type":"a","x":' + b"[" * 129, b'"\\', b""),
    "quotes": (b"", b'"', b""),
    "digits": (b'{"device_type":', b"9", b"x}"),
    "spaces": (b'{"device_type"', b" ", b"x"),
    "zero bytes": (b"", b"\0", b""),
    "not UTF-8": (b"", b"\xff", b""),
    "not UTF-8 at the end": (b'{"x":"', "\u00e9".encode(), b'\xff","device_type":"a"}'),
    # escapes
    "backslashes": (b'{"device_type":"', rb"\\", b'"}'),
    "backslashes, cut off": (b'{"device_type":"', rb"\\", b""),
    "escaped strings": (_LOGIN, rb'"\n",', _END),
    "escaped quotes in keys": (b"{", rb'"\"":0,', b'"device_type":"device_type"}'),
    "escaped keys": (b"{", rb'"\u0061":0,', b'"device_type":"a"}'),
    "escapes in a key": (b'{"', rb"\u0041", b'":1}'),
    "escapes in device_type": (b'{"device_type":"', rb"\u0061", b'"}'),
    "escapes of white space": (b'{"device_type":"', rb"\n", b'"}'),
    "escapes of the name's letters": (b'{"x":"', rb"\u0064\u0065\u0076\u005f", b'","device_type":"device_type"}'),
    "half surrogate pairs": (b'{"device_type":"', rb"\ud800", b'"}'),
    "half surrogate pairs elsewhere": (b'{"x":"', rb"\ud800\uD800", b'","device_type":"a"}'),
    # irregular texts
    "irregular": (_ESCAPED, _irregular(_PARTS), _TWICE),
    "irregular strings, too deep at the end": (rb'{"\ud800":"\u0041","x":[', _irregular(_STRINGS), b"[" * 200),
    "irregular, with names and escapes": (_LOGIN, _irregular(_NAMES), _TWICE),
    "irregular, deep, escaped": (_ESCAPED, b"0," + b"[" * 121 + b"]" * 121 + b',["",{" ":[""]}],[[[]]],', _TWICE),
    # device_type and malformed
    "device_type many times": (b"{", b'"device_type":"a",', b'"x":1}'),
    "device_type, escaped, many times": (b"{", rb'"d\u0065vice_type":"a",', b'"x":1}'),
    "device_type, nested": (b'{"x":[', b'{"device_type":0},', b'0],"device_type":"a"}'),
    "device_type, nested, escaped": (b'{"x":[', rb'{"d\u0065vice_type":0},', b'0],"device_type":"a"}'),
    "device_type, nested, next to an escape": (b'{"x":[', b'{"device_type":0},', rb'"\u0065"],"device_type":"a"}'),
    "device_type, many times in one object": (b'{"x":{', b'"device_type":0,', b'"a":1},"device_type":"a"}'),
    "device_type in a text": (b'{"x":"', b"device_type", b'","device_type":"a"}'),
    "device_type as a text": (b"{", b'"x":"device_type",', b'"device_type":"a"}'),
    "malformed many times": (b"{", b'"malformed":0,', b'"x":1}'),
    "malformed, nested": (b'{"device_type":0,"x":[', b'{"malformed":0},', _END),
    "malformed, nested, escaped": (b'{"device_type":0,"x":[', rb'{"m\u0061lformed":0},', _END),
    "malformed many times, with arrays": (b"{", b'"malformed":{"a":[1]},', b'"device_type":null}'),
    "long text": (b'{"device_type":"', b"a", rb'\n"}'),
    "text that grows": (b'{"device_type":"', "\u00df".encode(), b'"}'),
    "text that grows threefold": (b'{"device_type":"', "\u03b0".encode(), b'"}'),
}
"""The begin, the repeated middle and the end of each value."""


def of_size(shape: Shape, size: int) -> bytes:
    """Return a value of this shape that repeats its middle for this many bytes, at least once."""
    begin, middle, end = shape
    return begin + middle * max(1, size // len(middle)) + end


def main(shapes: Iterable[str] = tuple(SHAPES), sizes: Iterable[int] = SIZES) -> int:
    """Print the table. Return 1 if a value takes too long, otherwise 0."""
    sizes, most = tuple(sizes), 0.0
    print(f"{'us/kB':42}" + "".join(f"{size:>12,} B" for size in sizes) + "  outcome")
    for name in shapes:
        values = [of_size(SHAPES[name], size) for size in sizes]
        times = [_seconds(upper_device_type, value) * 1e9 / len(value) for value in values]
        most = max(most, *times)
        result = upper_device_type(values[-1])
        outcome = result.reason if isinstance(result, Malformed) else "a login"
        print(f"{name:42}" + "".join(f"{each:14.1f}" for each in times) + f"  {outcome}")
    print(f"at most {most:.1f} us/kB; the limit is {LIMIT:.0f}")
    return int(most > LIMIT)


def _seconds(run: Callable[[bytes], object], value: bytes) -> float:
    """The least CPU time of several runs."""
    found = []
    for _ in range(_TRIES):
        start = time.process_time()
        run(value)
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    sys.exit(main())
