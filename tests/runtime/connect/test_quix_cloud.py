"""The wait for Quix Cloud's API, with an HTTP server in its place. The tests of the whole API are in tests/cloud."""

import os
import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from runtime import limits
from runtime.connect.quix_cloud import quix_cloud
from runtime.errors import Misconfigured, Refused, Stopped, Unavailable
from runtime.observe.http_server import serve
from runtime.observe.response import Response
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

TOKEN = "sdk-s3cret"


def settings(portal: str, token: str = TOKEN) -> BrokerSettings:
    """Settings for Quix Cloud."""
    values = {"Quix__Broker__Address": "", "Quix__Sdk__Token": token, "Quix__Portal__Api": portal}
    return BrokerSettings.model_validate(values)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsets the proxies that the tests' own environment may have."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def answer() -> list[HTTPStatus]:
    """The status that the API answers with, which a test may change."""
    return [HTTPStatus.OK]


@pytest.fixture
def portal(free_port: int, answer: list[HTTPStatus], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the API, for which the pipeline waits only once."""
    monkeypatch.setattr(limits, "START_TIMEOUT", 0.0)
    with serve({"/auth/token/details": lambda _: Response(answer[0], "")}, "127.0.0.1", free_port):
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
    """While the API is unavailable, it is asked again until limits.START_TIMEOUT. The error has the last status."""
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


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("NO_PROXY", "localhost,fd00::/8", "must be host names and addresses.*networks.*(got 'localhost,fd00::/8')"),
        ("no_proxy", "[::1]", "must be host names and addresses.*without brackets.*(got '[::1]')"),
        ("ALL_PROXY", "socks5://alice:s3cret@127.0.0.1:1080", "must be an HTTP proxy, http://host:port; SOCKS"),
        ("http_proxy", "socks4://alice:s3cret@127.0.0.1:1080", "must be an HTTP proxy"),
        ("HTTPS_PROXY", "http://alice:s3#cret@127.0.0.1:1080", "must be an HTTP proxy"),
        (
            "SSL_CERT_FILE",
            "/nowhere/ca.pem",
            "must be a file that can be used for TLS (got '/nowhere/ca.pem': .*No such",
        ),
        ("SSL_CERT_FILE", __file__, f"must be a file that can be used for TLS (got {__file__!r}: "),
        ("SSLKEYLOGFILE", "/nowhere/keys", "must be a file that can be used for TLS (got '/nowhere/keys': "),
    ],
)
def test_wrong_variable(monkeypatch: pytest.MonkeyPatch, portal: str, name: str, value: str, problem: str) -> None:
    """A variable that the HTTP client cannot use is named, and a proxy's password is not printed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as stop:
        quix_cloud(settings(portal))
    assert re.match(".*".join(map(re.escape, f"{name} {problem}".split(".*"))), str(stop.value)), stop.value
    assert "cret" not in str(stop.value)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_dead_proxy(monkeypatch: pytest.MonkeyPatch, portal: str, name: str) -> None:
    """If the proxy does not answer, its variable is named, and not the API's address."""
    monkeypatch.setenv(name, "127.0.0.1:1")
    with pytest.raises(Unavailable) as stop:
        quix_cloud(settings(portal))
    assert f"cannot be reached through the proxy in {name}: " in str(stop.value)
    assert "Quix__Portal__Api" not in str(stop.value)


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*"])
def test_bypassed_proxy(monkeypatch: pytest.MonkeyPatch, portal: str, no_proxy: str) -> None:
    """A proxy that NO_PROXY leaves out for the API is not used."""
    monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert quix_cloud(settings(portal)) is not None


def test_proxy_credentials(monkeypatch: pytest.MonkeyPatch, portal: str, answer: list[HTTPStatus]) -> None:
    """A proxy that requires credentials is named."""
    answer[0] = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    monkeypatch.setenv("HTTP_PROXY", portal)
    with pytest.raises(Refused, match="the proxy in HTTP_PROXY requires other credentials"):
        quix_cloud(settings(portal))


def test_no_proxy_credentials(portal: str, answer: list[HTTPStatus]) -> None:
    """Without a proxy, the same answer is left to quixstreams."""
    answer[0] = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    assert quix_cloud(settings(portal)) is not None
