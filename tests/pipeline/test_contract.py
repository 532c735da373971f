"""Every row of the record contract, with a pipeline process, for both guarantees and two partition layouts."""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.cases import CASES, Case
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipeline, Pipelines, group_of

RUNS = [(guarantee, count) for guarantee in ("exactly-once", "at-least-once") for count in (1, 4)]


class Run(NamedTuple):
    """The records that a stopped pipeline read and wrote."""

    source: str
    sent: list[Record]
    read: dict[int, list[Record]]
    process: Pipeline
    exit_code: int


@pytest.fixture(scope="module")
def runs(kafka: Kafka, shared_pipelines: Pipelines) -> dict[tuple[str, int], Run]:
    """One run for each guarantee and layout, all in parallel. Each partition has all cases, in its own order."""
    started = {}
    for guarantee, count in RUNS:
        source, target = (kafka.create_topic(f"{guarantee}-{count}-{end}", count) for end in ("in", "out"))
        sent = [replace(case.record, partition=number) for number in range(count) for case in in_order(number)]
        kafka.produce(source, sent)
        process = shared_pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
        started[guarantee, count] = (source, target, sent, process)
    return {run: finish(kafka, *parts) for run, parts in started.items()}


def finish(kafka: Kafka, source: str, target: str, sent: list[Record], process: Pipeline) -> Run:
    """Stop a pipeline once it has written all records."""
    process.wait_for(RUNNING)
    read: dict[int, list[Record]] = {}
    for record in kafka.read(target, len(sent)):
        read.setdefault(record.partition, []).append(record)
    return Run(source, sent, read, process, process.stop())


def in_order(partition: int) -> list[Case]:
    """The cases in the order of a partition."""
    return CASES[partition:] + CASES[:partition]


@pytest.fixture(params=RUNS, ids=lambda run: f"{run[0]}-{run[1]}")
def run(request: pytest.FixtureRequest, runs: dict[tuple[str, int], Run]) -> Run:
    """Each of the runs."""
    return runs[request.param]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_record(run: Run, number: int) -> None:
    """A record keeps its partition and its position, and has the value and headers that the contract requires."""
    for partition, records in run.read.items():
        case = in_order(partition)[number]
        wanted = expected(replace(case.record, partition=partition))
        assert records[number] == wanted
        assert dict(wanted.headers).get("malformed") == (case.reason and case.reason.encode())


def test_one_for_one(run: Run) -> None:
    """Each partition has one output record for each input record, under read_committed."""
    assert {partition: len(records) for partition, records in run.read.items()} == Counter(
        record.partition for record in run.sent
    )


def test_all_is_committed(kafka: Kafka, run: Run) -> None:
    """Records from before the first start are all committed once the pipeline has stopped."""
    assert kafka.committed(group_of(run.source), run.source) == dict.fromkeys(run.read, len(CASES))


def test_stop_line(run: Run) -> None:
    """The pipeline exits with 0, and its last line has the totals: in, out, malformed, and by reason."""
    reasons = Counter(case.reason for case in CASES if case.reason)
    partitions = len(run.read)
    totals = f"{len(run.sent)} in, {len(run.sent)} out, {reasons.total() * partitions} malformed"

    assert run.exit_code == 0
    assert f"stopped: {totals} (" in run.process.lines[-1]
    for reason, count in reasons.items():
        assert f"{reason} {count * partitions}" in run.process.lines[-1]


def test_warnings(run: Run) -> None:
    """Each reason causes one warning at once, and at most one more with the rest on stopping."""
    for reason in {case.reason for case in CASES if case.reason}:
        lines = [line for line in run.process.lines if "WARNING" in line and reason in line]
        assert 1 <= len(lines) <= 2
        counts = sum(int(line.partition(" malformed record")[0].rpartition(" ")[2]) for line in lines)
        assert counts == sum(case.reason == reason for case in CASES) * len(run.read)


def test_leaves_nothing_behind(run: Run) -> None:
    """The working directory stays empty, because it may be read-only."""
    assert list(run.process.folder.iterdir()) == []
