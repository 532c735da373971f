"""How consumer and producer are set up: bounds on memory, and how long a worker may be silent or a commit take."""

import uuid

from runtime import limits
from runtime.connect.broker import TopicFacts
from runtime.settings import Settings

PRODUCER_QUEUE = 65_536  # KiB: bounds the memory that a slow broker takes
CONSUMER = {
    "fetch.queue.backoff.ms": 5,  # librdkafka's 1000 makes a full queue stop for a second
    "queued.max.messages.kbytes": 16_384,  # bounds the memory that a backlog takes; keys and headers don't count
    "queued.min.messages": 20_000,  # bounds it where those are long
    # One response of a broker is unpacked whole, maybe to a hundred times its size: 128 KiB for all partitions
    # together, 96 KiB of each, or one batch of records if that is larger. With 64 KiB, a record of a producer that
    # sends small batches costs 0.2 us more.
    "fetch.max.bytes": 131_072,
    "fetch.message.max.bytes": 98_304,
    "message.max.bytes": 131_072,  # librdkafka allows no smaller fetch.max.bytes; a consumer has no other use for it
    "heartbeat.interval.ms": 1_000,  # so soon does a worker hear that partitions move
    "topic.metadata.refresh.interval.ms": 30_000,  # so soon is a new partition read; librdkafka's is five minutes
    "max.poll.interval.ms": int(limits.POLL_TIMEOUT * 1000),  # Quix waits as long for a flush
}
PRODUCER = {
    "compression.type": "lz4",
    "enable.idempotence": True,  # also at-least-once: what is sent again must not change the order
    # Where the group's coordinator dies in the middle of a commit, librdkafka looks for its successor only once some
    # connection changes its state (issue 5511 of it): so one that idles is closed.
    "connections.max.idle.ms": 5_000,
    "retry.backoff.ms": int(limits.RETRY_BACKOFF * 1000),
}


def consumer_config(settings: Settings) -> dict[str, object]:
    """The consumer's; as a static member, a worker that starts again has its former self's partitions back at once."""
    session = settings.commit_interval + limits.SESSION_TIMEOUT
    named = {"group.instance.id": settings.instance_id} if settings.instance_id else {}
    return {"session.timeout.ms": int(session * 1000), **CONSUMER, **named}


def producer_config(settings: Settings) -> dict[str, object]:
    """The producer's; its transactional id is its own, and begins with the group's name, for access rules by prefix.

    A colon can't stand in an INSTANCE_ID: so no two workers, of whatever groups, have the same one.
    """
    within = limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID if settings.instance_id else limits.COMMIT_TIMEOUT
    return PRODUCER | {
        "transactional.id": f"{settings.consumer_group}:{settings.instance_id or uuid.uuid4()}",
        "transaction.timeout.ms": int((settings.commit_interval + within) * 1000),
    }


def topic_config(target: TopicFacts) -> dict[str, object]:
    """The producer's, as far as it follows from what the output topic takes."""
    return {
        "message.max.bytes": max(1_000, min(target.max_message_bytes, 1_000_000_000)),  # librdkafka's range
        # one record has to have room, however large it may be
        "queue.buffering.max.kbytes": max(PRODUCER_QUEUE, min(2 * target.max_message_bytes // 1024, 2_147_483_647)),
        "batch.size": min(target.max_message_bytes, 1_000_000),
        "delivery.report.only.error": True,
    }
