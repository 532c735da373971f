"""The pages of the HTTP port in addition to /live and /ready: the status page, its data, and the metrics."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from runtime.observe.response import Page, Response
from runtime.observe.status import Status

PAGE = Path(__file__).with_name("page.html")


def pages(status: Status) -> Mapping[str, Page]:
    """Give the pages by path."""
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  (without a port, nothing needs it)

    from runtime.observe.metrics import new_registry  # noqa: PLC0415  (the same)

    registry = new_registry(status)
    html = PAGE.read_text("utf-8")
    policy = content_security_policy(html)

    def metrics(accept: str) -> Response:
        encode, content_type = choose_encoder(accept)
        return Response(HTTPStatus.OK, encode(registry).decode(), content_type)

    return {
        "/": lambda _: Response(HTTPStatus.OK, html, "text/html; charset=utf-8", policy),
        "/status.json": lambda _: Response(HTTPStatus.OK, json.dumps(status.document()), "application/json"),
        "/metrics": metrics,
    }


def content_security_policy(html: str) -> str:
    """Allow the scripts and styles that the page contains, by their hashes, and requests to its own address."""
    inline = {
        kind: " ".join(
            f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        )
        or "'none'"
        for kind in ("script", "style")
    }
    return (
        f"default-src 'none'; script-src {inline['script']}; style-src {inline['style']}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
