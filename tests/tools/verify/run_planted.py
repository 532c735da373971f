"""`pipeline.py` with the wrong transform that PLANT names; all its commands use that."""

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
    if not isinstance(result, Malformed) or result.reason is not Reason.INVALID_JSON:
        return result
    reason = Reason.NOT_AN_OBJECT
    tagged = (result.value or b"").replace(Reason.INVALID_JSON.encode(), reason.encode(), 1)
    return Malformed(reason, result.detail, tagged)


def cuts_what_is_wrapped(value: bytes | None) -> bytes | Malformed:
    """Remove the last character of a value that the tag contains."""
    result = upper_device_type(value)
    if isinstance(result, Malformed) and (result.value or b"").endswith(b'"}}'):
        return result._replace(value=(result.value or b"").removesuffix(b'"}}')[:-1] + b'"}}')
    return result


PLANTED = (removes_a_space, leaves_ios, gives_another_reason, cuts_what_is_wrapped)

if __name__ == "__main__":
    (planted,) = (plant for plant in PLANTED if plant.__name__ == os.environ["PLANT"])
    pipeline.TRANSFORMS = (planted,)
    sys.exit(pipeline.main())
