"""Runs `pipeline.py` with one planted bug, to test the checks: `python -m faults.planted`.

PLANT is the bug: `early` commits before the flush, which takes half a second longer; `drop`, `double`, `swap` and
`byte` change record number PLANT_AT of those that this worker produces.
"""

import os
import sys
from typing import Any

from confluent_kafka import Producer

import pipeline
from runtime.connect import client_config as clients
from runtime.loop import producer_renewal
from runtime.stop.signals import stop_request

PLANT = os.environ.get("PLANT", "")
PLANT_AT = int(os.environ.get("PLANT_AT", "0"))

_LINGER = 500  # milliseconds


class Faulty(Producer):  # type: ignore[misc]
    """A producer with the bug."""

    _produced = 0
    _held: tuple[Any, ...] | None = None

    def produce(self, topic: str, value: bytes | None = None, *rest: Any) -> None:  # noqa: ANN401  (as the original's)
        """Produce, except for the one record."""
        self._produced += 1
        record = (topic, value, *rest)
        if self._produced == PLANT_AT:
            self._produce_wrongly(record)
            return
        super().produce(*record)
        if self._held and self._held[3] == record[3]:  # the next one of the same partition
            super().produce(*self._held)
            self._held = None

    def _produce_wrongly(self, record: tuple[Any, ...]) -> None:
        topic, value, *rest = record
        if PLANT == "double":
            super().produce(*record)
            super().produce(*record)
        elif PLANT == "byte":
            changed = value[:-1] + b" " if value else b" "
            super().produce(topic, changed, *rest)
        elif PLANT == "swap":
            self._held = record

    def flush(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401  (as the original's)
        """Return at once if the bug is to commit too early."""
        return 0 if PLANT == "early" else int(super().flush(*arguments, **named))


def main() -> int:
    """Run the pipeline with the bug."""
    stop_request.listen()
    producer_renewal.Producer = Faulty  # type: ignore[attr-defined]
    if PLANT == "early":
        clients.PRODUCER["linger.ms"] = _LINGER
    return pipeline.main()


if __name__ == "__main__":
    sys.exit(main())
