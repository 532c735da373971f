"""The figures of all runs, stored in results.json, and the medians and ratios over the rounds."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any, Self

from benchmarks.measure import Figures


class Experiment(StrEnum):
    """The experiments, by their names in results.json."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"
    MALFORMED = "malformed"
    SIZES = "sizes"
    WORKERS = "workers"
    LONG = "long"
    START = "start"
    IDLE = "idle"
    ENGINES = "engines"
    ENGINES_LATENCY = "engines-latency"


@dataclass(frozen=True)
class RunResult:
    """One run: which experiment, which peer, at which setting (a size, a rate, ...), in which round."""

    experiment: str
    peer: str
    setting: str
    round: int
    figures: Figures


@dataclass
class Results:
    """All runs of one benchmark."""

    about: dict[str, str] = field(default_factory=dict)
    rows: list[RunResult] = field(default_factory=list)
    long_rates: list[int] = field(default_factory=list)
    """Records in each second of the long run."""
    long_memory: list[float] = field(default_factory=list)
    """MB at each second of the long run."""

    def add(self, experiment: str, peer: str, setting: object, round_: int, figures: Figures) -> None:
        """Add a run and print it."""
        self.rows.append(RunResult(experiment, peer, str(setting), round_, figures))
        shown = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
        print(f"{experiment:10} {peer:40} {setting:>10} round {round_}: {shown}", flush=True)

    def median(self, experiment: str, peer: str, figure: str, setting: object = "") -> float | None:
        """The figure's median over the rounds, or None if it was not measured."""
        found = [row.figures[figure] for row in self._select(experiment, peer, setting)]
        return median(found) if found else None

    def ratio(
        self, experiment: str, figure: str, one: str, other: str, settings: tuple[object, object] = ("", "")
    ) -> float | None:
        """The median of one peer's figure over another's, each pair from the same round, each peer at its setting."""
        others = {row.round: row.figures[figure] for row in self._select(experiment, other, settings[1])}
        found = [
            row.figures[figure] / others[row.round]
            for row in self._select(experiment, one, settings[0])
            if row.round in others
        ]
        return median(found) if found else None

    def peers(self, experiment: str) -> list[str]:
        """The peers, in the order of the runs."""
        return list(dict.fromkeys(row.peer for row in self.rows if row.experiment == experiment))

    def settings(self, experiment: str) -> list[str]:
        """The settings tried, in the order of the runs."""
        return list(dict.fromkeys(row.setting for row in self.rows if row.experiment == experiment))

    def write(self, path: Path) -> None:
        """Write it all as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        found: dict[str, Any] = json.loads(path.read_text())
        return cls(**{**found, "rows": [RunResult(**row) for row in found["rows"]]})

    def _select(self, experiment: str, peer: str, setting: object) -> Iterable[RunResult]:
        wanted = (experiment, peer, str(setting))
        return (row for row in self.rows if (row.experiment, row.peer, row.setting) == wanted)
