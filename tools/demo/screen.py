"""Shows the demo's figures: live on a terminal, otherwise one plain line per second."""

import os
import sys
import time
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from runtime.observe.output import say, writing
from tools.demo.view import Snapshot, plain, screen

TICK = 0.2
"""Seconds between two views on a terminal."""


class Screen:
    """The live view on a terminal, otherwise one plain line per second."""

    def __init__(self) -> None:
        self._console = Console(force_terminal=True)
        self.is_live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._live = Live(console=self._console, screen=True, auto_refresh=False) if self.is_live else None
        self._due = 0.0
        self._shown = Snapshot()

    def show(self, snapshot: Snapshot) -> None:
        """Show these figures, unless the last ones are very recent and of the same state."""
        last, self._shown = self._shown, snapshot
        if self._live:
            if time.monotonic() >= self._due or snapshot.state != last.state:
                self._due = time.monotonic() + TICK
                with writing():
                    self._live.update(self._view(), refresh=True)
        elif (snapshot.state, int(snapshot.seconds)) != (last.state, int(last.seconds)):
            say(plain(snapshot))

    def __enter__(self) -> Self:
        if self._live:
            with writing():
                self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            with writing():
                self._live.stop()
                self._console.print(self._view())  # the live screen is cleared at its end

    def _view(self) -> RenderableType:
        return screen(self._shown, *self._console.size)
