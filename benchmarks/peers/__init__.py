"""The peers: name, how it is started, and what its output is compared with."""

import sys
from dataclasses import dataclass

OURS, OURS_AT_LEAST_ONCE = "ours, exactly-once", "ours, at-least-once"
STOCK, STOCK_AT_LEAST_ONCE = "stock Quix, exactly-once", "stock Quix, at-least-once"
STOCK_LOOP = "our map in stock Quix's loop, exactly-once"
ORIGINAL, BARE = "the original script", "bare confluent-kafka loop"
AIOKAFKA, BYTEWAX = "aiokafka", "bytewax"


def python(module: str) -> tuple[str, ...]:
    """Return the command that runs a Python module."""
    return (sys.executable, "-m", module)


PIPELINE = python("pipeline")


@dataclass(frozen=True)
class Peer:
    """One program that maps the input topic to the output topic.

    Its command is run with the arguments `address source target group`, followed by its guarantee, if any; `PIPELINE`
    gets all this from the environment.
    """

    name: str
    command: tuple[str, ...]
    guarantee: str | None = None
    exact: bool = False
    """Whether its output must equal our transforms' output byte for byte. Otherwise it must be the same JSON."""
    records_per_second: int = 50_000
    """Its approximate rate, which decides how many records it gets."""
    extra: str | None = None
    """The package that it needs beyond the project's own."""
    variables: tuple[tuple[str, str], ...] = ()
    """Further variables of its environment."""


# Peers that are compared most are neighbours, so that little time passes between their runs.
_PEERS = (
    Peer(STOCK, python("benchmarks.peers.stock_quix"), "exactly-once"),
    Peer(ORIGINAL, python("benchmarks.peers.original_script"), records_per_second=35_000),
    Peer(BARE, python("benchmarks.peers.bare_loop"), records_per_second=350_000),
    Peer(OURS, PIPELINE, "exactly-once", exact=True, records_per_second=250_000),
    Peer(OURS_AT_LEAST_ONCE, PIPELINE, "at-least-once", exact=True, records_per_second=250_000),
    Peer(STOCK_AT_LEAST_ONCE, python("benchmarks.peers.stock_quix"), "at-least-once"),
    Peer(STOCK_LOOP, python("benchmarks.peers.stock_loop"), "exactly-once", exact=True),
    Peer(AIOKAFKA, python("benchmarks.peers.aiokafka_loop"), extra="aiokafka"),
    Peer(BYTEWAX, python("benchmarks.peers.bytewax_flow"), records_per_second=100_000, extra="bytewax"),
)
PEERS = {peer.name: peer for peer in _PEERS}
