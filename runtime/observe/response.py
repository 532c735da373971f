"""What a page of the HTTP server answers. It is apart from the server, which only a worker with HTTP_PORT imports."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple


class Response(NamedTuple):
    """The answer of a page."""

    status: HTTPStatus
    body: str
    content_type: str = "text/plain; charset=utf-8"
    policy: str = "default-src 'none'; frame-ancestors 'none'"
    """What a browser may load for it (Content-Security-Policy)."""


Page = Callable[[str], Response]
"""Gives an answer. Its argument is the request's Accept header."""
