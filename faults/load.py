"""Sends the load to the input topic, as a separate process: `python -m faults.load`.

On SIGTERM, or after COUNT records, it waits for the delivery of all records and prints one line of JSON,
{"sent": {partition: records}}. If a record is refused, its exit code is 1.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from faults.hostile import hostile
from faults.records import TRACED, Sent, record

_CATCH_UP = 0.5  # seconds: after a longer delay, the records of the rest are not sent
CLIENT = "faults-load"
_PRODUCER = {
    "client.id": CLIENT,
    "enable.idempotence": True,
    "delivery.timeout.ms": 1_800_000,
    "compression.type": "lz4",
    "linger.ms": 5,
    "reconnect.backoff.max.ms": 1000,
    "log_level": 0,
}

_KINDS: dict[str, Callable[[int, int, int, int], Sent]] = {
    "logins": record,
    "noisy": partial(record, noisy=True),
    "hostile": hostile,
}


class LoadSender:
    """Sends records with rising numbers to the partitions in turn."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.sent = dict(zip(arguments.partitions, arguments.first, strict=True))
        self.error: KafkaError | None = None
        self._arguments = arguments
        self._record = _KINDS[arguments.kind]
        self._stopped = False
        self._producer = Producer({**_PRODUCER, "bootstrap.servers": arguments.address, "on_delivery": self._note})
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Send until COUNT is reached, SIGTERM arrives or a record is refused, then wait for delivery."""
        parent = os.getppid()
        done, count, rate = 0, self._arguments.count, self._arguments.rate
        begin = time.monotonic()
        while not self._ended(parent) and (not count or done < count):
            allowed = int((time.monotonic() - begin) * rate) if rate else done + 1000
            if allowed - done > _CATCH_UP * rate > 0:
                begin += (allowed - done) / rate - _CATCH_UP
                allowed = done + int(_CATCH_UP * rate)
            for index in range(done, min(allowed, count) if count else allowed):
                self._send(self._arguments.partitions[index % len(self._arguments.partitions)])
                done += 1
            self._producer.poll(0)
            time.sleep(self._arguments.every if rate else 0)
        while self._producer.flush(1.0) and not self.error:
            pass

    def _send(self, partition: int) -> None:
        sent = self._record(self._arguments.seed, partition, self.sent[partition], self._arguments.pad)
        headers = [("trace", b"%d" % partition)] if self.sent[partition] % TRACED == 0 else None
        while True:
            try:
                self._producer.produce(self._arguments.topic, sent.value, sent.key, partition, headers=headers)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent[partition] += 1

    def _ended(self, parent: int) -> bool:
        return self._stopped or self.error is not None or os.getppid() != parent

    def _note(self, error: KafkaError | None, _message: Message) -> None:
        self.error = self.error or error

    def _stop(self, *_: object) -> None:
        self._stopped = True


def main() -> int:
    """Send, and print what was sent."""
    parser = argparse.ArgumentParser(prog="python -m faults.load", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, nargs="+", required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="records per second; 0 for as fast as possible")
    parser.add_argument("--every", type=float, default=0.01, help="seconds between two bursts")
    parser.add_argument("--count", type=int, default=0, help="0 for no end")
    parser.add_argument("--kind", choices=_KINDS, default="logins")
    parser.add_argument(
        "--pad", type=int, default=0, help="bytes of padding in each login; noisy padding does not compress"
    )
    parser.add_argument("--first", type=int, nargs="+", required=True, help="each partition's first number")
    parser.add_argument("--seed", type=int, required=True)
    load = LoadSender(parser.parse_args())
    load.run()
    print(json.dumps({"sent": load.sent, "error": str(load.error) if load.error else None}), flush=True)
    return 1 if load.error else 0


if __name__ == "__main__":
    sys.exit(main())
