"""Finds the worker that has taken this one's place in the consumer group, because it has the same INSTANCE_ID.

Kafka gives the place to the one that joined last. A killed worker that is started again resumes at once this way, but
two running workers that a supervisor restarts would take it from each other without end. So the replaced one waits, and
if the other one is found, its exit code says that a restart does not help.

The description of the group keeps the host and the client id of the worker that joined first. So a worker with an
INSTANCE_ID writes its client id into the metadata of the offsets that it commits.
"""

import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import MemberDescription
from loguru import logger

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.client_config import CLIENT_ID
from runtime.errors import Failed, Misconfigured, PipelineError
from runtime.stop.signals import stop_request

_PAUSE = 0.5  # seconds between two requests
_TIMEOUT = limits.GROUP_REQUEST_TIMEOUT

_MARK = re.compile(r"instance:(\S+) client:(\S+) ")


class Replacement:
    """The worker that has this one's INSTANCE_ID and joined later, if there is one.

    Args:
        broker: is asked.
        group: the consumer group.
        topic: the input topic.
        instance_id: this worker's INSTANCE_ID; without one, no worker replaces it.
        committed: gives this worker's last commit: by topic and partition, the next offset.
    """

    def __init__(
        self,
        broker: BrokerAdmin,
        group: str,
        topic: str,
        instance_id: str | None,
        committed: Callable[[], Mapping[tuple[str, int], int]],
    ) -> None:
        self._broker = broker
        self._group = group
        self._topic = topic
        self.instance_id = instance_id
        self._committed = committed
        self.mark = f"instance:{self.instance_id} client:{CLIENT_ID} " if self.instance_id else ""
        """What the metadata of a commit say about this worker."""
        self.member_id: str | None = None
        """This worker's member id in the group, once it has joined."""

    def explain(self) -> PipelineError | None:
        """Wait for limits.REPLACED_PAUSE, and give the error that names the other worker, or None if there is none.

        Until there is one, it waits for limits.CAUSE_TIMEOUT: a worker gets the transactional id before it joins.
        """
        deadline = time.monotonic() + limits.CAUSE_TIMEOUT
        while not self._is_replaced():
            if time.monotonic() > deadline or stop_request.requested:
                return None
            time.sleep(_PAUSE)
        logger.warning(
            "another worker with the INSTANCE_ID {} has taken this one's place; ending in {:.0f} s, as both may be "
            "restarted and replace each other",
            *(self.instance_id, limits.REPLACED_PAUSE),
        )
        other, deadline = "", time.monotonic() + limits.REPLACED_PAUSE
        while time.monotonic() < deadline and not stop_request.requested:
            other = other or self._last_committer()
            time.sleep(_PAUSE)
        same = f"with the same INSTANCE_ID, {self.instance_id}"
        remedy = "give each worker an INSTANCE_ID of its own, or none"
        if other := other or self._last_committer() or self._first_member():
            return Misconfigured(f"replaced by {other}, {same}: {remedy}")
        return Failed(f"replaced by another worker {same}, which has committed nothing yet; {remedy}")

    def has_joined(self) -> bool:
        """Whether the other worker has joined after this one. It asks the group. No answer counts as no."""
        return bool(self.instance_id and self.member_id) and self._is_replaced()

    def _is_replaced(self) -> bool:
        """Whether the group has another member with this INSTANCE_ID."""
        return any(member.member_id != self.member_id for member in self._members())

    def _last_committer(self) -> str:
        """The worker with this INSTANCE_ID that has committed after this one."""
        with suppress(KafkaException, TimeoutError):
            wanted = [ConsumerGroupTopicPartitions(self._group)]
            (answer,) = self._broker.admin.list_consumer_group_offsets(wanted, request_timeout=_TIMEOUT).values()
            for place in answer.result(limits.CAUSE_TIMEOUT).topic_partitions:
                mark = _MARK.match(place.metadata or "")
                own = self._committed().get((place.topic, place.partition), -1)
                is_later = place.topic == self._topic and place.offset > own
                if mark and is_later and mark[1] == self.instance_id and mark[2] != CLIENT_ID:
                    return f"the worker with the client id {mark[2]} (host name and process id)"
        return ""

    def _first_member(self) -> str:
        """Who joined the group with this INSTANCE_ID first, unless that may be an earlier process of this worker."""
        for member in self._members():
            if member.client_id.rpartition("-")[0] != socket.gethostname():
                host = member.host.lstrip("/")
                return f"a member of the group with the host {host} and the client id {member.client_id}"
        return ""

    def _members(self) -> list[MemberDescription]:
        """The members of the group with this INSTANCE_ID: none, or one."""
        with suppress(KafkaException, TimeoutError):
            (answer,) = self._broker.admin.describe_consumer_groups([self._group], request_timeout=_TIMEOUT).values()
            members = answer.result(limits.CAUSE_TIMEOUT).members
            return [each for each in members if each.group_instance_id == self.instance_id]
        return []
