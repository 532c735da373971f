"""Asks the pipeline of this container whether it is ready: `python -m runtime.probe`, the image's health check.

Exit codes: 0 if it is, or if HEALTH_PORT is 0 and nobody can be asked; 1 if it is not, with the reason.
"""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

ANSWER_WITHIN = 4.0
"""Seconds; below the health check's own limit, so that its reason is heard."""


def ask(port: int) -> tuple[bool, str]:
    """Whether /ready on this port of 127.0.0.1 says yes, and what it says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status == HTTPStatus.OK, answer.read().decode().strip()
    except (OSError, HTTPException) as error:
        return False, f"no answer on port {port}: {error}"
    finally:
        connection.close()


def main() -> int:
    """Print the answer and give the exit code."""
    port = int(os.environ.get("HEALTH_PORT") or 0)
    is_ready, answer = ask(port) if port else (True, "not checked: HEALTH_PORT is 0")
    sys.stdout.write(f"{answer}\n")
    return 0 if is_ready else 1


if __name__ == "__main__":
    sys.exit(main())
