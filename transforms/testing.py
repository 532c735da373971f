"""Three properties that every transform must have, each asserted in one line of its tests.

Hypothesis tries each on 200 values, the same in every run. `make install` installs it; the pipeline does not need it.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.chain import FirstTransform, Transform, chain
from transforms.malformed import Malformed, original

Values = st.SearchStrategy[bytes]
Texts = st.SearchStrategy[str]


def assert_never_raises(transform: Transform | FirstTransform, *members: str, values: Values | None = None) -> None:
    """Fail if the transform raises an exception for some bytes, or returns something other than bytes or Malformed.

    Args:
        transform: the transform to test.
        members: the names of the members that it reads; most of the values drawn have them.
        values: other values to draw; the default is JSON objects, damaged ones, and random bytes.
    """

    def holds(value: bytes) -> None:
        result: object = transform(value)
        assert isinstance(result, bytes | Malformed), f"it returned {type(result).__name__}"

    _try(holds, _any_bytes(members) if values is None else values)


def assert_keeps_other_bytes(transform: Transform | FirstTransform, *members: str) -> None:
    """Fail if the transform changes any byte of a JSON object except the values of these top-level members.

    Args:
        transform: the transform to test.
        members: the names of the members that it may change.
    """

    def holds(parts: list[bytes]) -> None:
        result = transform(b"".join(parts))
        if isinstance(result, bytes):
            assert _pattern(parts).fullmatch(result), result

    _try(holds, _parts(members))


def assert_original_comes_back(
    transform: Transform | FirstTransform, *members: str, values: Values | None = None
) -> None:
    """Fail if `original` does not give the input back for a value that was tagged because of the transform.

    Args:
        transform: the transform to test, inside `chain`.
        members: as for `assert_never_raises`.
        values: as for `assert_never_raises`.
    """
    run = chain(transform)  # type: ignore[arg-type]  # no None is drawn

    def holds(value: bytes) -> None:
        result = run(value)
        if isinstance(result, Malformed):
            assert original(result.value) == value

    _try(holds, _any_bytes(members) if values is None else values)


T = TypeVar("T")


def _try(holds: Callable[[T], None], values: st.SearchStrategy[T]) -> None:
    """Fail with the simplest value for which the property does not hold."""
    bounded = settings(
        max_examples=200,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    bounded(given(values)(holds))()


_TEXTS = ["", " ", "iOS", "192.0.2.7", "2001:db8::7", "1.2.3", ".", "stra\u00dfe", "\U0001f4f1", '"\\/', "\0"]
_ODD = [b"", b"{", b"null", b'{"a":1,}', b'\xef\xbb\xbf{"a":1}', b"[" * 200, b'{"a":' * 200]
_spaces = st.sampled_from(["", "", " ", "\r\n\t"])
_texts = st.sampled_from(_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
_strings = st.builds(json.dumps, _texts, ensure_ascii=st.booleans()) | st.sampled_from([r'"\ud83d"', r'"a\uDE00"'])
_scalars = _strings | st.sampled_from(["null", "true", "0", "-1.0", "1E400", "7" * 30])


@st.composite
def _parts(draw: st.DrawFn, members: Sequence[str]) -> list[bytes]:
    """A JSON object in parts: every second part is the value of one of these members."""
    text, parts = draw(_spaces) + "{", []
    names = draw(st.lists(st.sampled_from([*members, None]), max_size=5))
    for number, name in enumerate(names):
        key = json.dumps(draw(_texts) + "\n") if name is None else draw(_keys(name))
        text += ("," if number else "") + draw(_spaces) + key + draw(_spaces) + ":" + draw(_spaces)
        if name is None:
            text += draw(_nested(members))
        else:
            parts += [text, draw(_strings | _scalars)]
            text = ""
        text += draw(_spaces)
    return [part.encode() for part in [*parts, text + "}" + draw(_spaces)]]


def _keys(name: str) -> Texts:
    """The spellings of a member's name."""
    return st.sampled_from([json.dumps(name), json.dumps(name), f'"\\u{ord(name[0]):04x}{json.dumps(name[1:])[1:]}'])


def _nested(members: Sequence[str]) -> Texts:
    """Values of other members. Some contain members of the same names, below the top level."""
    keys = st.sampled_from([json.dumps(name) for name in (*members, "x")])
    pairs = st.builds("{}:{}".format, keys, _scalars)
    return _scalars | st.lists(_scalars | pairs.map("{{{}}}".format), max_size=3).map(
        lambda items: f"[{','.join(items)}]"
    )


def _pattern(parts: Sequence[bytes]) -> re.Pattern[bytes]:
    """Matches the same object with any scalar in every second part."""
    scalar = rb'(?:"(?:[^"\\]|\\.)*+"|[-+.\w]+)'
    escaped = [scalar if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile(b"".join(escaped), re.DOTALL)


def _any_bytes(members: Sequence[str]) -> Values:
    """JSON objects, JSON objects with one or two wrong bytes, and random bytes."""
    objects = _parts(members).map(b"".join)
    places, wrong = st.integers(0, 99), st.binary(max_size=2)
    damaged = st.builds(lambda value, at, put: value[:at] + put + value[at + 1 :], objects, places, wrong)
    return objects | damaged | st.binary(max_size=60) | st.sampled_from(_ODD)
