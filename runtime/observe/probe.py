"""The image's health check: asks /ready of the pipeline in this container. It imports little, as it runs every 5 s.

Exit codes: 0 if the pipeline is ready or HTTP_PORT is 0; 1 if it is not ready, with the reason.
"""

import os
import socket
import sys

from runtime import limits


def ask(port: int, host: str = "") -> tuple[bool, str]:
    """Whether /ready on this port, of 127.0.0.1 if no host is given, answers 200, and the body."""
    try:
        with (
            socket.create_connection((host or "127.0.0.1", port), limits.PROBE_TIMEOUT) as connection,
            connection.makefile() as answer,
        ):
            connection.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            head, _, body = answer.read().partition("\n\n")
    except OSError as error:
        return False, f"no answer on port {port}: {error}"
    return " 200 " in head.partition("\n")[0], body.strip()


def main() -> int:
    """Print the answer, and give the exit code."""
    port, host = os.environ.get("HTTP_PORT") or "0", os.environ.get("HTTP_HOST", "")
    if not port.isdecimal():
        is_ready, answer = False, "HTTP_PORT is not a number"
    else:
        is_ready, answer = ask(int(port), host) if int(port) else (True, "not checked: HTTP_PORT is 0")
    sys.stdout.write(f"{answer}\n")
    return 0 if is_ready else 1


if __name__ == "__main__":
    sys.exit(main())
