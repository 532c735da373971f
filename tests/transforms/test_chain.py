"""Several transforms as one."""

import pytest

from transforms import Malformed, Reason, chain, original, upper_device_type

LOGIN = b'{"device_type":"ios"}'


def exclaim(value: bytes) -> bytes | Malformed:
    """A second transform."""
    return value + b" "


def refuse(value: bytes) -> bytes | Malformed:
    """A transform that finds every login malformed."""
    return Malformed(Reason.INVALID_DEVICE_TYPE, "not one that we know", value)


class Secret(Exception):
    """A transform's exception, whose text is a field's value."""


def fail(value: bytes) -> bytes:
    """A transform that raises."""
    raise Secret(value)


def forget(_: bytes | None) -> bytes:
    """A transform that returns nothing."""
    return None  # type: ignore[return-value]


class Failing:
    """A transform that is not a function."""

    def __call__(self, value: bytes | None) -> bytes:
        """Raise."""
        raise KeyError(value)


def test_alone() -> None:
    """A single transform is returned without a wrapper."""
    assert chain(upper_device_type) is upper_device_type


def test_order() -> None:
    """Each transform gets the output of the previous one."""
    assert chain(upper_device_type, exclaim, exclaim)(LOGIN) == b'{"device_type":"IOS"}  '


@pytest.mark.parametrize("value", [None, b"", b"nonsense"])
def test_malformed_goes_no_further(value: bytes | None) -> None:
    """A record that the first transform finds malformed skips the others."""
    assert chain(upper_device_type, exclaim)(value) == upper_device_type(value)


@pytest.mark.parametrize("value", [LOGIN, b'{"device_type":"ios","malformed":1}', b' { "device_type" : "ios" } '])
def test_found_late(value: bytes) -> None:
    """If a later transform finds a record malformed, its input is tagged, and comes back."""
    result = chain(upper_device_type, exclaim, refuse)(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.INVALID_DEVICE_TYPE, "not one that we know")
    assert original(result.value) == value


VALUES = [LOGIN, b'{"device_type":"ios","malformed":1}', b' { "device_type" : "ios" } ']


@pytest.mark.parametrize("value", VALUES)
def test_raised(value: bytes) -> None:
    """If a transform raises, the input is tagged. The detail names the transform and the class, without a value."""
    result = chain(upper_device_type, exclaim, fail, exclaim)(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform fail raised Secret")
    assert original(result.value) == value


@pytest.mark.parametrize("value", [*VALUES, b"", b"[1", b"[]", b"\xff", None])
def test_first_raised(value: bytes | None) -> None:
    """It is the same if the first transform raises. A null value stays null."""
    result = chain(Failing())(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform Failing raised KeyError")
    assert original(result.value) == value


def test_nothing_given() -> None:
    """A transform that returns neither bytes nor Malformed has failed: its record would be lost."""
    for run in (chain(forget), chain(upper_device_type, forget)):
        result = run(LOGIN)
        assert isinstance(result, Malformed)
        assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform forget raised TypeError")


def test_first_finds_malformed() -> None:
    """If another first transform finds a record malformed, `chain` tags the input."""
    result = chain(lambda _: Malformed(Reason.INVALID_DEVICE_TYPE, "not one that we know", None))(LOGIN)
    assert isinstance(result, Malformed)
    assert original(result.value) == LOGIN


def test_on_error() -> None:
    """`on_error` gets the name of the transform that raised, and its exception with the traceback."""
    seen: list[tuple[str, Exception]] = []
    chain(upper_device_type, fail, on_error=lambda *error: seen.append(error))(LOGIN)
    ((name, error),) = seen
    assert (name, type(error)) == ("fail", Secret)
    assert error.__traceback__ is not None


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_not_caught(error: type[BaseException]) -> None:
    """Running out of memory and requests to stop are not errors of the record."""

    def stop(_: bytes) -> bytes:
        raise error

    with pytest.raises(error):
        chain(upper_device_type, stop)(LOGIN)
