"""Opens the dead-letter topic and the input topic, and asks how far dead letters were sent back."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from runtime.connect.causes import Causes
from runtime.connect.coordinators import GROUPS
from runtime.connect.destroy import destroy
from runtime.errors import Misconfigured
from runtime.settings import Settings
from tools.tail.order import READER
from tools.verify.topics import Topics

_PATIENCE = 30.0  # seconds that a broker may not answer
_GROUPS_AT_ONCE = 4  # each has a client with several threads, and a container may limit their number
_ANSWER_WITHIN = 5.0  # seconds for one answer


class DeadLetterTopics(Topics):
    """The dead-letter topic and the input topic.

    Args:
        settings: those of the pipeline.

    Raises:
        PipelineError: `dead_letter` is not set, no broker answers, or a topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.dead_letter is None:
            raise Misconfigured("dead_letter must name the topic of the dead letters (it is not set)")
        how_to_skip = "move the offsets of the groups <group>-replay-<reason> past it with kafka-consumer-groups"
        super().__init__(settings, _PATIENCE, how_to_skip, **READER)
        self.source, self.dead_letter = self.facts(settings.input, settings.dead_letter)
        self.causes = Causes(self._broker, self.source.name, read=[self.dead_letter.name])

    @property
    def group(self) -> str:
        """The pipeline's consumer group. Quix Cloud adds a prefix."""
        return self._app.config.consumer_group

    @property
    def client(self) -> Mapping[str, object]:
        """The settings of a client that connects to the broker."""
        return self._client

    def committed(self, groups: Sequence[str], partitions: Iterable[int]) -> dict[tuple[str, int], TopicPartition]:
        """Return what each group has committed for partitions of the dead-letter topic, even a negative offset.

        What a transaction has committed counts once its end is certain (read_committed).
        """
        wanted = [TopicPartition(self.dead_letter.name, number) for number in partitions]
        with ThreadPoolExecutor(_GROUPS_AT_ONCE) as pool:
            answers = pool.map(partial(self._committed, wanted), groups)
            return {(group, one.partition): one for group, of_it in zip(groups, answers, strict=True) for one in of_it}

    def _committed(self, wanted: list[TopicPartition], group: str) -> list[TopicPartition]:
        # No admin request: if the answer comes after its time-out, librdkafka 2.16.0 aborts the process.
        own = {"group.id": group, "isolation.level": "read_committed", "enable.auto.commit": False, "log_level": 0}
        clients: list[Any] = [Consumer({**self._client, **own})]
        try:
            found = self.ask(partial(_ask, clients[0], wanted), GROUPS)
        finally:
            destroy(clients)
        for place in found:
            if place.error is not None:
                raise KafkaException(place.error)
        return found


def _ask(consumer: Consumer, wanted: list[TopicPartition]) -> list[TopicPartition]:
    try:
        answer: list[TopicPartition] = consumer.committed(wanted, timeout=_ANSWER_WITHIN)
    except KafkaException:
        message = consumer.poll(0)  # says so if a permission on the group is missing
        if message is not None and message.error() is not None:
            raise KafkaException(message.error()) from None
        raise
    return answer
