"""The wait for Quix Cloud's API, with an HTTP server in its place; tests/cloud has the whole API."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from runtime import limits
from runtime.connect.quix_cloud import quix_cloud
from runtime.errors import Misconfigured, Stopped, Unavailable
from runtime.observe.http_server import Response, serve
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

TOKEN = "sdk-s3cret"


def settings(portal: str, token: str = TOKEN) -> BrokerSettings:
    """Settings for Quix Cloud."""
    values = {"Quix__Broker__Address": "", "Quix__Sdk__Token": token, "Quix__Portal__Api": portal}
    return BrokerSettings.model_validate(values)


@pytest.fixture
def answer() -> list[HTTPStatus]:
    """The status that the API answers with; a test may change it."""
    return [HTTPStatus.OK]


@pytest.fixture
def portal(free_port: int, answer: list[HTTPStatus], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the API, for which the pipeline waits only once."""
    monkeypatch.setattr(limits, "START_TIMEOUT", 0.0)
    with serve({"/auth/token/details": lambda: Response(answer[0], "")}, free_port):
        yield f"http://127.0.0.1:{free_port}/"


def test_own_broker() -> None:
    """With a broker's address, Quix Cloud is not asked."""
    own = {"Quix__Broker__Address": "own:9092", "Quix__Sdk__Token": TOKEN, "Quix__Portal__Api": "http://127.0.0.1:1"}
    assert quix_cloud(BrokerSettings.model_validate(own)) is None


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND])
def test_answers(portal: str, answer: list[HTTPStatus], status: HTTPStatus) -> None:
    """The wait ends with an answer, even if it refuses the token: quixstreams then reports that."""
    answer[0] = status
    assert quix_cloud(settings(portal)) is not None


@pytest.mark.parametrize("status", [HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT])
def test_unavailable(portal: str, answer: list[HTTPStatus], status: HTTPStatus) -> None:
    """While the API is unavailable, it is asked again until limits.START_TIMEOUT; the error has the last status."""
    answer[0] = status
    with pytest.raises(Unavailable, match=rf"does not answer \(Quix__Portal__Api\): status {status:d}"):
        quix_cloud(settings(portal))


def test_stop(portal: str, answer: list[HTTPStatus], monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to stop ends the wait."""
    answer[0] = HTTPStatus.SERVICE_UNAVAILABLE
    monkeypatch.setattr(stop_request, "requested", True)
    with pytest.raises(Stopped):
        quix_cloud(settings(portal))


@pytest.mark.parametrize("portal", ["portal", "ftp://portal", "http://"])
def test_not_a_url(portal: str) -> None:
    """An address that is not a URL is an error that quotes it."""
    with pytest.raises(Misconfigured) as stop:
        quix_cloud(settings(portal))
    assert str(stop.value).startswith(f"Quix__Portal__Api must be a URL, https://... (got {portal!r})")


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN} {TOKEN}", f"{TOKEN}\u00e4", f"{TOKEN}\0"])
def test_invalid_token(token: str) -> None:
    """A token with characters that no token has is an error that does not print it."""
    with pytest.raises(Misconfigured) as stop:
        quix_cloud(settings("http://127.0.0.1:1", token))
    assert str(stop.value) == "Quix__Sdk__Token contains whitespace or invalid characters; copy it again"
