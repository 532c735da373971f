"""`pipeline.py` with short intervals of health checks and reports, and with ways to get stuck.

Variables, in addition to the pipeline's own:
    STUCK_WHILE: a file; while it exists, the map of a record does not return.
    PAUSED_WHILE: a file; while it exists, the consumer fetches nothing after its first batch.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":
    from runtime.stop.signals import stop_request

    stop_request.listen()  # before the slow imports

from confluent_kafka import Message

import pipeline
from runtime import limits
from runtime.connect import client_config as clients
from runtime.loop import application
from runtime.loop import batches as batching
from transforms import Malformed, upper_device_type

NOWHERE = os.devnull + "/none"
STUCK_WHILE = Path(os.environ.get("STUCK_WHILE", NOWHERE))
PAUSED_WHILE = Path(os.environ.get("PAUSED_WHILE", NOWHERE))


def stuck(value: bytes | None) -> bytes | Malformed:
    """Wait while STUCK_WHILE exists, then map the record."""
    while STUCK_WHILE.exists():
        time.sleep(0.01)
    return upper_device_type(value)


class PausedBatches(batching.Batches):
    """Batches that stop while PAUSED_WHILE exists."""

    def take(self) -> list[Message]:
        """Take the messages that have arrived, and pause or resume the consumer."""
        messages = super().take()
        if PAUSED_WHILE.exists():
            if messages:
                self._consumer.pause(self._consumer.assignment())
        else:
            self._consumer.resume(self._consumer.assignment())
        return messages


def main() -> int:
    """Run the pipeline with these changes."""
    pipeline.TRANSFORMS = (stuck, *pipeline.TRANSFORMS[1:])
    application.Batches = PausedBatches  # type: ignore[attr-defined]
    clients.CONSUMER |= {"queued.max.messages.kbytes": 100, "fetch.message.max.bytes": 10_000}
    limits.READY_TIMEOUT, limits.LIVE_TIMEOUT = 5.0, 10.0  # a busy machine may delay the loop for seconds
    limits.STALLED_AFTER, limits.BROKER_SILENT_AFTER, limits.REPORT_INTERVAL = 2.0, 4.0, 1.0
    return pipeline.main()


if __name__ == "__main__":
    sys.exit(main())
