"""Quix Cloud's API, where it supplies the broker: waits until it answers, and hands it to quixstreams."""

import re
import time
import warnings

import httpx
from quixstreams.platforms.quix import QuixKafkaConfigsBuilder

from runtime import limits
from runtime.errors import Misconfigured, Stopped, Unavailable
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

_PAUSE = 0.5  # seconds
_AWAY = {502, 503, 504}


def quix_cloud(settings: BrokerSettings) -> QuixKafkaConfigsBuilder | None:
    """What asks Quix Cloud for broker, group and topics; None where the settings say where the broker is.

    Raises:
        Unavailable: the API did not answer within limits.START_TIMEOUT.
        Misconfigured: its address is none, or the token can't be one.
        Stopped: a signal asked to stop meanwhile.
    """
    if settings.address is not None or settings.sdk_token is None or settings.portal_api is None:
        return None
    token = settings.sdk_token.get_secret_value()
    if not re.fullmatch(r"[!-~]+", token):  # httpx would refuse it, and say what it is
        raise Misconfigured("Quix__Sdk__Token holds a blank, a line's end or what else no token has: copy it again")
    _wait(settings.portal_api, token)  # quixstreams would try for a minute or more, deaf to signals
    for warning in ("'quix_config_builder' is not necessary", "Path to state directory"):  # there is no state
        warnings.filterwarnings("ignore", message=warning)
    return QuixKafkaConfigsBuilder.from_credentials(token, settings.portal_api, settings.workspace_id)


def _wait(portal: str, token: str) -> None:
    deadline = time.monotonic() + limits.START_TIMEOUT
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=limits.PORTAL_REQUEST_TIMEOUT) as client:
        while trouble := _trouble(client, portal):
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for Quix Cloud")
            if time.monotonic() > deadline:
                raise Unavailable(f"Quix Cloud's API at {portal} does not answer (Quix__Portal__Api): {trouble}")
            time.sleep(_PAUSE)


def _trouble(client: httpx.Client, portal: str) -> str:
    """Why the API can't be asked just now; empty where it can, whatever it makes of the token."""
    try:
        status = client.get(f"{portal.rstrip('/')}/auth/token/details").status_code
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Misconfigured(f"Quix__Portal__Api is {portal!r}, but may be: a URL, https://... ({error})") from error
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return f"it answered {status}" if status in _AWAY else ""
