"""Opens the dead-letter topic and the input topic, and asks how far dead letters were sent back."""

from collections.abc import Iterable, Mapping
from concurrent.futures import wait
from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from runtime.errors import Misconfigured
from runtime.settings import Settings
from tools.tail.order import READER
from tools.verify.reader import ANSWER_WITHIN
from tools.verify.topics import Topics

_PATIENCE = 30.0  # seconds that a broker may not answer


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

    @property
    def client(self) -> Mapping[str, object]:
        """The settings of a client that connects to the broker."""
        return self._client

    def committed(self, groups: Iterable[str], partitions: Iterable[int]) -> dict[tuple[str, int], TopicPartition]:
        """Return what each group has committed for partitions of the dead-letter topic; also a negative offset."""
        wanted = [TopicPartition(self.dead_letter.name, number) for number in partitions]
        return self.ask(partial(self._committed, list(groups), wanted))

    def _committed(self, groups: list[str], wanted: list[TopicPartition]) -> dict[tuple[str, int], TopicPartition]:
        # With require_stable, the broker says if a transaction has pending offsets, for partitions that are named only.
        answers = {
            group: self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, wanted)], require_stable=True, request_timeout=ANSWER_WITHIN
            )[group]
            for group in groups
        }
        wait(answers.values())  # none may arrive after an error: the client may be gone
        found = {
            (group, place.partition): place
            for group, answer in answers.items()
            for place in answer.result().topic_partitions
        }
        for place in found.values():
            if place.error is not None:
                is_pending = place.error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT
                raise KafkaException(KafkaError(place.error.code(), place.error.str(), False, is_pending))  # noqa: FBT003  (positional only)
        return found
