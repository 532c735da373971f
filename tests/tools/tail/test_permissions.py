"""`tail` on a broker that grants only what `tail` needs."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AclOperation

from runtime.errors import Refused
from runtime.settings import Settings
from tests.errors_page import check_row
from tests.grants import EXACT, TOPIC, Grant
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.secured import Secured, login, secured_broker
from tests.tools.dead_letters import dead_letters
from tests.tools.tail.conftest import Tail
from tests.tools.tail.terminal import on_terminal
from tools.verify.command import Options, audit
from tools.verify.findings import total

pytestmark = pytest.mark.long

OPERATIONS = (AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)
SENT = [Record(value=b'{"device_type": "ios"}'), Record(value=b"no JSON")]


def reads(*topics: str) -> list[Grant]:
    """The permissions to read these topics, but none on a group."""
    return [Grant(TOPIC, topic, operation, EXACT, []) for topic in topics for operation in OPERATIONS]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, and users who may read all topics, both, one of them, or only see them."""
    seen = [grant for grant in reads("in", "out") if grant.operation is not AclOperation.READ]
    users = {
        "all": reads("in", "out", "dead"),
        "both": reads("in", "out"),
        "output": reads("out"),
        "dead": reads("dead"),
        "blind": seen,
    }
    with secured_broker(tmp_path_factory.mktemp("certificates"), users) as secured:
        secured.kafka.produce("in", SENT)
        secured.kafka.produce("out", map(expected, SENT))
        secured.kafka.produce(secured.kafka.create_topic("dead"), dead_letters(SENT, "in"))
        yield secured


@pytest.fixture(scope="module")
def kafka(secured: Secured) -> Kafka:
    """A client of the broker that `tail` uses, too."""
    return secured.kafka


def settings(secured: Secured, user: str) -> dict[str, str]:
    """The settings of a user."""
    return {**secured.settings("SCRAM"), **login(user), "input": "in"}


def test_enough(secured: Secured, tail: Tail) -> None:
    """Read, Describe and DescribeConfigs on the topics are enough."""
    shown = tail("out", "--diff", **settings(secured, "both"))
    assert (shown.code, len(shown.out), shown.err) == (0, 6, [])


def test_verify(secured: Secured) -> None:
    """They are enough for `verify`, too. With `dead_letter`, it needs them on that topic as well."""
    assert audit(Settings.model_validate({**settings(secured, "both"), "output": "out"}), Options()).ok
    with_dead_letters = {"output": "out", "dead_letter": "dead"}
    report = audit(Settings.model_validate({**settings(secured, "all"), **with_dead_letters}), Options())
    assert report.ok
    assert total(report.letters)["checked"] == 1
    with pytest.raises(Refused, match="Describe on the topic 'dead'"):
        audit(Settings.model_validate({**settings(secured, "both"), **with_dead_letters}), Options())


def test_dead_letters_only(secured: Secured, tail: Tail) -> None:
    """To show the dead letters, the permissions on their topic are enough."""
    shown = tail("out", "dead_letter", **settings(secured, "dead"), dead_letter="dead")
    assert (shown.code, len(shown.out), shown.err) == (0, 1, [])


def test_output_only(secured: Secured, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the input's permissions, a terminal gets the records, too, but --diff ends with 77."""
    shown = tail("out", **settings(secured, "output"))
    assert (shown.code, len(shown.out), shown.err) == (0, 2, [])
    text = on_terminal(lambda: tail("out", **settings(secured, "output")), monkeypatch)
    assert '"IOS"' in text
    assert "\x1b[1;33mmalformed:invalid_json\x1b[0m" in text
    code, _, (line,) = tail("out", "--diff", **settings(secured, "output"))
    check_row("Tools", "tail: no permission on the input, and --diff", code, line)


def test_no_read(secured: Secured, tail: Tail) -> None:
    """Without Read on the topic, it ends with 77."""
    code, _, (line,) = tail("out", **settings(secured, "blind"))
    check_row("Tools", "tail: no permission to read the output", code, line)
