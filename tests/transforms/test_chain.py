"""Several transforms as one map."""

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
    """What a transform raises; its text is a field's value."""


def fail(value: bytes) -> bytes:
    """A transform that raises."""
    raise Secret(value)


def forget(_: bytes | None) -> bytes:
    """A transform that gives nothing back."""
    return None  # type: ignore[return-value]


class Failing:
    """A transform that is no function."""

    def __call__(self, value: bytes | None) -> bytes:
        """Raise."""
        raise KeyError(value)


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


VALUES = [LOGIN, b'{"device_type":"ios","malformed":1}', b' { "device_type" : "ios" } ']


@pytest.mark.parametrize("value", VALUES)
def test_raised(value: bytes) -> None:
    """If a transform raises, the record is tagged as it came in; the detail names transform and class, no value."""
    result = chain(upper_device_type, exclaim, fail, exclaim)(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform fail raised Secret")
    assert original(result.value) == value


@pytest.mark.parametrize("value", [*VALUES, b"", b"[1", b"[]", b"\xff", None])
def test_first_raised(value: bytes | None) -> None:
    """If it is the first that raises, the same; a null value stays null."""
    result = chain(Failing())(value)
    assert isinstance(result, Malformed)
    assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform Failing raised KeyError")
    assert original(result.value) == value


def test_nothing_given() -> None:
    """A transform that gives neither bytes nor Malformed has failed, too: its record would be lost."""
    for run in (chain(forget), chain(upper_device_type, forget)):
        result = run(LOGIN)
        assert isinstance(result, Malformed)
        assert (result.reason, result.detail) == (Reason.TRANSFORM_FAILED, "the transform forget raised TypeError")


def test_first_finds_malformed() -> None:
    """What a first transform of a user's own finds malformed is tagged by `chain`."""
    result = chain(lambda _: Malformed(Reason.INVALID_DEVICE_TYPE, "not one that we know", None))(LOGIN)
    assert isinstance(result, Malformed)
    assert original(result.value) == LOGIN


def test_on_error() -> None:
    """The name of the transform that raised, and its exception with the trace, are handed over."""
    seen: list[tuple[str, Exception]] = []
    chain(upper_device_type, fail, on_error=lambda *error: seen.append(error))(LOGIN)
    ((name, error),) = seen
    assert (name, type(error)) == ("fail", Secret)
    assert error.__traceback__ is not None


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_not_caught(error: type[BaseException]) -> None:
    """Running out of memory and being told to stop are no faults of the record."""

    def stop(_: bytes) -> bytes:
        raise error

    with pytest.raises(error):
        chain(upper_device_type, stop)(LOGIN)
