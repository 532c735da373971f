"""The demo's workers: processes of the pipeline in one consumer group, which are added and killed."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, MemberDescription

from tools.demo.child import Child
from tools.demo.view import WorkerView


class Workers:
    """The workers. A killed one has a successor with the same INSTANCE_ID, which resumes its partitions at once.

    Args:
        launch: starts a worker with this number and this INSTANCE_ID.
    """

    def __init__(self, launch: Callable[[int, str], Child]) -> None:
        self.kills = 0
        self.event = ""
        self._launch = launch
        self._running: dict[int, Child] = {}  # by number; the one that has run longest is first
        self._ids: dict[int, str] = {}
        self._former_ids: dict[int, str | None] = {}
        self._killed: dict[int, float] = {}  # when, until the successor has joined

    def __len__(self) -> int:
        return len(self._running)

    def add(self) -> None:
        """Start one more."""
        self._start(len(self._running) + 1)

    def kill(self) -> None:
        """Kill the one that has run longest, with SIGKILL, and start its successor."""
        number = next(iter(self._running))
        self._running.pop(number).end()
        self.kills += 1
        self.event = f"worker {number} killed (SIGKILL)"
        self._killed[number] = time.monotonic()
        self._start(number)

    def stop(self) -> None:
        """Stop all."""
        for child in self._running.values():
            child.terminate()
        for child in self._running.values():
            child.stop()

    def view(self, members: Mapping[str, MemberDescription]) -> list[WorkerView]:
        """All of them, by number, with their partitions; `members` of the consumer group, by INSTANCE_ID."""
        return [self._worker(number, members.get(_instance(number))) for number in sorted(self._running)]

    def _worker(self, number: int, member: MemberDescription | None) -> WorkerView:
        pid = self._running[number].pid
        if member is None or member.member_id == self._former_ids[number]:  # each process gets a new id
            return WorkerView(number, pid, None)
        self._ids[number] = member.member_id
        partitions = sorted(place.partition for place in member.assignment.topic_partitions)
        if partitions and (killed := self._killed.pop(number, 0.0)):
            self.event = f"worker {number} was back after {time.monotonic() - killed:.1f} s"
        return WorkerView(number, pid, partitions)

    def _start(self, number: int) -> None:
        self._former_ids[number] = self._ids.get(number)
        self._running[number] = self._launch(number, _instance(number))


def _instance(number: int) -> str:
    return f"worker-{number}"


class Group:
    """A consumer group; the broker is asked for its members again and again, without waiting."""

    def __init__(self, admin: AdminClient, name: str) -> None:
        self._admin = admin
        self._name = name
        self._answer: Future[ConsumerGroupDescription] | None = None
        self._members: dict[str, MemberDescription] = {}

    def members(self) -> Mapping[str, MemberDescription]:
        """The members by INSTANCE_ID, as the broker answered last."""
        if self._answer is None or self._answer.done():
            with suppress(KafkaException):  # it is busy, or has stopped
                found = self._answer.result().members if self._answer else []
                self._members = {member.group_instance_id: member for member in found}
            self._answer = self._admin.describe_consumer_groups([self._name])[self._name]
        return self._members
