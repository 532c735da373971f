"""What values cost that are made to take long: `python -m benchmarks.hostile` prints processor time by size.

Linear means a ratio of about 4 from one size to the next; quadratic would be 16.
"""

import time
from collections.abc import Callable
from functools import partial

from transforms import Malformed, upper_device_type

SIZES = (256_000, 1_024_000)
"""Bytes; the second is about what a topic takes by default."""

_TRIES = 2

SHAPES: dict[str, tuple[bytes, bytes, bytes]] = {
    "brackets": (b"", b"[", b""),
    "braces": (b"", b'{"a":', b""),
    "quoted brackets": (b'{"device_type":"a","x":[', b'"]",', b'"["]}'),
    "quoted brackets, cut off": (b'{"device_type":"a","x":[', b'"["[', b""),
    "objects": (b'{"device_type":"a","x":[', b'{"a":1},', b"1]}"),
    "quotes and brackets": (b'{"device_type":"a","x":' + b"[" * 129, b'"\\', b""),
    "empty arrays": (b"[", b"[],", b"1]"),
    "empty arrays, cut off": (b"[", b"[],", b""),
    "arrays 100 deep": (b"[", b"[" * 100 + b"]" * 100 + b",", b"1]"),
    "objects and scalars": (b'{"x":{', b'"a":1,"b":{},', b'"c":1}}'),
    "scalars, cut off": (b"[", b"1,", b""),
    "scalars inside 100 arrays": (b"[1," * 100, b"1,", b"x"),
    "backslashes": (b'{"device_type":"', rb"\\", b'"}'),
    "backslashes, cut off": (b'{"device_type":"', rb"\\", b""),
    "escapes in device_type": (b'{"device_type":"', rb"\u0061", b'"}'),
    "escapes in a key": (b'{"', rb"\u0041", b'":1}'),
    "half surrogate pairs": (b'{"device_type":"', rb"\ud800", b'"}'),
    "device_type many times": (b"{", b'"device_type":"a",', b'"x":1}'),
    "device_type, escaped, many times": (b"{", rb'"\u0064evice_type":"a",', b'"x":1}'),
    "device_type in a text": (b'{"x":"', b"device_type", b'","device_type":"a"}'),
    "malformed many times": (b"{", b'"malformed":1,', b'"x":1}'),
    "malformed many times, nested": (b"{", b'"malformed":{"a":[1]},', b'"device_type":null}'),
    "digits": (b'{"device_type":', b"9", b"x}"),
    "spaces": (b'{"device_type"', b" ", b"x"),
    "text that grows": (b'{"device_type":"', "\u00df".encode(), b'"}'),
    "quotes": (b"", b'"', b""),
    "zero bytes": (b"", b"\0", b""),
}
"""How each value begins, what it repeats, and how it ends."""


def main() -> None:
    """Print the table."""
    print(f"{'':34}" + "".join(f"{size:>12,} B" for size in SIZES) + "   ratio  outcome")
    for name, (begin, middle, end) in SHAPES.items():
        values = [begin + middle * (size // len(middle)) + end for size in SIZES]
        small, large = (_seconds(partial(upper_device_type, value)) for value in values)
        result = upper_device_type(values[-1])
        outcome = result.reason if isinstance(result, Malformed) else "a login"
        print(f"{name:34}{small * 1000:11.1f} ms{large * 1000:11.1f} ms{large / small:8.1f}  {outcome}")


def _seconds(run: Callable[[], object]) -> float:
    """The least processor time that it takes."""
    found = []
    for _ in range(_TRIES):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
