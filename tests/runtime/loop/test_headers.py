"""Headers' names that are not UTF-8, as confluent-kafka would read them."""

import pytest

from runtime.loop.headers import headers_of


class Odd:
    """A record whose headers' names are bytes that are decoded when it is asked for them, as the client does it."""

    def __init__(self, *names: bytes) -> None:
        self._names = names

    def headers(self) -> list[tuple[str, bytes]] | None:
        """The headers, or None if there are none."""
        return [(name.decode(), b"v") for name in self._names] or None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"", ""),
        (b"name", "name"),
        (b"n\xc3\xa4me", "n\u00e4me"),
        (b"\xff", r"\xff"),
        (b"a\xffb\xfec", r"a\xffb\xfec"),
        (b"\xc3", r"\xc3"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        (b"\\xff", r"\xff"),
    ],
)
def test_name(name: bytes, text: str) -> None:
    r"""Each byte of a name that is not UTF-8 is written as \xNN, and the rest of the name is left alone."""
    assert headers_of([Odd(name)]) == [[(text, b"v")]]


def test_all() -> None:
    """Each record's headers are given in order, or None for a record without headers."""
    assert headers_of([]) == []
    assert headers_of([Odd(), Odd(b"\xff", b"a", b"\xff"), Odd()]) == [
        None,
        [(r"\xff", b"v"), ("a", b"v"), (r"\xff", b"v")],
        None,
    ]


class Failing(Odd):
    """A record whose headers cannot be read."""

    def headers(self) -> list[tuple[str, bytes]] | None:
        """Fail."""
        raise RuntimeError


def test_strict_again() -> None:
    """Afterwards, and after a failure too, bytes that are not UTF-8 are an error again."""
    headers_of([Odd(b"\xff")])
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode()
    with pytest.raises(RuntimeError):
        headers_of([Failing()])
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode()
