"""A child process that never outlives the process that started it, on Linux and on macOS."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

# The program replaces the shell and keeps its process id. The subshell kills that id when our end of the pipe closes,
# which the kernel does for us if we are killed. No other process can get the id while the subshell lives, because it
# is also the id of their process group. The subshell holds none of the program's streams: readers see their end.
_GUARDED = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" 3<&-'


class ChildProcess(subprocess.Popen[bytes]):
    """A `subprocess.Popen` in a session of its own, which is killed when our process ends, however it ends.

    Its standard input is empty. A program that does not exist ends with exit code 127.

    Args:
        command: the program and its arguments.
        cwd: the folder that it runs in; ours by default.
        env: all of its environment variables; ours by default.
        stdout: as for `subprocess.Popen`.
        stderr: as for `subprocess.Popen`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdout: IO[bytes] | int | None = None,
        stderr: IO[bytes] | int | None = None,
    ) -> None:
        reader, writer = os.pipe()
        self._writer: int | None = writer
        try:
            super().__init__(
                ["/bin/sh", "-c", _GUARDED, "sh", *command],
                cwd=cwd,
                env=env,
                stdin=reader,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C in a terminal is for us to handle
            )
        except BaseException:
            self._release()
            raise
        finally:
            os.close(reader)

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        code = super().poll()
        if code is not None:
            self._release()
        return code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        code = super().wait(timeout)
        self._release()
        return code

    def end(self) -> int:
        """Kill it if it still runs, and return its exit code."""
        self.kill()
        return self.wait()

    def stop(self, timeout: float) -> int:
        """Send SIGTERM, and kill it if it still runs after `timeout` seconds. Return its exit code."""
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout)
        return self.end()

    def _release(self) -> None:
        """Let the subshell end: there is nothing left to kill."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
