"""Several transforms as one map: each gets what the one before gave, and what is malformed goes no further."""

from collections.abc import Callable

from transforms.malformed import Malformed, tag_input

Transform = Callable[[bytes | None], bytes | Malformed]


def chain(first: Transform, *others: Callable[[bytes], bytes | Malformed]) -> Transform:
    """Make one map of these transforms, applied from left to right; only the first ever sees a tombstone.

    A record that a later transform finds malformed is tagged as it came in, so that `original` gives the input back.
    """
    if not others:
        return first

    def run(value: bytes | None) -> bytes | Malformed:
        result = first(value)
        for transform in others:
            if isinstance(result, Malformed):
                return result
            result = transform(result)
            if isinstance(result, Malformed):
                result = tag_input(result.reason, result.detail, value)
        return result

    return run
