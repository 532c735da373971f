"""The pages of the HTTP port: types, formats, and what a browser may load."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from runtime.observe.pages import PAGE, content_security_policy, pages
from runtime.observe.status import Status


@pytest.fixture
def status() -> Status:
    """The state of a worker that has done nothing yet."""
    return Status({"input": "in"}, {})


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0", "# EOF\n"),
    ],
)
def test_metrics(status: Status, accept: str, content_type: str, end: str) -> None:
    """/metrics answers in the format that the client asks for."""
    answer = pages(status)["/metrics"](accept)
    assert answer.content_type.startswith(content_type)
    assert "login_pipeline_records_in_total 0.0\n" in answer.body
    assert answer.body.endswith(end)


def test_status(status: Status) -> None:
    """/status.json is a JSON object."""
    answer = pages(status)["/status.json"]("")
    assert answer.content_type == "application/json"
    assert json.loads(answer.body)["input"] == "in"


def test_page(status: Status) -> None:
    """The page is the file, and a browser may run only its own scripts and styles, and ask only its own address."""
    answer = pages(status)["/"]("")
    assert answer.body == PAGE.read_text("utf-8")
    assert answer.content_type == "text/html; charset=utf-8"
    inline = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", answer.body, re.DOTALL)
    assert inline
    for text in inline:
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in answer.policy
    assert "default-src 'none'" in answer.policy
    assert "connect-src 'self'" in answer.policy
    assert "unsafe" not in answer.policy
    assert not re.search(r"https?://|<(script|style)\s|\son\w+=|\sstyle=", answer.body)


def test_policy() -> None:
    """Each script and style has its own hash. A kind that the page lacks is forbidden."""
    policy = content_security_policy("<script>a</script><p><script>b\n</script>")
    (scripts,) = re.findall(r"script-src ([^;]*);", policy)
    assert len(scripts.split()) == 2
    assert "style-src 'none'" in policy
