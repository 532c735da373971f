"""Measures the peak memory of a worker by partitions: `python -m benchmarks.memory` prints a table.

The records of all partitions appear at once, while the worker waits, so that one response may contain them all.
"""

import argparse

from benchmarks.load import pool
from benchmarks.measure import BacklogSpec, measure_workers
from benchmarks.peers import OURS, PEERS
from benchmarks.topics import BenchmarkTopics
from tools.broker.embedded import FULL_SPEED, Broker
from tools.generator.logins import WELL_FORMED, GeneratedRecord

PARTITIONS = (1, 4, 16, 64, 128)
_MIB = 1.048576  # MB


def loads() -> dict[str, BacklogSpec]:
    """Backlogs by name: records that compress a hundredfold, and typical logins."""
    padded = [b'{"device_type":"ios","n":%d,"padding":"%s"}' % (number, b"x" * 960) for number in range(1_000)]
    return {
        "gzip, 1 kB records": BacklogSpec(
            [GeneratedRecord(b"", value, WELL_FORMED) for value in padded], 400_000, "gzip"
        ),
        "lz4, 200 byte logins": BacklogSpec(pool(200), 600_000),
    }


def main() -> None:
    """Print a table of the peaks, in MiB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--partitions", type=int, nargs="+", default=PARTITIONS)
    partitions = parser.parse_args().partitions
    with Broker(jvm=FULL_SPEED) as broker:
        topics = BenchmarkTopics(broker.address)
        print(f"| partitions | {' | '.join(map(str, partitions))} |\n| --- |{' ---: |' * len(partitions)}")
        for name, load in loads().items():
            print(f"| {name} |", end="", flush=True)
            for number in partitions:
                run = measure_workers(topics, PEERS[OURS], load, (number, 1))
                print(f" {run.figures['peak_mb'] / _MIB:.0f} |", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
