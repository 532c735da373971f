"""Transforms of a record's value: pure functions of bytes, which need no Kafka."""

from transforms.chain import FirstTransform, Transform, chain
from transforms.login import upper_device_type
from transforms.malformed import Malformed, Reason, original, refused_timestamp, too_large
from transforms.members import replace_member
from transforms.syntax import NESTING_LIMIT

__all__ = [
    "NESTING_LIMIT",
    "FirstTransform",
    "Malformed",
    "Reason",
    "Transform",
    "chain",
    "original",
    "refused_timestamp",
    "replace_member",
    "too_large",
    "upper_device_type",
]
