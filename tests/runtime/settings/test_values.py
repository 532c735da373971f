"""The types of settings: what each accepts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from runtime.settings.values import Addresses, Group, Secret, Text, pem_problem


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text, ""),
        (Text, "täglich 'x'"),
        (Secret, "p@ss, wörd "),
        (Addresses, "kafka-1.example.com:9092, [fe80::1%eth0]:9093,täglich:1"),
        (Group, "a"),
        (Group, "a b"),
    ],
)
def test_accepted(kind: object, value: str) -> None:
    """A valid value is kept as it is, and an empty text is None."""
    kept = TypeAdapter[object](kind).validate_python(value)
    assert (kept.get_secret_value() if isinstance(kept, SecretStr) else kept) == (value or None)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, value) for kind in (Text, Secret) for value in ("x\n", "a\0b", "\x7f", "\x1b[2J", "\udcff")),
        *(
            (Addresses, value)
            for value in ("", "kafka", "a:1,b", "a:b:1", "http://a:1", "a:123456", "u@a:1", ":1", "\udcff:1")
        ),
        *((Group, value) for value in ("", " a", "a ", '"a"', "täglich", "a\n", "x" * 201)),
    ],
)
def test_refused(kind: object, value: str) -> None:
    """Control characters, addresses without host or port, and groups that are not printable ASCII are refused."""
    with pytest.raises(ValidationError):
        TypeAdapter[object](kind).validate_python(value)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda file: file.write_text("some text\n-----BEGIN CERTIFICATE-----\n"), ""),
        (lambda file: file.write_bytes(b"0\x82\x03"), "no PEM block in it"),
        (lambda file: file.mkdir(), "not a file"),
        (lambda file: file.symlink_to(file), "Too many levels of symbolic links"),
        (lambda _: None, "No such file or directory"),
    ],
)
def test_pem_problem(tmp_path: Path, make: Callable[[Path], object], problem: str) -> None:
    """A file in PEM format has a PEM block. For anything else, the reason is given."""
    make(tmp_path / "it")
    assert pem_problem(str(tmp_path / "it")) == problem
