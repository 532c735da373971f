"""The reason and the input are read from a tagged value without the code that wrote it."""

import pytest

from tests.transforms.test_corpus import CASES
from tools.verify.untagged import untag
from transforms import Malformed, Reason, too_large, upper_device_type

MALFORMED = [case for case in CASES if case.expect not in {"ok", Reason.NULL_VALUE}]

STUB = too_large(b"{}", "too long", topic="in", partition=0, offset=7).value
NOT_WHOLE = {
    "no tag": b'{"device_type": "IOS"}',
    "the stub of a large record": STUB,
    "more after a wrapped value": b'{"malformed":{"reason":"r","detail":"d","raw":"x"}} ',
    "a member before a wrapped value": b'{"a":1,"malformed":{"reason":"r","detail":"d","raw":"x"}}',
    "cut": b'{"a":1,"malformed":{"reason":"r","detail":"d"',
    "no detail": b'{"malformed":{"reason":"r"}}',
    "a number as reason": b'{"malformed":{"reason":7,"detail":"d"}}',
    "not base64": b'{"malformed":{"reason":"r","detail":"d","raw_base64":"?"}}',
    "a lone surrogate": b'{"malformed":{"reason":"r","detail":"d","raw":"\\ud800"}}',
}


def test_untag() -> None:
    """Each malformed value of the corpus comes back from its output, byte for byte, with its reason."""
    for case in MALFORMED:
        result = upper_device_type(case.value)
        assert isinstance(result, Malformed)
        assert result.value is not None
        assert untag(result.value) == (case.expect, case.value), case.name
    assert {case.expect for case in MALFORMED} >= {Reason.INVALID_UTF8, Reason.INVALID_JSON, Reason.MISSING_DEVICE_TYPE}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_not_whole(name: str) -> None:
    """A value from which the input cannot be read is refused."""
    with pytest.raises(ValueError, match=r"."):
        untag(NOT_WHOLE[name] or b"")
