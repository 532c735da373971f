"""bytewax: its own Kafka source and sink around a map, with orjson and the bare loop's client settings."""

import signal
import sys
from contextlib import suppress
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main
from confluent_kafka import OFFSET_STORED

from benchmarks.peers.bare_loop import CONSUMER, PRODUCER, upper


def to_sink(message: Any) -> Any:  # noqa: ANN401  (bytewax is not always installed, and so has no types)
    """Map one record."""
    return KafkaSinkMessage(message.key, upper(message.value))


def main(address: str, source: str, target: str, group: str) -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    flow = Dataflow("logins")
    consumer = {**CONSUMER, "group.id": group}
    logins = op.input(
        "source", flow, KafkaSource([address], [source], starting_offset=OFFSET_STORED, add_config=consumer)
    )
    op.output("sink", op.map("map", logins, to_sink), KafkaSink([address], target, add_config=PRODUCER))
    with suppress(KeyboardInterrupt):
        cli_main(flow)


if __name__ == "__main__":
    main(*sys.argv[1:])
