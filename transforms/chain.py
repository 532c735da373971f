"""Combines transforms into one: each gets the previous one's output, and a malformed record skips the rest."""

from collections.abc import Callable
from typing import cast

from transforms.login import upper_device_type
from transforms.malformed import Malformed, Reason, tag_input

Transform = Callable[[bytes], bytes | Malformed]
FirstTransform = Callable[[bytes | None], bytes | Malformed]
OnError = Callable[[str, Exception], None]


def chain(first: FirstTransform, *others: Transform, on_error: OnError | None = None) -> FirstTransform:
    """Combine these transforms, applied from left to right. Only the first can get None (a tombstone).

    If a transform returns Malformed or raises an exception, the input value is tagged, so `original` gives it back.
    MemoryError is not caught.

    Args:
        first: the first transform.
        others: the next transforms, in order.
        on_error: called with a transform's name and the exception that it raised.
    """
    if first is upper_device_type and not others:
        return first  # it never raises, so it needs no wrapper

    transforms = cast("tuple[FirstTransform, ...]", (first, *others))

    def run(value: bytes | None) -> bytes | Malformed:
        result: bytes | Malformed | None = value
        for transform in transforms:
            try:
                result = transform(cast("bytes | None", result))
                if type(result) is not bytes:
                    return _malformed(transform, result, value)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  (a transform may raise anything)
                name = getattr(transform, "__name__", type(transform).__name__)
                if on_error is not None:
                    on_error(name, error)
                return tag_input(Reason.TRANSFORM_FAILED, f"the transform {name} raised {type(error).__name__}", value)
        return cast("bytes", result)

    return run


def _malformed(transform: FirstTransform, result: object, value: bytes | None) -> Malformed:
    """The outcome if a transform returned something other than bytes."""
    if not isinstance(result, Malformed):
        raise TypeError(f"a transform must return bytes or Malformed, not {type(result).__name__}")
    return result if transform is upper_device_type else tag_input(result.reason, result.detail, value)
