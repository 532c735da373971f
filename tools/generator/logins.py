"""Makes the logins that the generator sends: random, the same for the same seed, some malformed.

What the pipeline must make of each is stated here, too, independently of transforms/.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random
from typing import NamedTuple

WELL_FORMED = "well_formed"
"""The `reason` of a record that is not malformed."""

SHARE_WITHOUT_DEVICE_TYPE = 0.05
"""The share of logins without `device_type`, in addition to the share of malformed records asked for."""


class GeneratedRecord(NamedTuple):
    """One record to send.

    `reason` is WELL_FORMED, or why it is malformed. `output` is a login's expected output.
    """

    key: bytes
    value: bytes | None
    reason: str
    output: bytes | None = None

    @property
    def digest(self) -> str | None:
        """The SHA-256, in hex, of a login's expected output, or of a malformed record's value. None for a null."""
        content = self.output if self.reason == WELL_FORMED else self.value
        return None if content is None else sha256(content).hexdigest()


def records(seed: int | None, malformed: float, clock: Callable[[], float]) -> Iterator[GeneratedRecord]:
    """Yield records without end. The same seed gives the same ones, except for the time, on every Python version.

    Args:
        seed: not negative; None for random records.
        malformed: the share, 0 to 1, of records that are replaced by malformed ones; the others do not change.
        clock: seconds since the epoch, asked once for each record.
    """
    numbers = Random(seed)
    bits, share = numbers.getrandbits, numbers.random
    while True:
        raw = bits(8 * 54).to_bytes(54, "big")
        ids, octets = raw[:48].hex(), raw[48:52]
        login = (
            f'{{"user_id": "{_uuid4(ids[:32])}", "app_version": "2.3.0", '
            f'"ip": "{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}", "locale": "{_STATES[raw[52] * 50 >> 8]}", '
            f'"device_id": "{_uuid4(ids[32:64])}", "timestamp": {int(clock())}'
        )
        key = _uuid4(ids[64:]).encode()
        is_complete = share() >= SHARE_WITHOUT_DEVICE_TYPE
        is_replaced, reason_drawn, kind_drawn = share() < malformed, share(), share()
        if is_replaced:
            yield GeneratedRecord(key, *_malformed(login.encode(), reason_drawn, kind_drawn))
        elif is_complete:
            value, output = (f'{login}, "device_type": "{text}"}}'.encode() for text in _DEVICE_TYPES[raw[53] & 1])
            yield GeneratedRecord(key, value, WELL_FORMED, output)
        else:
            yield GeneratedRecord(key, f"{login}}}".encode(), "missing_device_type")


def _uuid4(digits: str) -> str:
    """The text of a random UUID with these 32 hex digits, except for version and variant."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _malformed(login: bytes, reason_drawn: float, kind_drawn: float) -> tuple[bytes | None, str]:
    reason = _REASONS[int(reason_drawn * len(_REASONS))]
    kinds = MALFORMED_KINDS[reason]
    value = kinds[int(kind_drawn * len(kinds))]
    return value and value.replace(LOGIN, login), reason


LOGIN = b"<login>"
"""In MALFORMED_KINDS, the place of a login's opening brace and all its members except `device_type`."""

MALFORMED_KINDS: dict[str, tuple[bytes | None, ...]] = {
    "null_value": (None,),
    "empty_value": (b"", b" \r\n"),
    "invalid_utf8": (
        b'<login>, "city": "Montr\xe9al", "device_type": "android"}',
        b'<login>, "device_type": "i\xffOS"}',
        b'<login>, "device_type": "android", "city": "Montr\xc3',
    ),
    "invalid_json": (
        b"<login>",
        b'<login>, "device_type": "andr',
        b'<login>, "device_type": "iOS",}',
        b'<login> "device_type": "android"}',
        b'<login>, device_type: "iOS"}',
        b"<login>, 'device_type': 'android'}",
        b'<login>, "battery": NaN, "device_type": "iOS"}',
        b'<login>, "device_type": "andr\noid"}',
        b'\xef\xbb\xbf<login>, "device_type": "iOS"}',
        b'<login>, "device_type": "android"}<login>, "device_type": "iOS"}',
        b"login failed",
    ),
    "not_an_object": (b'[<login>, "device_type": "iOS"}]', b'"android"', b"2.3", b"true", b"null"),
    "missing_device_type": (
        b"{}",
        b'<login>, "deviceType": "iOS"}',
        b'<login>, "device": {"device_type": "android"}}',
    ),
    "duplicate_device_type": (
        b'<login>, "device_type": "android", "device_type": "iOS"}',
        b'<login>, "device_type": "iOS", "device\\u005ftype": "iOS"}',
    ),
    "invalid_device_type": (
        b'<login>, "device_type": null}',
        b'<login>, "device_type": 7}',
        b'<login>, "device_type": false}',
        b'<login>, "device_type": ["android"]}',
        b'<login>, "device_type": {"name": "iOS"}}',
        b'<login>, "device_type": ""}',
        b'<login>, "device_type": " \\t"}',
        b'<login>, "device_type": "iOS \\ud83d"}',
    ),
}
"""The values that malformed records are made of: every reason except `too_large`."""

_REASONS = tuple(MALFORMED_KINDS)
_DEVICE_TYPES = (("iOS", "IOS"), ("android", "ANDROID"))
"""Each as it is sent, and as it is expected."""
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_STATE_CODES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO "
    "MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)
_STATES = _STATE_CODES.split()
