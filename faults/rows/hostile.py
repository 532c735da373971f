"""Row 9: hostile values: all sizes around the limit, the JSON corpus, mutants."""

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from faults.conclusion import conclude
from faults.hostile import LIMIT, before_mutants, hostile, judge
from faults.idcheck import Judge
from faults.plan import Plan
from faults.report import RowReport
from faults.trial import PARTITIONS, PATIENCE, TARGET, Trial


def values(plan: Plan) -> RowReport:
    """Row 9: `count` mutants, and before them the sizes and the corpus."""
    count = plan.count + before_mutants(PARTITIONS)
    with Trial(plan) as trial:
        resource = ConfigResource(ResourceType.TOPIC, TARGET)
        limit = ConfigEntry("max.message.bytes", str(LIMIT), incremental_operation=AlterConfigOpType.SET)
        resource.add_incremental_config(limit)
        trial.admin.incremental_alter_configs([resource])[resource].result(PATIENCE)
        trial.reader.check.judge = Judge(hostile, lambda sent, _key, value, tag: judge(sent, value, tag))
        trial.pool.start(2)
        trial.load(count=count, rate=plan.rate, kind="hostile")
        trial.follow()
        trial.wait_for_output()
        while trial.reader.check.counts.checked < count // PARTITIONS * PARTITIONS:
            before = trial.reader.check.counts.checked
            trial.wait_for(lambda: trial.reader.check.counts.checked > before, "more output")  # noqa: B023
            trial.wait(5.0)
            trial.say("hostile values")
        trial.faults["hostile value"] = count
        report = conclude(trial)
    report.longest_stall = 0.0  # it is caused by the check by id, which parses every value
    return report
