"""`pipeline.py` with only the transform that PLANT names, a wrong one or the right one, for all its commands."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

if __name__ == "__main__":
    from runtime.stop.signals import stop_request

    stop_request.listen()  # before the slow imports

import pipeline
from transforms import Malformed, Reason, upper_device_type


def removes_a_space(value: bytes | None) -> bytes | Malformed:
    """Remove a space of each login."""
    result = upper_device_type(value)
    return result if isinstance(result, Malformed) else result.replace(b", ", b",", 1)


def leaves_ios(value: bytes | None) -> bytes | Malformed:
    """Leave one device type as it is."""
    result = upper_device_type(value)
    return result.replace(b"IOS", b"iOS") if isinstance(result, bytes) else result


def gives_another_reason(value: bytes | None) -> bytes | Malformed:
    """Take what is not JSON for JSON that is no object."""
    result = upper_device_type(value)
    if isinstance(result, Malformed) and result.reason is Reason.INVALID_JSON:
        return result._replace(reason=Reason.NOT_AN_OBJECT)
    return result


def refuses_ios(value: bytes | None) -> bytes | Malformed:
    """Take a device type for one that is not valid."""
    if value is not None and b'"iOS"' in value:
        return Malformed(Reason.INVALID_DEVICE_TYPE, "device_type is not known", value)
    return upper_device_type(value)


PLANTED = (removes_a_space, leaves_ios, gives_another_reason, refuses_ios)

if __name__ == "__main__":
    (planted,) = (plant for plant in (*PLANTED, upper_device_type) if plant.__name__ == os.environ["PLANT"])
    pipeline.TRANSFORMS = (planted,)
    sys.exit(pipeline.main())
