"""The generator's logins: their shape, their shares, and that a seed fixes them."""

import hashlib
import json
import math
import re
import uuid
from collections import Counter
from itertools import islice

import pytest

from tools.generator.logins import (
    LOGIN,
    MALFORMED_KINDS,
    SHARE_WITHOUT_DEVICE_TYPE,
    WELL_FORMED,
    GeneratedRecord,
    records,
)
from transforms import Malformed, Reason, upper_device_type

NOW = 1_720_614_565.9
FIELDS = ["user_id", "app_version", "ip", "locale", "device_id", "timestamp", "device_type"]


def take(count: int, *, seed: int | None = 1, malformed: float = 0.0, now: float = NOW) -> list[GeneratedRecord]:
    """Return the first records of a seed."""
    return list(islice(records(seed, malformed, lambda: now), count))


def verdict(value: bytes | None) -> str:
    """Say what the pipeline's map makes of a value."""
    result = upper_device_type(value)
    return result.reason if isinstance(result, Malformed) else WELL_FORMED


def is_within(found: int, share: float, of: int) -> bool:
    """Whether a count is within five standard deviations of what its share lets expect."""
    return abs(found - share * of) <= 5 * math.sqrt(share * (1 - share) * of)


def is_uuid4(text: str) -> bool:
    """Whether this is a random UUID as Python writes it."""
    parsed = uuid.UUID(text)
    return parsed.version == 4 and parsed.variant == uuid.RFC_4122 and str(parsed) == text


def test_fields() -> None:
    """A login has the original's fields in the original's order, spaced as json.dumps does it, device_type last."""
    for record in take(2000):
        assert record.value is not None
        login = json.loads(record.value)
        assert list(login) == (FIELDS if record.reason == WELL_FORMED else FIELDS[:-1])
        assert json.dumps(login).encode() == record.value


def test_values() -> None:
    """Each field has the type and form that the original's has."""
    for record in take(2000):
        login = json.loads(record.value or b"")
        assert all(is_uuid4(text) for text in (record.key.decode(), login["user_id"], login["device_id"]))
        assert login["app_version"] == "2.3.0"
        octets = [int(octet) for octet in login["ip"].split(".")]
        assert len(octets) == 4
        assert all(0 <= octet <= 255 for octet in octets)
        assert len(login["locale"]) == 2
        assert login["locale"].isalpha()
        assert login["locale"].isupper()
        assert type(login["timestamp"]) is int
        assert login["timestamp"] == int(NOW)
        assert login.get("device_type", "iOS") in ("android", "iOS")


def test_variety() -> None:
    """Every state and octet occurs, no id occurs twice, and both device types are about equally frequent."""
    found = take(20_000)
    logins = [json.loads(record.value or b"") for record in found]
    ids = [login[field] for login in logins for field in ("user_id", "device_id")]
    ids += [record.key.decode() for record in found]
    device_types = Counter(login.get("device_type") for login in logins)
    assert len(set(ids)) == len(ids)
    assert len({login["locale"] for login in logins}) == 50
    assert {int(octet) for login in logins for octet in login["ip"].split(".")} == set(range(256))
    assert set(device_types) == {"android", "iOS", None}
    assert is_within(device_types["iOS"], 0.5, of=len(logins) - device_types[None])


@pytest.mark.parametrize("malformed", [0.0, 0.05, 0.5, 1.0])
def test_shares(malformed: float) -> None:
    """About 5 % of the logins have no device_type, and the given share is malformed, evenly over the reasons."""
    total = 20_000
    counts = Counter(record.reason for record in take(total, malformed=malformed))
    for reason in MALFORMED_KINDS:
        share = malformed / len(MALFORMED_KINDS)
        if reason == Reason.MISSING_DEVICE_TYPE:
            share += (1 - malformed) * SHARE_WITHOUT_DEVICE_TYPE
        assert is_within(counts[reason], share, of=total), reason
    assert is_within(counts[WELL_FORMED], (1 - malformed) * (1 - SHARE_WITHOUT_DEVICE_TYPE), of=total)
    assert counts.total() == total


@pytest.mark.parametrize("malformed", [0.0, 0.3])
def test_same_seed(malformed: float) -> None:
    """The same seed gives the same records, whenever it is."""
    later = int(NOW) + 1000

    def earlier(value: bytes | None) -> bytes | None:
        return value and value.replace(b"%d" % later, b"%d" % int(NOW))

    again = [
        record._replace(value=earlier(record.value), output=earlier(record.output))
        for record in take(3000, malformed=malformed, now=later)
    ]
    assert take(3000, malformed=malformed) == again


def test_same_on_every_python() -> None:
    """A seed's records are those noted here, on every version of Python and every machine."""
    digest = hashlib.sha256(repr([tuple(map(str, record[:3])) for record in take(3000, malformed=0.3)]).encode())
    assert digest.hexdigest()[:16] == "79722653a846a0dc"


@pytest.mark.parametrize(("seed", "other"), [(1, 2), (0, 1), (7, None), (None, None)])
def test_other_seed(seed: int | None, other: int | None) -> None:
    """Another seed, or none, gives other records: not one key is the same."""
    assert not {record.key for record in take(500, seed=seed)} & {record.key for record in take(500, seed=other)}


def test_malformed_replaces() -> None:
    """Asking for malformed records leaves the other records of the seed as they were."""
    plain, mixed = take(3000), take(3000, malformed=0.2)
    assert [record.key for record in plain] == [record.key for record in mixed]
    replaced = sum(one != other for one, other in zip(plain, mixed, strict=True))
    assert is_within(replaced, 0.2, of=3000)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(reason, kind) for reason, kinds in MALFORMED_KINDS.items() for kind in kinds],
)
def test_kind(reason: Reason, kind: bytes | None) -> None:
    """Each kind of malformed value is malformed for its reason."""
    login = (take(1)[0].value or b"").partition(b', "device_type"')[0]
    assert verdict(kind and kind.replace(LOGIN, login)) == reason


def test_reasons_are_the_verdicts() -> None:
    """The reason that a record carries is the pipeline's verdict on its value."""
    for record in take(5000, malformed=0.5):
        assert record.reason == verdict(record.value), record


def test_output() -> None:
    """The output that is expected of a login is the same, byte for byte, except for device_type in upper case."""
    logins = [record for record in take(2000, malformed=0.3) if record.reason == WELL_FORMED]
    assert {json.loads(record.output or b"")["device_type"] for record in logins} == {"ANDROID", "IOS"}
    for record in logins:
        assert record.output is not None
        assert record.output != record.value
        head, comma, device_type = record.output.rpartition(b", ")
        assert head + comma + device_type.replace(b"ANDROID", b"android").replace(b"IOS", b"iOS") == record.value


def test_digest() -> None:
    """The digest is that of a login's expected output, of a malformed record's value, and none of a null value."""
    for record in take(2000, malformed=0.3):
        described = record.output if record.reason == WELL_FORMED else record.value
        assert record.digest == (None if described is None else hashlib.sha256(described).hexdigest())
        assert (record.output is None) is (record.reason != WELL_FORMED)
        assert (record.digest is None) is (record.reason == Reason.NULL_VALUE)


def test_all_kinds() -> None:
    """Every reason except too_large occurs among the malformed records, and every kind of each."""
    assert set(MALFORMED_KINDS) == set(Reason) - {Reason.TRANSFORM_FAILED, Reason.REFUSED_TIMESTAMP, Reason.TOO_LARGE}
    login = re.compile(rb'\{"user_id": .*?"timestamp": \d+')
    drawn = {(record.reason, record.value and login.sub(LOGIN, record.value)) for record in take(5000, malformed=1.0)}
    assert drawn == {(reason, kind) for reason, kinds in MALFORMED_KINDS.items() for kind in kinds}
