"""What dead letters, metrics and OpenTelemetry's instrumentation cost: `python -m benchmarks.options` runs each.

The runs take turns over the same topic, so that each is compared with the others of the same minute. With HTTP_PORT,
/metrics and /status.json are asked for every second. CPU time per record varies less than the rate on a busy machine.
"""

import argparse
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from opentelemetry.instrumentation import auto_instrumentation

from benchmarks.load import pool
from benchmarks.measure import backlog, measure
from benchmarks.peers import OURS, PEERS
from benchmarks.topics import BenchmarkTopics
from tools.broker.embedded import FULL_SPEED, Broker
from tools.broker.ports import free_port

PLAIN, DEAD_LETTERS, SCRAPED = "without", "with dead_letter", "with HTTP_PORT"
INSTRUMENTED = "with opentelemetry-instrument"
_INSTRUMENTATION = {
    "PYTHONPATH": str(Path(auto_instrumentation.__file__).parent),  # as opentelemetry-instrument sets it
    **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
}


@contextmanager
def scraped(port: int) -> Iterator[None]:
    """Ask for the metrics and the status page's data every second while the block runs."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(1.0):
            for path in ("metrics", "status.json"):
                with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                    answer.read()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Print a table of the medians, each as a share of the run without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.options", description=__doc__)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    port = free_port()
    variables = {
        PLAIN: {},
        DEAD_LETTERS: {"dead_letter": "dead-letters", "AUTO_CREATE_TOPICS": "true"},
        SCRAPED: {"HTTP_PORT": str(port)},
        INSTRUMENTED: _INSTRUMENTATION,
    }
    rates, cpu = defaultdict(list), defaultdict(list)
    with Broker(jvm=FULL_SPEED) as broker, scraped(port):
        topics = BenchmarkTopics(broker.address)
        source = backlog(topics, pool(), arguments.records)
        measure(topics, PEERS[OURS], source, source.count)  # warms up
        for _ in range(arguments.rounds):
            for name, given in variables.items():
                peer = replace(PEERS[OURS], variables=tuple(given.items()))
                figures = measure(topics, peer, source, source.count).figures
                rates[name].append(figures["records_per_second"])
                cpu[name].append(figures["cpu_us"])
    print("| pipeline | records/s | share | CPU us per record | share |\n| --- | ---: | ---: | ---: | ---: |")
    for name in variables:
        rate, used = median(rates[name]), median(cpu[name])
        shares = rate / median(rates[PLAIN]), used / median(cpu[PLAIN])
        print(f"| {name} | {rate:,.0f} | {shares[0]:.3f} | {used:.2f} | {shares[1]:.3f} |")


if __name__ == "__main__":
    main()
