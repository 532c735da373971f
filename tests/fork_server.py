"""Starts Python programs by forking a process that has imported the slow libraries: that saves two seconds of CPU each.

The programs import this project's own modules themselves, and otherwise run as if Python had been started for them.
`python fork_server.py FD` answers each message on the socket FD; each is one request in JSON:

    {"start": [script or "-m", argument, ...], "cwd": folder, "env": variables}, with descriptors for its standard
        output and standard error: the answer is its process id
    {"poll": process id}: the answer is its exit code, or null while it runs

It ends with the socket, and the programs end with it.
"""

import ctypes
import json
import os
import runpy
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings(action="ignore"):
    import cryptography.x509
    import httpx
    import loguru
    import msgspec
    import prometheus_client
    import quixstreams
    import rich.progress
    import waitress

PRELOADED = (cryptography, httpx, loguru, msgspec, prometheus_client, quixstreams, rich, waitress)

_PR_SET_PDEATHSIG = 1


def serve(requests: socket.socket) -> dict[str, Any]:
    """Answer requests, and return only in a process that was forked for a program, with its request."""
    while True:
        text, descriptors, *_ = socket.recv_fds(requests, 1 << 18, 2)
        if not text:
            sys.exit()
        request: dict[str, Any] = json.loads(text)
        if "poll" in request:
            ended, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                for number, descriptor in enumerate(descriptors, 1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return request
            for descriptor in descriptors:
                os.close(descriptor)
        requests.send(json.dumps(answer).encode())


def become(program: list[str], cwd: str, env: dict[str, str]) -> None:
    """Run the program in this process, which ends with the server."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[1:1] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    if program[0] == "-m":
        sys.path[0], sys.argv = cwd, program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0], sys.argv = str(Path(program[0]).absolute().parent), program
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    become(request["start"], request["cwd"], request["env"])
