"""Row 15: partitions that move to other brokers."""

from faults.conclusion import conclude
from faults.placement import TOPICS, leaders, place
from faults.plan import Plan
from faults.report import RowReport
from faults.trial import Trial

_NODES = 3
_WORKERS = 3
# Two brokers of three hold each partition, so that it can move to the third.
_TWO_OF_THREE = {
    "default.replication.factor": "2",
    "offsets.topic.replication.factor": "2",
    "transaction.state.log.replication.factor": "2",
    "min.insync.replicas": "1",
    "transaction.state.log.min.isr": "1",
}


def moves(plan: Plan) -> RowReport:
    """Row 15; all partitions of one topic move at a time: the input, the output, or Kafka's own topics."""
    with Trial(plan, nodes=_NODES, properties=_TWO_OF_THREE) as trial:
        trial.start(_WORKERS)
        for number in range(plan.count):
            topic = TOPICS[number % len(TOPICS)]
            trial.fault(f"{topic} reassigned", resume=False)
            place(trial, topic, _others(trial, topic))
            trial.reader.mark()
            trial.wait_until_resumed()
            trial.pause(1.0, 8.0)
            trial.say(f"{number + 1}/{plan.count} moves, {topic}")
        return conclude(trial)


def _others(trial: Trial, topic: str) -> dict[int, list[int]]:
    """Return, for each partition, the two brokers that do not lead it now."""
    nodes = set(range(1, _NODES + 1))
    found = leaders(trial, topic).items()
    return {partition: trial.random.sample(sorted(nodes - {leader}), _NODES - 1) for partition, leader in found}
