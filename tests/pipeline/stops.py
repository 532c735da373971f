"""What stops the pipeline at the start, by situation, and the topics for it."""

from tests.kafka import Kafka

SETTINGS, START = "Settings", "At the start"
STOPS: dict[str, tuple[str, dict[str, str]]] = {
    "a topic's name with a space": (SETTINGS, {"input": "a b", "AUTO_CREATE_TOPICS": "true"}),
    "a number out of range": (SETTINGS, {"COMMIT_EVERY": "0"}),
    "SASL without a user": (SETTINGS, {"BROKER_SECURITY_PROTOCOL": "sasl_ssl"}),
    "a consumer group that is not ASCII": (SETTINGS, {"Quix__Consumer_Group": "anmeldungen-täglich"}),
    "no input topic": (START, {"input": "absent"}),
    "no output topic": (START, {"output": "absent"}),
    "a compacted output topic": (START, {"output": "compacted"}),
    "an output topic that is compacted and deleted": (START, {"output": "partly-compacted"}),
    "a dead-letter topic that is the output topic": (SETTINGS, {"output": "kept", "dead_letter": "kept"}),
    "no dead-letter topic": (START, {"output": "kept", "dead_letter": "absent"}),
    "a compacted dead-letter topic": (START, {"output": "kept", "dead_letter": "compacted"}),
    "a dead-letter topic that takes only small records": (START, {"output": "kept", "dead_letter": "small-records"}),
    "no committed offset, and AUTO_OFFSET_RESET=error": (START, {"AUTO_OFFSET_RESET": "error", "output": "kept"}),
}
"""By situation, the section of docs/errors.md and the settings. Each ends in 78."""


def create_topics(kafka: Kafka) -> None:
    """Create the topics of the settings, unless they exist."""
    policies = {"there": "delete", "kept": "delete", "compacted": "compact", "partly-compacted": "compact,delete"}
    for name, policy in policies.items():
        if not kafka.partitions(name):
            kafka.create_topic(name, config={"cleanup.policy": policy})
    if not kafka.partitions("small-records"):
        kafka.create_topic("small-records", config={"max.message.bytes": "4095"})
