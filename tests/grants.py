"""The permissions that docs/operations.md lists, and the error if one of them is missing."""

from typing import NamedTuple

from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from tests.process import group_of

TOPIC, GROUP, TRANSACTION = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
EXACT, PREFIX = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED


class Grant(NamedTuple):
    """One permission, and the texts in the pipeline's error if only this permission is missing."""

    kind: ResourceType
    name: str
    operation: AclOperation
    pattern: ResourcePatternType
    texts: list[str]


MINIMAL = {
    "input-Read": Grant(TOPIC, "in", AclOperation.READ, EXACT, ["a permission on a topic", "Read"]),
    "input-DescribeConfigs": Grant(TOPIC, "in", AclOperation.DESCRIBE_CONFIGS, EXACT, ['"in"', "DescribeConfigs"]),
    "output-Write": Grant(TOPIC, "out", AclOperation.WRITE, EXACT, ["a permission on a topic", "Write"]),
    "output-DescribeConfigs": Grant(TOPIC, "out", AclOperation.DESCRIBE_CONFIGS, EXACT, ['"out"', "DescribeConfigs"]),
    "dead-letter-Write": Grant(TOPIC, "dead", AclOperation.WRITE, EXACT, ["a permission on a topic", "`dead_letter`"]),
    "dead-letter-DescribeConfigs": Grant(
        TOPIC, "dead", AclOperation.DESCRIBE_CONFIGS, EXACT, ['"dead"', "DescribeConfigs"]
    ),
    "group-Read": Grant(GROUP, "<group>", AclOperation.READ, EXACT, ["consumer group", "Quix__Consumer_Group"]),
    "transaction-Write": Grant(TRANSACTION, "<group>", AclOperation.WRITE, PREFIX, ["transactional id"]),
}
"""The permissions that docs/operations.md lists, except Describe."""

DESCRIBE = [Grant(TOPIC, name, AclOperation.DESCRIBE, EXACT, []) for name in ("in", "out", "dead")]


def rule(user: str, grant: Grant) -> AclBinding:
    """The access rule that grants the permission to the user."""
    name = grant.name.replace("<group>", group_of(user))
    allow = AclPermissionType.ALLOW
    return AclBinding(grant.kind, name, grant.pattern, f"User:{user}", "*", grant.operation, allow)
