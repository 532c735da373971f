"""Several transforms as one map."""

import pytest

from transforms import Malformed, Reason, chain, original, upper_device_type
from transforms.malformed import tag

LOGIN = b'{"device_type":"ios"}'


def exclaim(value: bytes) -> bytes | Malformed:
    """A second transform."""
    return value + b" "


def refuse(value: bytes) -> bytes | Malformed:
    """A transform that finds every login malformed."""
    return tag(Reason.INVALID_DEVICE_TYPE, "not one that we know", value)


def test_alone() -> None:
    """A transform alone is the map itself: nothing is put around it."""
    assert chain(upper_device_type) is upper_device_type


def test_order() -> None:
    """Each gets what the one before gave."""
    assert chain(upper_device_type, exclaim, exclaim)(LOGIN) == b'{"device_type":"IOS"}  '


@pytest.mark.parametrize("value", [None, b"", b"nonsense"])
def test_malformed_goes_no_further(value: bytes | None) -> None:
    """What the first finds malformed, the others don't see."""
    assert chain(upper_device_type, exclaim)(value) == upper_device_type(value)


@pytest.mark.parametrize("value", [LOGIN, b'{"device_type":"ios","malformed":1}', b' { "device_type" : "ios" } '])
def test_found_late(value: bytes) -> None:
    """What a later one finds malformed is tagged as it came in, and can be had back."""
    result = chain(upper_device_type, exclaim, refuse)(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.INVALID_DEVICE_TYPE, "not one that we know")
    assert original(result.value) == value
