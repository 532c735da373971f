"""The options of one run of a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.broker.node import QUICK_START


@dataclass
class Plan:
    """The options of a run."""

    count: int
    """How many faults."""
    seed: int = 0
    rate: float = 1000.0
    """Records per second of the load."""
    every: float = 0.01
    """Seconds between two bursts of the load: a commit costs more than the records of a burst."""
    pace: float = 1.0
    """A factor for the pauses between faults."""
    audit: bool = True
    """Whether tools.verify runs as well."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """More settings of the workers."""
    minutes: float = 0.0
    """The length of row 10, or 0 for the default."""
    jvm: Sequence[str] = QUICK_START
    """The brokers' options."""
    last: int = 0
    """How many records of each partition tools.verify checks at the end, or 0 for all."""
    say: Callable[[str], None] = lambda text: print(text, flush=True)
