"""Missing topics that the pipeline creates with AUTO_CREATE_TOPICS=true."""

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines

ANY_TIMESTAMP = {
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.after.max.ms": "9223372036854775807",
}


def config(kafka: Kafka, topic: str) -> dict[str, str]:
    """The topic's settings."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": kafka.address})
    return {name: entry.value for name, entry in admin.describe_configs([resource])[resource].result(TIMEOUT).items()}


def test_missing_output(kafka: Kafka, pipelines: Pipelines) -> None:
    """A missing output topic is created with the input's partition count and size limit, and accepts any timestamp."""
    config_of_input = {"max.message.bytes": "54321", "message.timestamp.after.max.ms": "7200000"}
    source = kafka.create_topic("makes-output", 3, config_of_input)
    sent = [Record(None, b'{"device_type": "ios"}', partition=partition) for partition in range(3)]
    kafka.produce(source, sent)
    pipeline = pipelines.start(source, "made-output", AUTO_CREATE_TOPICS="true")
    pipeline.wait_for(RUNNING)
    assert kafka.read("made-output", 3) == [expected(record) for record in sent]
    assert pipeline.stop() == 0

    assert len(kafka.partitions("made-output")) == 3
    made = {"max.message.bytes": "54321", "retention.ms": "-1", **ANY_TIMESTAMP}
    assert made.items() <= config(kafka, "made-output").items()
    assert config(kafka, "made-output")["cleanup.policy"] == "delete"
    assert "WARNING" not in pipeline.log


def test_missing_input(kafka: Kafka, pipelines: Pipelines) -> None:
    """A missing input topic is created with a warning, because its name may be misspelt."""
    pipeline = pipelines.start("mispelt", "made-too", AUTO_CREATE_TOPICS="true")
    line = pipeline.wait_for("WARNING", "mispelt")
    assert "check the name" in line
    pipeline.wait_for(RUNNING)
    record = Record(b"k", b'{"device_type": "ios"}')
    kafka.produce("mispelt", [record])
    assert kafka.read("made-too", 1) == [expected(record)]
    assert pipeline.stop() == 0
