"""The three properties of transforms: they hold for correct ones, and fail for others."""

import json

import pytest

from tests.transforms.texts import any_values
from transforms import Malformed, Reason, chain, replace_member, upper_device_type
from transforms.testing import assert_keeps_other_bytes, assert_never_raises, assert_original_comes_back


def shout(value: bytes) -> bytes:
    """Upper-case one member in place."""
    return replace_member(value, "ip", str.upper)


def rewrite(value: bytes) -> bytes:
    """Change a member by reading and writing the whole value."""
    login = json.loads(value)
    login["ip"] = "x"
    return json.dumps(login).encode()


def change_all(value: bytes) -> bytes:
    """Change a text wherever it is."""
    return value.replace(b"192.0.2.7", b"192.0.2.0")


def give_none(_: bytes) -> bytes:
    """Forget to return anything."""
    return None  # type: ignore[return-value]


def refuse(value: bytes) -> Malformed:
    """Find each record malformed."""
    return Malformed(Reason.INVALID_DEVICE_TYPE, "not one that we know", value)


def test_login() -> None:
    """All three hold for the transform of a login, also with this project's own values."""
    assert_never_raises(upper_device_type, "device_type")
    assert_never_raises(upper_device_type, values=any_values)
    assert_keeps_other_bytes(upper_device_type, "device_type")
    assert_original_comes_back(upper_device_type, "device_type", "malformed")
    assert_original_comes_back(upper_device_type, values=any_values)


def test_replace_member() -> None:
    """All three hold for a transform that changes a member with `replace_member`, alone and after another."""
    assert_never_raises(shout, "ip")
    assert_keeps_other_bytes(shout, "ip")
    assert_keeps_other_bytes(chain(upper_device_type, shout), "ip", "device_type")
    assert_original_comes_back(shout, "ip")


@pytest.mark.parametrize("transform", [rewrite, give_none])
def test_raises(transform: object) -> None:
    """A transform that raises for some bytes, or returns none, is found."""
    with pytest.raises((AssertionError, ValueError, KeyError, TypeError)):
        assert_never_raises(transform, "ip")  # type: ignore[arg-type]


@pytest.mark.parametrize("transform", [change_all, bytes.upper, bytes.strip])
def test_changes_other_bytes(transform: object) -> None:
    """A transform that changes another member, a nested one, a key, a number or white space is found."""
    with pytest.raises(AssertionError):
        assert_keeps_other_bytes(transform, "ip")  # type: ignore[arg-type]


@pytest.mark.parametrize("transform", [refuse, rewrite, give_none])
def test_tagged(transform: object) -> None:
    """In `chain`, the input comes back, even if a transform finds it malformed or raises."""
    assert_original_comes_back(transform, "ip")  # type: ignore[arg-type]
