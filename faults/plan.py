"""What one run of a row is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.broker.node import QUICK_START


@dataclass
class Plan:
    """What a run is asked for."""

    count: int
    """Faults."""
    seed: int
    rate: float = 1000.0
    """Records per second of the load."""
    every: float = 0.01
    """Seconds from one burst of the load to the next: each is a commit, which costs more than its records."""
    pace: float = 1.0
    """The pauses between faults, over the usual ones."""
    audit: bool = True
    """Whether tools.verify runs, too."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The workers' settings beside broker, topics and group."""
    minutes: float = 0.0
    jvm: Sequence[str] = QUICK_START
    """The brokers' options."""
    last: int = 0
    """How many records of each partition tools.verify checks at the end; 0 for all."""
    say: Callable[[str], None] = lambda text: print(text, flush=True)
