"""aiokafka: 1,000 records at once, orjson, sends not awaited one by one."""

import asyncio
import signal
import sys
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers.bare_loop import upper


async def run(address: str, source: str, target: str, group: str) -> None:
    """Run until cancelled."""
    consumer = AIOKafkaConsumer(source, bootstrap_servers=address, group_id=group, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(
        bootstrap_servers=address, compression_type="lz4", linger_ms=5, max_batch_size=1_000_000
    )
    async with consumer, producer:
        while True:
            batches = await consumer.getmany(timeout_ms=100, max_records=1000)
            for messages in batches.values():
                for message in messages:
                    await producer.send(target, upper(message.value), message.key)


async def main(*arguments: str) -> None:
    """Run until SIGTERM."""
    task = asyncio.ensure_future(run(*arguments))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
