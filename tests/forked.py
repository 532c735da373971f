"""Starts Python programs within a tenth of a second: tests/fork_server.py forks them."""

import atexit
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from tools.child_process import ChildProcess

SERVER = Path(__file__).with_name("fork_server.py")


class ForkServer:
    """The process that forks. It ends with ours."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptor = theirs.fileno()
            command = [sys.executable, str(SERVER), str(descriptor)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[descriptor], start_new_session=True
            )

    def ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
        """Send a request and return the answer."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        return json.loads(self._socket.recv(1 << 10))

    def close(self) -> None:
        """End it, and its programs."""
        self._socket.close()
        self._process.wait()


@cache
def _server() -> ForkServer:
    """The one server of this process."""
    server = ForkServer()
    atexit.register(server.close)
    return server


_one_at_a_time = threading.Lock()


def ask(request: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
    """Ask the server, which is started for the first request."""
    with _one_at_a_time:
        return _server().ask(request, descriptors)


class ForkedProcess:
    """A program, with what tests use of ChildProcess.

    Args:
        command: a script and its arguments.
        cwd: the folder that it runs in.
        env: all of its environment variables.
        errors: whether its standard error is a stream of its own; otherwise it goes to standard output.
    """

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], errors: bool = False
    ) -> None:
        self.returncode: int
        self.stderr: IO[bytes] | None = None
        self.stdout, out = _pipe()
        if errors:
            self.stderr, err = _pipe()
        else:
            err = os.dup(out)
        self._code: int | None = None
        request = {"start": [str(word) for word in command], "cwd": str(cwd), "env": dict(env)}
        try:
            self.pid: int = ask(request, [out, err])
        finally:
            os.close(out)
            os.close(err)

    def poll(self) -> int | None:
        """The exit code, negative if a signal killed it, or None while it runs."""
        if self._code is None and (code := ask({"poll": self.pid})) is not None:
            self._code = self.returncode = code
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended. Raises TimeoutExpired if it still runs after `timeout` seconds."""
        deadline = time.monotonic() + (timeout or float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked program", timeout or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def end(self) -> int:
        """Kill it if it still runs, and return its exit code."""
        self.send_signal(signal.SIGKILL)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        """What it wrote to standard output and to standard error, once it has ended.

        It is killed if it does not end in time.
        """
        with ThreadPoolExecutor(2) as readers:
            found = [readers.submit(stream.read) if stream else None for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.end()
                raise
        out, err = (each.result() if each else b"" for each in found)
        return out, err


_BEFORE_IMPORTS = {"PYTHONPROFILEIMPORTTIME", "OTEL_TRACES_EXPORTER"}


def start(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], errors: bool = False
) -> ForkedProcess | ChildProcess:
    """Start a Python program: forked on Linux, unless it changes what happens before the imports."""
    if platform.system() == "Linux" and not _BEFORE_IMPORTS & env.keys():
        return ForkedProcess(command, cwd=cwd, env=env, errors=errors)
    stderr = subprocess.PIPE if errors else subprocess.STDOUT
    return ChildProcess([sys.executable, *command], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=stderr)


def _pipe() -> tuple[IO[bytes], int]:
    """The reading end of a new pipe, and the writing end."""
    reader, writer = os.pipe()
    return open(reader, "rb"), writer  # noqa: PTH123  (a descriptor, which the reader closes)
