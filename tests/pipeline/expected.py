"""The output record that the contract requires for an input record."""

from dataclasses import replace

from pipeline import TRANSFORMS
from tests.kafka import Record
from transforms import FirstTransform, Malformed, chain

_transform = chain(*TRANSFORMS)


def expected(record: Record, transform: FirstTransform = _transform) -> Record:
    """The output record, if it fits into the topic: the map's value, no forged tag, the tag as last header."""
    result = transform(record.value)
    headers = [header for header in record.headers if header[0] != "malformed"]
    if not isinstance(result, Malformed):
        return replace(record, value=result, headers=headers)
    return replace(record, value=result.value, headers=[*headers, ("malformed", result.reason.encode())])
