"""The answer of a page."""

from http import HTTPStatus

from runtime.observe.response import Response


def test_defaults() -> None:
    """Unless a page says more, an answer is plain text, and a browser loads nothing for it and shows it in no frame."""
    answer = Response(HTTPStatus.OK, "ok")
    assert answer.content_type.startswith("text/plain")
    assert answer.policy == "default-src 'none'; frame-ancestors 'none'"
