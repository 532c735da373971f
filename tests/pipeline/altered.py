"""Changes a topic's settings while it is in use."""

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.kafka import TIMEOUT


def alter_topic(address: str, topic: str, name: str, value: str) -> None:
    """Change one setting of a topic."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET))
    admin = AdminClient({"bootstrap.servers": address})
    admin.incremental_alter_configs([resource])[resource].result(TIMEOUT)
