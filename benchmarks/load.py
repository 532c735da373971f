"""Makes the benchmark's input: logins of a given size, with a given malformed share, the same for every peer."""

import json
import time
from itertools import islice
from random import Random
from string import ascii_letters

from tools.generator.logins import WELL_FORMED, GeneratedRecord, records

SIZE = 230
"""Bytes of a typical login, as written by Python's `json.dumps`."""

Value = bytes | None
_USER_AGENT = len('"ua": "", ')
_POOL_BYTES = 5_000_000


def pool(size: int = SIZE, without_device_type: float = 0.025, malformed: float = 0.0) -> list[GeneratedRecord]:
    """Make the records that an input topic repeats.

    Args:
        size: bytes of each well-formed value; at least 100.
        without_device_type: the share without `device_type`: the kind of malformed login that every peer survives.
        malformed: the share that is malformed in any of the ways of `tools.generator.logins`.
    """
    random = Random(1)
    found = [login for login in islice(records(1, 0, time.time), 10_000) if login.reason == WELL_FORMED]
    found = found[: max(100, min(len(found), _POOL_BYTES // size))]
    wrong = (record for record in records(2, 1.0, time.time) if record.reason != WELL_FORMED)
    made: list[GeneratedRecord] = []
    for login in found:
        value = _sized(json.loads(login.value or b""), size, random)
        if random.random() < malformed:
            made.append(next(wrong))
        elif random.random() < without_device_type:
            del value["device_type"]
            made.append(GeneratedRecord(login.key, json.dumps(value).encode(), "missing_device_type"))
        else:
            made.append(GeneratedRecord(login.key, json.dumps(value).encode(), WELL_FORMED))
    return made


def _sized(login: dict[str, object], size: int, random: Random) -> dict[str, object]:
    """Bring the login to `size` bytes with a user agent, or by leaving members out first."""
    device_type = login.pop("device_type")
    if size < SIZE:
        login = {"user_id": login["user_id"]}
    missing = size - _USER_AGENT - len(json.dumps({**login, "device_type": device_type}))
    return {**login, "ua": "".join(random.choices(ascii_letters, k=missing)), "device_type": device_type}
