"""A terminal for standard output."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest


def on_terminal(show: Callable[[], object], monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What a function writes to a terminal, with colours, unless the environment says otherwise."""
    ours, terminal = os.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stdout, monkeypatch.context() as patch:
        patch.delenv("NO_COLOR", raising=False)
        for name, value in {"TERM": "xterm", **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", stdout)
        show()
    text = b""
    with suppress(OSError):  # its end: on Linux an error
        while part := os.read(ours, 1 << 16):
            text += part
    os.close(ours)
    return text.decode().replace("\r\n", "\n")
