"""The maps from an input value to an output value: pure functions of bytes, importable without Kafka."""

from transforms.chain import Transform, chain
from transforms.login import upper_device_type
from transforms.malformed import Malformed, Reason, original, refused_timestamp, too_large
from transforms.syntax import NESTING_LIMIT

__all__ = [
    "NESTING_LIMIT",
    "Malformed",
    "Reason",
    "Transform",
    "chain",
    "original",
    "refused_timestamp",
    "too_large",
    "upper_device_type",
]
