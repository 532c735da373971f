"""Connects to Quix Cloud's API, if it supplies the broker: waits for an answer and configures quixstreams."""

import re
import time
import warnings

import httpx
from quixstreams.platforms.quix import QuixKafkaConfigsBuilder

from runtime import limits
from runtime.errors import Misconfigured, Stopped, Unavailable
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

_RETRY_PAUSE = 0.5  # seconds
_UNAVAILABLE_STATUS = {502, 503, 504}


def quix_cloud(settings: BrokerSettings) -> QuixKafkaConfigsBuilder | None:
    """Give Quix's source of broker, group and topics in Quix Cloud; None if the settings have a broker address.

    Raises:
        Unavailable: the API did not answer within limits.START_TIMEOUT.
        Misconfigured: its address is not a URL, or the token contains invalid characters.
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
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=limits.PORTAL_REQUEST_TIMEOUT) as client:
        while reason := _unavailable_reason(client, portal):
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for Quix Cloud")
            if time.monotonic() > deadline:
                raise Unavailable(f"Quix Cloud's API at {portal} does not answer (Quix__Portal__Api): {reason}")
            time.sleep(_RETRY_PAUSE)


def _unavailable_reason(client: httpx.Client, portal: str) -> str:
    """Why the API is unavailable; empty if it answers, even if it refuses the token."""
    try:
        status = client.get(f"{portal.rstrip('/')}/auth/token/details").status_code
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Misconfigured(f"Quix__Portal__Api must be a URL, https://... (got {portal!r}): {error}") from error
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return f"status {status}" if status in _UNAVAILABLE_STATUS else ""
