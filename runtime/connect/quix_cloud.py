"""Connects to Quix Cloud's API, if it supplies the broker: waits for an answer and configures quixstreams."""

import os
import re
import time
import warnings
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from quixstreams.platforms.quix import QuixKafkaConfigsBuilder

from runtime import limits
from runtime.errors import Misconfigured, Refused, Stopped, Unavailable
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

_RETRY_PAUSE = 0.5  # seconds
_UNAVAILABLE_STATUS = {502, 503, 504}
_CREDENTIALS_REQUIRED = 407


def quix_cloud(settings: BrokerSettings) -> QuixKafkaConfigsBuilder | None:
    """Give Quix's source of broker, group and topics in Quix Cloud, or None if the settings have a broker address.

    Raises:
        Unavailable: the API did not answer within limits.START_TIMEOUT.
        Refused: a proxy refused the credentials.
        Misconfigured: its address is not a URL, the token contains invalid characters, or a variable for proxies or
            certificates is wrong.
        Stopped: a signal asked to stop meanwhile.
    """
    if settings.address is not None or settings.sdk_token is None or settings.portal_api is None:
        return None
    token = settings.sdk_token.get_secret_value()
    if not re.fullmatch(r"[!-~]+", token):  # httpx would refuse it, and print it
        raise Misconfigured("Quix__Sdk__Token contains whitespace or invalid characters; copy it again")
    _wait(settings.portal_api, token)  # quixstreams would retry for over a minute and ignore signals
    for warning in ("'quix_config_builder' is not necessary", "Path to state directory"):  # the pipeline is stateless
        warnings.filterwarnings("ignore", message=warning)
    return QuixKafkaConfigsBuilder.from_credentials(token, settings.portal_api, settings.workspace_id)


def _wait(portal: str, token: str) -> None:
    deadline = time.monotonic() + limits.START_TIMEOUT
    with _client(token) as client:
        while reason := _unavailable_reason(client, portal):
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for Quix Cloud")
            if time.monotonic() > deadline:
                raise _unavailable(portal, reason)
            time.sleep(_RETRY_PAUSE)


def _client(token: str) -> httpx.Client:
    """An HTTP client that takes proxies and certificates from the environment, as that of quixstreams does."""
    try:
        return httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=limits.PORTAL_REQUEST_TIMEOUT)
    except (httpx.InvalidURL, ImportError, OSError, ValueError):
        raise _wrong_variable() from None  # the error may contain a proxy's password


def _wrong_variable() -> Misconfigured:
    """The error for an environment that httpx refuses."""
    try:
        httpx.create_ssl_context()
    except OSError as error:
        name = "SSLKEYLOGFILE" if error.filename else "SSL_CERT_FILE"  # Python tells only the first one's path
        return Misconfigured(f"{name} must be a file that can be used for TLS (got {os.environ.get(name)!r}: {error})")
    for kind in ("http", "https", "all"):
        try:
            httpx.HTTPTransport(proxy=_proxy(kind), trust_env=False)
        except (httpx.InvalidURL, ImportError, ValueError):
            return Misconfigured(f"{_variable(kind)} must be an HTTP proxy, http://host:port; SOCKS is not supported")
    return Misconfigured(
        f"{_variable('no')} must be host names and addresses, separated by commas, without brackets and without IPv6 "
        f"networks such as fd00::/8 (got {getproxies().get('no')!r})"
    )


def _unavailable_reason(client: httpx.Client, portal: str) -> str:
    """Why the API is unavailable, or empty text if it answers, even if it refuses the token."""
    try:
        status = client.get(f"{portal.rstrip('/')}/auth/token/details").status_code
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError) as error:
        raise Misconfigured(f"Quix__Portal__Api must be a URL, https://... (got {portal!r}): {error}") from error
    except httpx.TransportError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Misconfigured(
                f"the certificate of Quix Cloud's API at {portal} is not trusted: {error}; set SSL_CERT_FILE to the CA "
                "that signed it, for example that of a proxy which inspects TLS"
            ) from error
        if not str(error).startswith(f"{_CREDENTIALS_REQUIRED}"):  # a proxy's answer, for an https URL
            return str(error) or type(error).__name__
        status = _CREDENTIALS_REQUIRED
    if status == _CREDENTIALS_REQUIRED and (variable := _proxy_variable(portal)):
        raise Refused(f"the proxy in {variable} requires other credentials: http://user:password@host:port")
    return f"status {status}" if status in _UNAVAILABLE_STATUS else ""


def _unavailable(portal: str, reason: str) -> Unavailable:
    if variable := _proxy_variable(portal):
        return Unavailable(
            f"Quix Cloud's API at {portal} cannot be reached through the proxy in {variable}: {reason}; correct "
            f"{variable}, or add the API's host to NO_PROXY"
        )
    return Unavailable(f"Quix Cloud's API at {portal} does not answer (Quix__Portal__Api): {reason}")


def _proxy_variable(portal: str) -> str:
    """The variable with the proxy for this URL, or empty text if there is none."""
    parts = urlsplit(portal)
    kinds = [kind for kind in (parts.scheme, "all") if _proxy(kind)]
    return _variable(kinds[0]) if kinds and not proxy_bypass(parts.netloc) else ""


def _proxy(kind: str) -> str | None:
    """The proxy's URL, as httpx reads it."""
    proxy = getproxies().get(kind)
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _variable(kind: str) -> str:
    """The name of a proxy's variable. The one in lower case has precedence."""
    name = f"{kind}_proxy"
    return name if name in os.environ else name.upper()
