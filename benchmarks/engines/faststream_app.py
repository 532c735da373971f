"""FastStream as its documentation shows batches: a function over lists of dicts, 1,000 records at once."""

import asyncio
import sys
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker


async def upper(logins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Upper-case `device_type` if there is one."""
    for login in logins:
        if "device_type" in login:
            login["device_type"] = login["device_type"].upper()
    return logins


def app(address: str, source: str, target: str, group: str) -> Any:  # noqa: ANN401  (FastStream is not always installed)
    """Connect the function to the topics."""
    broker = KafkaBroker(address, compression_type="lz4", max_batch_size=1_000_000, logger=None)
    publish = broker.publisher(target, batch=True)
    subscribe = broker.subscriber(source, group_id=group, auto_offset_reset="earliest", batch=True, max_records=1000)
    subscribe(publish(upper))
    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(app(*sys.argv[1:]).run())  # it stops on SIGTERM
