"""`python pipeline.py check` on a real Kafka: it finds what stops `run`, says the same, and changes no topic."""

import json
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from confluent_kafka.admin import AdminClient

from runtime import limits
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.stops import STOPS, create_topics
from tests.process import RUNNING, Pipeline, Pipelines, group_of

pytestmark = pytest.mark.long

HOUR = 3_600_000  # milliseconds
Check = Callable[..., Pipeline]
Topics = Callable[..., str]


@pytest.fixture
def check(pipelines: Pipelines) -> Iterator[Check]:
    """Runs `check` for two topics to its end. Further settings and options are optional."""
    ended: list[Pipeline] = []

    def run(source: str, target: str, *options: str, **settings: object) -> Pipeline:
        process = pipelines.start(source, target, "check", *options, **settings)
        process.wait()
        assert process.ended is not None
        assert process.ended - process.started < 2 * limits.CHECK_TIMEOUT
        ended.append(process)
        return process

    yield run
    assert not [line for process in ended for line in process.lines if "Traceback" in line]


def subjects(process: Pipeline) -> Mapping[str, str]:
    """By subject, the state that the lines give."""
    return {line[8:].split(": ")[0]: line.split()[0] for line in process.lines}


def test_nothing_to_say(kafka: Kafka, topics: Topics, check: Check) -> None:
    """With all in order, each line is ok, the exit code is 0, and no secret is shown."""
    source, target = topics("in", 2), topics("out", 2)
    secret = {"Quix__Sdk__Token": "s3cret"}
    process = check(source, target, **secret)
    assert process.wait() == 0
    group = f"group {group_of(source)}"
    about_topics = [f"topic {source}", f"topic {target}", "topics", "transactions", group]
    assert subjects(process) == dict.fromkeys(["settings", "connection", "version", "broker 1", *about_topics], "ok")
    assert kafka.address in process.log
    assert "s3cret" not in process.log


def test_fewer_replicas_than_required(kafka: Kafka, check: Check, pipelines: Pipelines, topics: Topics) -> None:
    """Topics with one replica where two must be in sync are in order, as the broker takes records nevertheless."""
    source, target = (topics(end, config={"min.insync.replicas": "2"}) for end in ("in", "out"))
    pipeline = pipelines.start(source, target)
    kafka.produce(source, [Record(None, b"{}")])
    kafka.read(target, 1)
    assert pipeline.stop() == 0
    process = check(source, target)
    assert process.wait() == 0
    assert set(subjects(process).values()) == {"ok"}


def test_changes_nothing(kafka: Kafka, topics: Topics, check: Check) -> None:
    """It creates no topic, produces nothing, joins no group and commits nothing."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, [Record(None, b"{}")])
    check(source, target)
    check(source, f"{target}-absent", AUTO_CREATE_TOPICS="true")
    assert kafka.end_offsets(source) == {0: 1}
    assert kafka.end_offsets(target) == {0: 0}
    assert kafka.committed(group_of(source), source) == {}
    admin = AdminClient({"bootstrap.servers": kafka.address})
    assert f"{target}-absent" not in admin.list_topics(timeout=TIMEOUT).topics
    assert group_of(source) not in {group.group_id for group in admin.list_consumer_groups().result(TIMEOUT).valid}


def test_group(kafka: Kafka, topics: Topics, check: Check, pipelines: Pipelines) -> None:
    """It shows the group's members, lag and position, while the pipeline runs and after it."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, [Record(None, b"{}")] * 3)
    assert f"members: none; lag 3, at most 3 in {source}[0]@0" in check(source, target).log
    pipeline = pipelines.start(source, target)
    pipeline.wait_for(RUNNING)
    kafka.read(target, 3)
    check(source, target).wait_for("members: ", " at ", "; lag 0")
    pipeline.stop()
    assert f"members: none; lag 0, at most 0 in {source}[0]@3" in check(source, target).log


def test_worker_called_check(kafka: Kafka, topics: Topics, check: Check, pipelines: Pipelines) -> None:
    """It takes the transactional id of no worker, not even of one with the INSTANCE_ID `check`."""
    source, target = topics("in"), topics("out")
    pipeline = pipelines.start(source, target, INSTANCE_ID="check")
    for count in (1, 2):
        kafka.produce(source, [Record(None, b"{}")])
        kafka.read(target, count)
        assert check(source, target).wait() == 0
    assert pipeline.stop() == 0
    assert "fenced" not in pipeline.log


def test_json(topics: Topics, check: Check) -> None:
    """With --json, each line is an object with the state, the subject, the detail and the exit code."""
    process = check(topics("in"), "absent", "--json")
    found = [json.loads(line) for line in process.lines]
    assert all(list(each) == ["state", "subject", "detail", "exit_code"] for each in found)
    assert [each["state"] for each in found if each["subject"] == "topic absent"] == ["wrong"]
    assert process.wait() == 78


def test_newest_timestamp(kafka: Kafka, topics: Topics, check: Check) -> None:
    """A timestamp ahead of this machine's clock is a warning."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, [Record(None, b"{}", [], int(time.time() * 1000) + HOUR // 2)])
    process = check(source, target)
    assert process.wait() == 0
    assert "ahead of this machine's clock" in process.wait_for(f"warning topic {source}")


def test_position(kafka: Kafka, topics: Topics, check: Check) -> None:
    """An offset past the end is wrong, as in `run`, but an expired one is a warning."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, [Record(None, b"{}")] * 4)
    kafka.commit(group_of(source), source, 9)
    process = check(source, target)
    assert process.wait() == 78
    process.wait_for("wrong", f"the group's offset 9 of {source}[0] is past the end of the topic, 4")
    kafka.commit(group_of(source), source, 1)
    kafka.delete_records(source, 3)
    process = check(source, target)
    assert process.wait() == 0
    process.wait_for("warning", f"2 records of {source}[0] expired unread, from offset 1 to 2")
    process.wait_for("lag 1")


@pytest.fixture(scope="module")
def stopped(kafka: Kafka, shared_pipelines: Pipelines) -> dict[str, Pipeline]:
    """A pipeline for each of the stops."""
    create_topics(kafka)
    return {name: shared_pipelines.start("there", "compacted", **settings) for name, (_, settings) in STOPS.items()}


@pytest.mark.parametrize("name", STOPS)
def test_says_what_run_says(stopped: dict[str, Pipeline], check: Check, name: str) -> None:
    """What stops `run` at the start is a line of `check`, with the same text and exit code."""
    code = stopped[name].wait()
    text = stopped[name].lines[-1].partition(" | ")[2]
    process = check("there", "compacted", **STOPS[name][1])
    assert process.wait() == code
    process.wait_for("wrong", text)


def test_unknown_name(check: Check) -> None:
    """A variable that resembles a setting is a warning, also if another setting is wrong."""
    process = check("in", "out", COMIT_EVERY=3, COMMIT_INTERVAL=0)
    assert process.wait() == 78
    process.wait_for("warning settings: COMIT_EVERY in the environment has no effect", "COMMIT_EVERY?")
    process.wait_for("wrong   settings: COMMIT_INTERVAL must be")


def test_no_broker(check: Check) -> None:
    """Without a broker, it says so within the time of `run`, and checks nothing else."""
    process = check("in", "out", Quix__Broker__Address="127.0.0.1:1")
    assert process.wait() == 69
    assert subjects(process) == {"settings": "ok", "connection": "wrong"}
