"""Topics that are deleted, or deleted and created again with the same name."""

import time
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tools.waiting import wait_until

PARTITIONS = 2
OLD, LATE = 400, 300
"""Records of the deleted topic: those that are read before, and those that are sent just before the deletion."""


class Case(NamedTuple):
    """The topic that is deleted and created again, and the records that follow."""

    guarantee: str
    topic: str
    gap: float
    """Seconds from the deletion to the creation."""
    new: int
    """Records of the new input."""


CASES = [
    Case("exactly-once", "input", 0.3, OLD // 2),
    Case("exactly-once", "input", 0.3, 3 * OLD),
    Case("exactly-once", "input", 5.0, OLD + LATE),
    Case("at-least-once", "input", 0.3, OLD + LATE),
    Case("at-least-once", "input", 5.0, 3 * OLD),
    Case("exactly-once", "output", 0.3, 100),
    Case("at-least-once", "output", 5.0, 100),
]


class Run:
    """One case, with its topics and its pipeline."""

    def __init__(self, kafka: Kafka, pipelines: Pipelines, number: int) -> None:
        self.case = CASES[number]
        self._kafka = kafka
        self._pipelines = pipelines
        self.source, self.target = (kafka.create_topic(f"recreated-{number}-{end}", PARTITIONS) for end in "io")
        kafka.produce(self.source, numbered("old", OLD))
        self.first = self.start()

    def start(self) -> Pipeline:
        """Start the pipeline."""
        return self._pipelines.start(self.source, self.target, PROCESSING_GUARANTEE=self.case.guarantee)

    @property
    def replaced(self) -> str:
        """The topic that is deleted."""
        return self.source if self.case.topic == "input" else self.target

    def replace(self) -> None:
        """Delete the topic under load, create it again, and write the new records to the input."""
        self.first.wait_for(RUNNING)
        with self.first.shown():
            self._kafka.read(self.target, OLD, timeout=3 * TIMEOUT)  # all cases run in parallel
        self._kafka.produce(self.source, numbered("late", LATE))
        self._kafka.delete_topic(self.replaced)
        time.sleep(self.case.gap)
        create_again(self._kafka, self.replaced)
        self._kafka.produce(self.source, numbered("new", self.case.new))


@pytest.fixture(scope="module")
def runs(kafka: Kafka, shared_pipelines: Pipelines) -> list[Run]:
    """All cases, in parallel."""
    runs = [Run(kafka, shared_pipelines, number) for number in range(len(CASES))]
    for run in runs:
        run.replace()
    return runs


def numbered(name: str, count: int, partitions: int = PARTITIONS) -> list[Record]:
    """Records with distinct values."""
    value = '{"device_type": "ios", "%s": %d}'
    return [Record(b"k", (value % (name, number)).encode(), partition=number % partitions) for number in range(count)]


def create_again(kafka: Kafka, topic: str) -> None:
    """Create a topic again as soon as Kafka has removed the deleted one."""

    def created() -> bool:
        try:
            kafka.create_topic(topic, PARTITIONS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True

    wait_until(created, f"{topic} can be created again")


@pytest.mark.long
@pytest.mark.usefixtures("many_processes")
@pytest.mark.parametrize("number", range(len(CASES)), ids=["-".join(map(str, case)) for case in CASES])
def test_recreated(kafka: Kafka, runs: list[Run], number: int) -> None:
    """The pipeline exits with 78 and names the topic. After a restart all records of the new topic are written."""
    run = runs[number]
    assert run.first.wait() == 78, run.first.log
    (line,) = (line for line in run.first.lines if "ERROR" in line)
    assert f"{run.replaced} was deleted" in line
    assert f"It had read up to {run.source}[0]@" in line
    assert "Restart" in line

    again = run.start()
    wanted = [expected(record).value for record in numbered("new", run.case.new)]
    wait_until(lambda: {record.value for record in kafka.read(run.target, 0)} >= set(wanted), "all new records")
    assert again.stop() == 0
    found = [record.value for record in kafka.read(run.target, 0) if b'"new"' in (record.value or b"")]
    assert sorted(map(str, set(found))) == sorted(map(str, wanted))
    if run.case.guarantee == "exactly-once":
        assert len(found) == len(wanted)


def test_deleted(kafka: Kafka, pipelines: Pipelines) -> None:
    """The pipeline exits with 78 and names the topic if input or output is deleted, idle or under load."""
    started = []
    for topic, idle in (("in", True), ("in", False), ("out", True), ("out", False)):
        names = {end: kafka.create_topic(f"deleted-{topic}-{idle}-{end}") for end in ("in", "out")}
        kafka.produce(names["in"], numbered("old", OLD, 1))
        guarantee = "at-least-once" if topic == "in" and idle else "exactly-once"
        pipeline = pipelines.start(names["in"], names["out"], PROCESSING_GUARANTEE=guarantee)
        started.append((names, topic, idle, pipeline))
    for names, topic, idle, pipeline in started:
        pipeline.wait_for(RUNNING)
        kafka.read(names["out"], OLD)
        if not idle:
            kafka.produce(names["in"], numbered("late", 10 * LATE, 1))
        kafka.delete_topic(names[topic])
    for names, topic, _, pipeline in started:
        assert pipeline.wait() == 78
        (line,) = (line for line in pipeline.lines if "ERROR" in line)
        assert f"{names[topic]} was deleted while" in line


def test_while_stopped(kafka: Kafka, pipelines: Pipelines) -> None:
    """An input that was created again while no worker ran is read from its beginning."""
    source, target = (kafka.create_topic(f"while-stopped-{end}", PARTITIONS) for end in ("in", "out"))
    for turn, count in enumerate((OLD, OLD // 2)):
        if turn:
            kafka.delete_topic(source)
            create_again(kafka, source)
        kafka.produce(source, numbered(f"{turn}", count))
        pipeline = pipelines.start(source, target)
        kafka.read(target, OLD if not turn else OLD + count)
        assert pipeline.stop() == 0
    wanted = [expected(record) for name, count in (("0", OLD), ("1", OLD // 2)) for record in numbered(name, count)]
    assert kafka.read(target, 0) == sorted(wanted, key=lambda record: record.partition)


@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_offset_of_another_topic(kafka: Kafka, pipelines: Pipelines, reset: str) -> None:
    """An offset that was committed for a deleted topic of the same name is ignored with a warning."""
    source, target = (kafka.create_topic(f"other-id-{reset}-{end}") for end in ("in", "out"))
    sent = [Record(b"k", b'{"device_type": "ios", "n": %d}' % number) for number in range(20)]
    kafka.produce(source, sent)
    kafka.commit(group_of(source), source, 15, "topic-id:MkbEH5NoSPiCCSJ3kA3gvQ")
    pipeline = pipelines.start(source, target, AUTO_OFFSET_RESET=reset)
    pipeline.wait_for("WARNING", f"offset 15 of {source}[0] belongs to a deleted topic", "from its beginning")
    pipeline.wait_for(RUNNING)
    assert kafka.read(target, len(sent)) == [expected(record) for record in sent]
    assert pipeline.stop() == 0
