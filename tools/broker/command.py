"""`python -m tools.broker [--port 29092]` runs an Apache Kafka until Ctrl-C or SIGTERM."""

import argparse
import signal
import sys
import time
from contextlib import suppress

from runtime.errors import PipelineError
from runtime.observe.output import say
from tools.broker.download import KAFKA_VERSION, relock
from tools.broker.embedded import Broker
from tools.broker.files import BrokerError


def main() -> int:
    """Run a broker until Ctrl-C or SIGTERM, or update `kafka.lock`. Return the exit code, 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.broker", description=f"Runs an Apache Kafka {KAFKA_VERSION} until Ctrl-C."
    )
    parser.add_argument("--port", type=_port, default=29092, metavar="P", help="on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--relock", action="store_true", help="update tools/broker/kafka.lock instead")
    arguments = parser.parse_args()
    try:
        if arguments.relock:
            relock()
        else:
            _run(arguments.port)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(port: int) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), Broker(port) as broker:
        say(f"Apache Kafka {KAFKA_VERSION} at {broker.address}; Ctrl-C stops it")
        while broker.running:
            time.sleep(0.2)
        raise BrokerError("Apache Kafka has exited")


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= len("65535") else 0
    if not 1 <= port <= 65_535:  # noqa: PLR2004  (the range of ports)
        raise argparse.ArgumentTypeError("must be a port from 1 to 65535")
    return port
