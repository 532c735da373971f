"""`replay` on a broker that grants only what docs/operations.md lists for it."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AclOperation

from tests.docs.pages import table
from tests.errors_page import check_row
from tests.grants import EXACT, GROUP, PREFIX, TOPIC, TRANSACTION, Grant
from tests.kafka import Kafka
from tests.process import group_of
from tests.secured import Secured, login, secured_broker
from tests.tools.replay.conftest import RunReplay
from tests.tools.replay.records import dead_letter, originals

pytestmark = pytest.mark.long

GRANTS = [
    *(Grant(TOPIC, "in", one, EXACT, []) for one in (AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS)),
    *(Grant(TOPIC, "dead", one, EXACT, []) for one in (AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)),
    Grant(GROUP, "<group>-replay-", AclOperation.READ, PREFIX, []),
    Grant(TRANSACTION, "<group>", AclOperation.WRITE, PREFIX, []),
]
"""What docs/operations.md lists for replay, except Describe, which these include."""

SITUATIONS = {
    "replay: no permission to write to the input": GRANTS[0],
    "replay: no permission to read the dead letters": GRANTS[2],
    "replay: no permission on the groups": GRANTS[4],
    "replay: no permission on the transactional id": GRANTS[5],
}
DESCRIBE = [Grant(TOPIC, topic, AclOperation.DESCRIBE, EXACT, []) for topic in ("in", "dead")]
USERS = {
    "enough": GRANTS,
    **{
        f"lacking-{n}": [*DESCRIBE, *(one for one in GRANTS if one != lacks)]
        for n, lacks in enumerate(SITUATIONS.values())
    },
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, with dead letters and a user for each situation."""
    with secured_broker(tmp_path_factory.mktemp("certificates"), USERS) as secured:
        secured.kafka.create_topic("dead")
        secured.kafka.produce("dead", [dead_letter("in", one) for one in originals(3)])
        yield secured


@pytest.fixture(scope="module")
def kafka(secured: Secured) -> Kafka:
    """A client of the broker that `replay` uses, too."""
    return secured.kafka


def settings(secured: Secured, user: str) -> dict[str, str]:
    """The settings of a user."""
    return {**secured.settings("SCRAM"), **login(user), "Quix__Consumer_Group": group_of(user)}


def test_enough(secured: Secured, replay: RunReplay) -> None:
    """The permissions that the page lists are enough, and --dry-run needs no more."""
    assert replay("in", "dead", "--dry-run", **settings(secured, "enough")).sent == 3
    assert replay("in", "dead", **settings(secured, "enough")).sent == 3
    assert replay("in", "dead", **settings(secured, "enough")).sent == 0


def test_table() -> None:
    """docs/operations.md lists these permissions."""
    rows = {row[0]: row[1] for row in table("docs/operations.md", "### For `replay`")}
    assert rows == {
        "topic, the input": "Write, Describe, DescribeConfigs",
        "topic, `dead_letter`": "Read, Describe, DescribeConfigs",
        "group, prefix `<group>-replay-`": "Read, Describe",
        "transactional id, `<group>:replay:`": "Write, Describe",
    }


@pytest.mark.parametrize("situation", SITUATIONS)
def test_lacking(secured: Secured, replay: RunReplay, situation: str) -> None:
    """Without one of them it ends with 77 and a line that says what is missing, and sends nothing."""
    before = len(secured.kafka.read("in", 0))
    user = f"lacking-{list(SITUATIONS).index(situation)}"
    code, _, err = replay("in", "dead", **settings(secured, user))
    check_row("Tools", situation, code, err[-1], {r" \(after \d+ ms\)": ""})
    assert len(secured.kafka.read("in", 0)) == before
