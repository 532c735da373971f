"""Row 15: partitions that move to other brokers."""

from faults.placement import TOPICS, leaders, place
from faults.plan import Plan
from faults.report import Report
from faults.trial import PATIENCE, Trial

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


def moves(plan: Plan) -> Report:
    """Row 15; each time all partitions of one topic move: the input, the output, the groups' or the transactions'."""
    with Trial(plan, nodes=_NODES, properties=_TWO_OF_THREE) as trial:
        trial.crew.start(_WORKERS)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            topic = TOPICS[number % len(TOPICS)]
            trial.fault(f"{topic} reassigned", resume=False)
            place(trial, topic, _others(trial, topic))
            trial.reader.mark()
            assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow"
            trial.wait(trial.random.uniform(1.0, 8.0) * plan.pace)
            trial.say(f"{number + 1}/{plan.count} moves, {topic}")
        return trial.report("15", "partitions reassigned to other brokers")


def _others(trial: Trial, topic: str) -> dict[int, list[int]]:
    """Give each partition the two brokers that do not lead it now."""
    nodes = set(range(1, _NODES + 1))
    found = leaders(trial, topic).items()
    return {partition: trial.random.sample(sorted(nodes - {leader}), _NODES - 1) for partition, leader in found}
