"""`pipeline.py` with a second transform, which raises on some logins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":
    from runtime.stop.signals import stop_request

    stop_request.listen()  # before the slow imports

import json

import pipeline
from transforms import upper_device_type


def check_ip(value: bytes) -> bytes:
    """Raise if the login has no ip, or its ip is not a number."""
    int(json.loads(value)["ip"])
    return value


if __name__ == "__main__":
    pipeline.TRANSFORMS = (upper_device_type, check_ip)
    sys.exit(pipeline.main())
