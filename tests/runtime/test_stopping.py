"""A request to stop is remembered from the first moment on."""

import os
import signal
from collections.abc import Iterator

import pytest

from runtime.application import _RunTracker
from runtime.stopping import StopRequest, stop_request


@pytest.fixture
def request_() -> Iterator[StopRequest]:
    """One that listens; the handlers are put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = StopRequest()
    stop.listen()
    yield stop
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_remembered(request_: StopRequest, number: int) -> None:
    """Either signal is remembered, and passed on to whoever runs by then."""
    told: list[bool] = []
    before = request_.requested
    request_.on_request = lambda: told.append(True)
    os.kill(os.getpid(), number)
    assert (before, request_.requested) == (False, True)
    assert told == [True]


def test_second_interrupt(request_: StopRequest) -> None:
    """The second SIGINT interrupts at once; the second SIGTERM does not."""
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert request_.requested
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("requested", [True, False])
def test_early_request_counts(monkeypatch: pytest.MonkeyPatch, *, requested: bool) -> None:
    """A request that came before the loop began keeps it from beginning."""
    monkeypatch.setattr(stop_request, "requested", requested)
    tracker = _RunTracker()  # type: ignore[no-untyped-call]  # Quix's, without types
    tracker.set_as_running()
    assert tracker.running is not requested
