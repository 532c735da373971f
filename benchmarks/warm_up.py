"""Warms a broker up with many small transactions, so that its Java compiles their code before measurements."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from benchmarks.topics import OUTPUT, TIMEOUT, BenchmarkTopics

_AT_ONCE = 10  # at the same time: a transaction mostly waits


def warm_transactions(topics: BenchmarkTopics, count: int) -> None:
    """Commit this many transactions of one record and one offset, as a pipeline at a low rate does."""
    target = topics.create(OUTPUT)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        runs = [threads.submit(_run, topics, target, number, count // _AT_ONCE) for number in range(_AT_ONCE)]
    for run in runs:
        run.result()
    topics.delete(target)


def _run(topics: BenchmarkTopics, target: str, number: int, count: int) -> None:
    """Commit them one by one."""
    name = f"warm-{target}-{number}"
    producer = topics.producer({"transactional.id": name})
    producer.init_transactions(TIMEOUT)
    with closing(Consumer({"bootstrap.servers": topics.address, "group.id": name, "log_level": 0})) as consumer:
        group = consumer.consumer_group_metadata()
        for offset in range(count):
            producer.begin_transaction()
            producer.produce(target, b"warm")
            producer.send_offsets_to_transaction([TopicPartition(target, 0, offset)], group, TIMEOUT)
            producer.commit_transaction(TIMEOUT)
