"""Output partitions that take no records while brokers answer: exit code 69, and a line that names the partition."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tests.checked import assert_says_the_same
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tests.tools.replay.records import dead_letter, originals
from tools.broker.cluster import GROUPS, TRANSACTIONS, Cluster
from tools.waiting import wait_until

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("run_limits.py")
LIMITS = "FLUSH_TIMEOUT=2 NO_PROGRESS_TIMEOUT=5 SESSION_TIMEOUT=6 POLL_TIMEOUT=8"
SITUATIONS = {
    "too few replicas of the output topic are in sync, exactly-once": ("all", "exactly-once"),
    "too few replicas of the output topic are in sync, at-least-once": ("all", "at-least-once"),
    "a partition of the output topic has no leader": ("one", "exactly-once"),
}
"""By situation, the output topic and the guarantee."""
TOOLS = {
    "verify: a partition of the output topic has no leader": "verify",
    "tail: a partition of the output topic has no leader": "tail",
}

UNTIL_WRITTEN = "the brokers at .* answer, but none of them coordinates consumer groups: "
"""Added if `replay` had a new producer: before a write is replicated, the coordinator gives no committed offsets."""

ADDRESSES = r"(127\.0\.0\.1:\d+,)+127\.0\.0\.1:\d+"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Pipeline], str, Pipelines]]:
    """For each situation, a pipeline that was running when a broker went away. Then the address, and more pipelines."""
    with (
        Cluster(3, {"log.retention.ms": "-1"}) as cluster,
        Pipelines(cluster.address, tmp_path_factory.mktemp("replicas"), SCRIPT) as pipelines,
    ):
        coordinators = {cluster.leader(topic) for topic in (GROUPS, TRANSACTIONS)}
        (victim, *_) = [node for node in cluster.nodes if node not in coordinators]
        others = [number for number, node in enumerate(cluster.nodes, 1) if node is not victim]
        leads = cluster.nodes.index(victim) + 1
        topics = [
            NewTopic("in", 1, replica_assignment=[others]),
            NewTopic("all", 1, replica_assignment=[[*others, leads]], config={"min.insync.replicas": "3"}),
            NewTopic("one", 1, replica_assignment=[[leads]]),
            NewTopic("in-too", 1, replica_assignment=[others]),
            NewTopic("dead", 1, replica_assignment=[others]),
        ]
        admin = AdminClient({"bootstrap.servers": cluster.address})
        for answer in admin.create_topics(topics).values():
            answer.result(TIMEOUT)
        started = {
            situation: pipelines.start(
                "in",
                output,
                LIMITS=LIMITS,
                PROCESSING_GUARANTEE=guarantee,
                Quix__Consumer_Group=f"{output}-{guarantee}",
            )
            for situation, (output, guarantee) in SITUATIONS.items()
        }
        for pipeline in started.values():
            pipeline.wait_for(RUNNING)
        victim.kill()
        wait_until(lambda: count_brokers(admin) == 2, "the end of the broker's session")
        kafka = Kafka(cluster.address)
        kafka.produce("in", [Record(None, b'{"device_type": "ios"}')])
        for situation, (output, guarantee) in SITUATIONS.items():
            settings = {"PROCESSING_GUARANTEE": guarantee, "Quix__Consumer_Group": f"{output}-{guarantee}"}
            started[f"check {situation}"] = pipelines.start("in", output, "check", **settings, LIMITS="")
        started |= {situation: pipelines.start("in", "one", tool, LIMITS="") for situation, tool in TOOLS.items()}
        yield started, cluster.address, pipelines


def count_brokers(admin: AdminClient) -> int:
    """The number of brokers in the metadata, or 0 if librdkafka lost the request.

    It loses one if a broker has just died.
    """
    with suppress(KafkaException):
        return len(admin.list_topics(timeout=1.0).brokers)
    return 0


@pytest.mark.parametrize("situation", SITUATIONS)
def test_stop(runs: tuple[dict[str, Pipeline], str, Pipelines], situation: str) -> None:
    """The line names the error of Kafka, the partition and what to do, and does not say that no broker answers."""
    check_stop("While running", situation, runs[0][situation])


@pytest.mark.parametrize("situation", SITUATIONS)
def test_check(runs: tuple[dict[str, Pipeline], str, Pipelines], situation: str) -> None:
    """`check` ends with the same code, and one of its lines says the same."""
    assert_says_the_same(runs[0][f"check {situation}"], runs[0][situation])


@pytest.mark.parametrize("situation", TOOLS)
def test_tools(runs: tuple[dict[str, Pipeline], str, Pipelines], situation: str) -> None:
    """Tools that read this topic name the partition, too, and do not blame the address."""
    check_stop("Tools", situation, runs[0][situation])


@pytest.mark.parametrize(("source", "said"), [("all", "NOT_ENOUGH_REPLICAS"), ("one", "LEADER_NOT_AVAILABLE")])
def test_check_of_the_input(runs: tuple[dict[str, Pipeline], str, Pipelines], source: str, said: str) -> None:
    """For the input, `check` warns of the same, as the pipeline does not end: it waits for records."""
    check, pipeline = (runs[2].start(source, "in", *command, LIMITS="") for command in (("check",), ()))
    pipeline.wait_for(RUNNING)
    assert pipeline.stop() == 0
    assert check.wait() == 0, check.log
    check.wait_for(f"warning topic {source}: {source}[0] ", said)
    check.wait_for(f"ok      group {group_of(source)}: members: ")


def test_transactions(runs: tuple[dict[str, Pipeline], str, Pipelines]) -> None:
    """The same for the internal topic of transactions: nothing coordinates them."""
    started, address, pipelines = runs
    for pipeline in started.values():
        pipeline.wait(2 * TIMEOUT)
    Kafka(address).alter_topic(TRANSACTIONS, "min.insync.replicas", "3")
    pipeline, check = (
        pipelines.start("in", "all", *command, LIMITS=f"{LIMITS} START_TIMEOUT=8") for command in ((), ("check",))
    )
    check_stop("At the start", "too few replicas of __transaction_state are in sync", pipeline)
    assert check.wait(2 * TIMEOUT) == 69
    check.wait_for("wrong   transactions: ", pipeline.lines[-1].partition(" | ")[2])
    Kafka(address).alter_topic(TRANSACTIONS, "min.insync.replicas", "1")


def test_groups(runs: tuple[dict[str, Pipeline], str, Pipelines]) -> None:
    """The same for the internal topic of groups: their coordinator answers, but takes no commit, `replay`'s neither."""
    kafka = Kafka(runs[1])
    kafka.produce("dead", [dead_letter("in", one) for one in originals(60)])
    replay = runs[2].start("in", "in-too", "replay", "--rate", "1", dead_letter="dead", LIMITS="")
    wait_until(lambda: kafka.committed(f"{group_of('in')}-replay-invalid_json", "dead"), "the first commit of replay")
    kafka.alter_topic(GROUPS, "min.insync.replicas", "3")
    settings = {"PROCESSING_GUARANTEE": "at-least-once", "Quix__Consumer_Group": "new", "LIMITS": ""}
    check, pipeline = (runs[2].start("in", "in-too", *command, **settings) for command in (("check",), ()))
    check_stop("While running", "too few replicas of __consumer_offsets are in sync", pipeline)
    assert_says_the_same(check, pipeline)
    check_stop("Tools", "replay: too few replicas of __consumer_offsets are in sync", replay)


def check_stop(section: str, situation: str, pipeline: Pipeline) -> None:
    """Fail unless the pipeline ends with 69 and the line of docs/errors.md."""
    assert pipeline.wait(2 * TIMEOUT) == 69, pipeline.log
    assert "Traceback" not in pipeline.log
    few = r"[12] of its 3"  # a follower on a busy machine may be out of sync, too
    by_force = r"; ended by force after .*"  # the flush may hang there
    replace = {ADDRESSES: "127.0.0.1:29092", few: "2 of its 3", by_force: "", UNTIL_WRITTEN: ""}
    check_row(section, situation, 69, pipeline.lines[-1], replace)
