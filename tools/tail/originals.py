"""Finds the input value of an output record: in its tag, otherwise in the input topic."""

from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from confluent_kafka import KafkaException
from loguru import logger

from pipeline import TRANSFORMS
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import PipelineError
from tools.tail.records import TopicReader, TopicRecord
from tools.verify.topics import Topics
from transforms import chain, original

_NEAR = 1_000  # offsets from the first input of the same time
_MEMORY = 8_388_608  # bytes
_Inputs = dict[tuple[bytes | None, int, object], bytes | None]
"""Values by key, timestamp, and what the transforms make of them."""


class InputValue(NamedTuple):
    """A value of the input. None is a null value."""

    value: bytes | None


class Originals:
    """Finds input values. Those of logins are found by key, time and what the transforms make of the value.

    Args:
        topics: open topics.
        name: the input topic's name in the settings.
        is_required: whether it is an error if the input topic cannot be read.
    """

    def __init__(self, topics: Topics, name: str, *, is_required: bool) -> None:
        self._topics, self._name, self._is_required = topics, name, is_required
        self._is_readable = True
        self._transform = chain(*TRANSFORMS)
        self._ranges: dict[int, tuple[int, int]] = {}
        self._inputs: dict[int, _Inputs] = defaultdict(dict)

    def find(self, record: TopicRecord) -> InputValue | None:
        """Return the input value of an output record, or None if it cannot be found."""
        try:
            if record.tag is not None:
                return InputValue(original(record.value))
            return self._find(record) if self._is_readable else None
        except ValueError:  # the tag is that of a stub
            return None
        except (PipelineError, KafkaException) as error:
            if self._is_required:
                raise
            logger.info("what the pipeline has changed in logins is not shown: {}", error)
            self._is_readable = False
            return None

    @cached_property
    def _facts(self) -> TopicFacts:
        (facts,) = self._topics.facts(self._name)
        return facts

    @cached_property
    def _reader(self) -> TopicReader:
        return TopicReader(self._topics, self._facts)

    def _find(self, record: TopicRecord) -> InputValue | None:
        wanted, inputs = (record.key, record.timestamp, record.value), self._inputs[record.partition]
        if wanted not in inputs:
            self._read_near(record.partition, record.timestamp, inputs)
        return InputValue(inputs[wanted]) if wanted in inputs else None

    def _read_near(self, number: int, timestamp: int, inputs: _Inputs) -> None:
        """Read the inputs from this time on instead of those that were read before."""
        if number >= self._topics.partitions(self._facts):
            return
        begin = self._topics.from_time(self._facts, number, timestamp)
        if begin is None:
            return
        end = min(begin + _NEAR, self._topics.ends(self._facts, [number])[number])
        if self._ranges.get(number) == (begin, end):
            return
        self._ranges[number] = begin, end
        inputs.clear()
        for record in self._reader.some(number, begin, end, _MEMORY)[0]:
            inputs[record.key, record.timestamp, self._transform(record.value)] = record.value
