"""Who is compared: the name of each peer, how it is started, and what its output must be held against."""

from dataclasses import dataclass

OURS, OURS_AT_LEAST_ONCE = "ours, exactly-once", "ours, at-least-once"
STOCK, STOCK_AT_LEAST_ONCE = "stock Quix, exactly-once", "stock Quix, at-least-once"
STOCK_LOOP = "our map in stock Quix's loop, exactly-once"
ORIGINAL, BARE = "the original script", "bare confluent-kafka loop"
AIOKAFKA, BYTEWAX = "aiokafka", "bytewax"


@dataclass(frozen=True)
class Peer:
    """One program that maps the input topic to the output topic.

    Its module is run as `python -m module address source target group`, with the guarantee behind that for those that
    have one; the module `pipeline` takes all this from the environment, as its users give it.
    """

    name: str
    module: str
    guarantee: str | None = None
    exact: bool = False
    """Whether its output must equal that of our map byte for byte, or else be the same JSON."""
    records_per_second: int = 50_000
    """About what it does, for choosing how many records it gets."""
    extra: str | None = None
    """The package that it needs beyond the project's own."""


# Those that are compared most stand side by side, so that little time lies between their runs.
_PEERS = (
    Peer(STOCK, "benchmarks.peers.stock_quix", "exactly-once"),
    Peer(ORIGINAL, "benchmarks.peers.original_script", records_per_second=35_000),
    Peer(BARE, "benchmarks.peers.bare_loop", records_per_second=350_000),
    Peer(OURS, "pipeline", "exactly-once", exact=True, records_per_second=250_000),
    Peer(OURS_AT_LEAST_ONCE, "pipeline", "at-least-once", exact=True, records_per_second=250_000),
    Peer(STOCK_AT_LEAST_ONCE, "benchmarks.peers.stock_quix", "at-least-once"),
    Peer(STOCK_LOOP, "benchmarks.peers.stock_loop", "exactly-once", exact=True),
    Peer(AIOKAFKA, "benchmarks.peers.aiokafka_loop", extra="aiokafka"),
    Peer(BYTEWAX, "benchmarks.peers.bytewax_flow", records_per_second=100_000, extra="bytewax"),
)
PEERS = {peer.name: peer for peer in _PEERS}
