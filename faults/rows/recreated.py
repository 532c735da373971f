"""Row 19: the input topic is deleted and created again under load."""

import time
from collections.abc import Mapping
from dataclasses import replace

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import NewTopic

from faults.conclusion import conclude
from faults.plan import Plan
from faults.records import record
from faults.report import Limit, RowReport
from faults.trial import PATIENCE, SOURCE, Trial

_GAPS = (0.3, 5.0)
"""Seconds from the deletion to the creation."""
_SHARES = (0.3, 1.0, 3.0)
"""How many records the new topic has at first, as a share of the deleted one's."""
_LEAST, _BURST = 500, 2000  # records of a partition at first; of all, right before the deletion
_PRODUCER = {"enable.idempotence": True, "queue.buffering.max.messages": 1_000_000, "log_level": 0}
_MISCONFIGURED = 78
_RECREATED = "deleted and created again"
_SAYS_DELETED = ("delet", "not found on the broker")  # the second if the worker was restarted between the two
_NOTICED_WITHIN = 60.0  # seconds


def recreated(plan: Plan) -> RowReport:
    """Row 19: the records' numbers continue in the new topic, so each record is sent only once."""
    late = 0
    with Trial(replace(plan, audit=False)) as trial:  # tools.verify needs the input that was deleted
        trial.pool.start(2)
        first = dict.fromkeys(trial.partitions, 0)
        trial.sent = _fill(trial, dict.fromkeys(trial.partitions, _LEAST))
        for number in trial.rounds("times"):
            trial.load()
            trial.wait_for_output()
            trial.pause(1.0, 4.0)
            gap, share = _GAPS[number % len(_GAPS)], _SHARES[number % len(_SHARES)]
            first, noticed = _recreate(trial, first, gap, share)
            late += not noticed
        report = conclude(trial, ends={_MISCONFIGURED})
        unclear = [
            reason
            for reason in trial.pool.reasons
            if SOURCE not in reason or not any(text in reason for text in _SAYS_DELETED)
        ]
        full = sum(_RECREATED in reason for reason in trial.pool.reasons)
    report.notes.append("without tools.verify: the deleted topic cannot be compared")
    report.figures[f"exits that say '{_RECREATED}'"] = full
    report.goals.append(Limit("workers that did not exit within 60 s", late, 0))
    report.goals.append(Limit("exits that do not say that the topic was deleted", len(unclear), 0))
    return report


def _recreate(trial: Trial, first: Mapping[int, int], gap: float, share: float) -> tuple[dict[int, int], bool]:
    """Delete and create the input. Return the new topic's first numbers, and whether all running workers exited."""
    before = trial.pool.workers.copy()
    trial.end_load()
    trial.load(count=_BURST, rate=0)
    trial.end_load()
    trial.admin.delete_topics([SOURCE])[SOURCE].result(30)
    trial.fault(f"input created again {gap:g} s after its deletion")
    trial.wait(gap)
    _create(trial)
    begin = trial.sent.copy()
    trial.sent = _fill(trial, {n: max(1, int((begin[n] - first[n]) * share)) for n in trial.partitions})
    trial.load()
    noticed = trial.until(lambda: not any(worker.running for worker in before), _NOTICED_WITHIN)
    trial.end_load()
    trial.wait_until_processed()
    trial.reader.check.forget_before(begin)
    return begin, noticed


def _create(trial: Trial) -> None:
    """Create the input as soon as Kafka has removed the deleted one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            trial.admin.create_topics([NewTopic(SOURCE, len(trial.partitions), -1)])[SOURCE].result(30)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            trial.wait(0.05)
        else:
            return


def _fill(trial: Trial, counts: Mapping[int, int]) -> dict[int, int]:
    """Send this many records to each partition as fast as possible. Return the numbers after the last ones."""
    producer = Producer({**_PRODUCER, "bootstrap.servers": trial.cluster.address})
    sent = {partition: trial.sent.get(partition, 0) for partition in counts}
    for partition, count in counts.items():
        for number in range(sent[partition], sent[partition] + count):
            login = record(trial.plan.seed, partition, number)
            producer.produce(SOURCE, login.value, login.key, partition)
        sent[partition] += count
        producer.poll(0)
    assert producer.flush(PATIENCE) == 0, "the new topic did not accept the records"
    return sent
