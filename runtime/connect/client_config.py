"""The configuration of consumer and producer: limits of memory, session and transaction."""

import os
import socket
import uuid
from collections.abc import Sequence

from runtime import limits
from runtime.connect.topic_facts import TopicFacts
from runtime.settings import Settings

CLIENT_ID = f"{socket.gethostname()}-{os.getpid()}"
"""The consumer's `client.id`: the description of a group shows it."""

PRODUCER_QUEUE = 16_384  # KiB: limits the memory while the broker is slow
CONSUMER = {
    "fetch.queue.backoff.ms": 5,  # with the default of 1000, a full queue pauses for a second
    "queued.max.messages.kbytes": 16_384,  # limits the memory of a backlog, without keys and headers
    "queued.min.messages": 20_000,  # limits it if keys and headers are long
    # librdkafka decompresses a response as a whole, possibly to a hundred times its size. A response has at most 128
    # KiB for all partitions and 96 KiB for each, or one batch if that is larger. A limit of 64 KiB would cost 0.2 us
    # more per record if producers send small batches.
    "fetch.max.bytes": 131_072,
    "fetch.message.max.bytes": 98_304,
    "message.max.bytes": 131_072,  # fetch.max.bytes must not be smaller; a consumer does not use it otherwise
    "heartbeat.interval.ms": 1_000,  # delay until a worker learns of a rebalance
    "topic.metadata.refresh.interval.ms": 30_000,  # delay until a new partition is read; the default is five minutes
    "max.poll.interval.ms": int(limits.POLL_TIMEOUT * 1000),  # Quix also uses it as the timeout of a flush
}
PRODUCER = {
    "compression.type": "lz4",
    "enable.idempotence": True,  # also with at-least-once: retries must not change the order
    # If the group's coordinator dies during a commit, librdkafka looks for the next one only when some connection opens
    # or closes (librdkafka issue 5511). So idle connections are closed.
    "connections.max.idle.ms": 5_000,
    "retry.backoff.ms": int(limits.RETRY_BACKOFF * 1000),
}
_EXACTLY_ONCE = {
    # An idempotent producer has only one batch of a partition in flight (rdkafka_broker.c compares IDEMP_MAX_INFLIGHT
    # with records). Until the answer, its thread uses a whole core if the oldest record has waited for longer than
    # this. No reader waits for it: a full batch is sent at once, and a commit sends all.
    "linger.ms": 500,
}
_LARGE_BATCH, _SMALL_BATCH = 1_000_000, 16_384  # bytes


def consumer_config(settings: Settings) -> dict[str, object]:
    """Give the consumer's configuration. With an INSTANCE_ID, a restarted worker resumes its partitions at once."""
    session = settings.commit_interval + limits.SESSION_TIMEOUT
    static_member = {"group.instance.id": settings.instance_id} if settings.instance_id else {}
    return {"client.id": CLIENT_ID, "session.timeout.ms": int(session * 1000), **CONSUMER, **static_member}


def producer_config(settings: Settings) -> dict[str, object]:
    """Give the producer's configuration. The transactional id begins with the group's name, for prefix access rules.

    It is unique to the worker: an INSTANCE_ID contains no colon, so ids of different groups differ, too.
    """
    commit_timeout = limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID if settings.instance_id else limits.COMMIT_TIMEOUT
    linger = _EXACTLY_ONCE if settings.processing_guarantee == "exactly-once" else {}
    return {
        **linger,
        **PRODUCER,
        "transactional.id": f"{settings.consumer_group}:{settings.instance_id or uuid.uuid4()}",
        "transaction.timeout.ms": int((settings.commit_interval + commit_timeout) * 1000),
    }


def topic_config(topics: Sequence[TopicFacts]) -> dict[str, object]:
    """The producer's, as far as it follows from what the topics take that it writes to.

    A batch fits each of them. One record may be larger: whether its topic takes it is checked before. If the queue is
    full, some partition has a whole batch, so it is sent at once.
    """
    limits_of_topics = [topic.max_message_bytes for topic in topics]
    largest = max(limits_of_topics)
    # one record has to have room, however large it may be
    queue = max(PRODUCER_QUEUE, min(2 * largest // 1024, 2_147_483_647))
    share = queue * 1024 // sum(topic.partitions for topic in topics)
    return {
        "message.max.bytes": max(1_000, min(largest, 1_000_000_000)),  # librdkafka's range
        "queue.buffering.max.kbytes": queue,
        "batch.size": min(*limits_of_topics, max(_SMALL_BATCH, min(share, _LARGE_BATCH))),
        "delivery.report.only.error": True,
    }
