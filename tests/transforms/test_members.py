"""Members of a JSON object changed in place."""

import json
import random
from typing import Any

import pytest

from transforms import replace_member

Pairs = list[tuple[str, Any]]

CHANGED = [
    (b'{"ip":"a"}', b'{"ip":"A"}'),
    (b' { "x" : 1.0 , "ip" : "a" } ', b' { "x" : 1.0 , "ip" : "A" } '),
    (b'{"\\u0069\\u0070":"a"}', b'{"\\u0069\\u0070":"A"}'),
    (b'{"i\\u0070" :"a"}', b'{"i\\u0070" :"A"}'),
    (b'{"ip":"\\u0061\\n\\"\\/"}', b'{"ip":"A\\n\\"/"}'),
    (b'{"ip":"a\\ud83d"}', b'{"ip":"A\\ud83d"}'),
    ('{"ip":"\u00df\u00e9"}'.encode(), '{"ip":"SS\u00c9"}'.encode()),
    (b'{"ip":"a","ip":"b"}', b'{"ip":"A","ip":"B"}'),
    (b'{"ip":"a","ip":7,"i\\u0070":"b","x":"\\u0069"}', b'{"ip":"A","ip":7,"i\\u0070":"B","x":"\\u0069"}'),
    (b'{"ip":"ip","x":"ip","y":{"ip":"a"},"z":[{"ip":"a"}]}', b'{"ip":"IP","x":"ip","y":{"ip":"a"},"z":[{"ip":"a"}]}'),
    (b'{"x":"}],{[\\"ip\\":","ip":"a"}', b'{"x":"}],{[\\"ip\\":","ip":"A"}'),
    (b'{"x\\\\":"\\\\","ip":"a"}', b'{"x\\\\":"\\\\","ip":"A"}'),
    (b'{"x":{"ip":"a"},"ip":"a"}', b'{"x":{"ip":"a"},"ip":"A"}'),
]

UNTOUCHED = [
    b'{"ip":"A"}',
    b'{"ip":"\\u0041\\/"}',
    b'{"ip":null}',
    b'{"ip":["a"]}',
    b'{"ip":{"ip":"a"}}',
    b'{"IP":"a","ipp":"a","i\\\\p":"a","\\"ip\\"":"a","x":"\\"ip\\":\\"a\\""}',
    b"{}",
    b'[{"ip":"a"}]',
    b'["ip"]',
    b'"ip"',
    b'{"ip":"a",}',
    b'{"ip":"a"',
    b'{"ip":"a","x":"\xff"}',
    b'{"ip":"a","x":' + b"[" * 128 + b"]" * 128 + b"}",
    b"",
]


@pytest.mark.parametrize(("value", "output"), CHANGED)
def test_changed(value: bytes, output: bytes) -> None:
    """Each top-level member of that name whose value is a string is changed, and every other byte stays."""
    assert replace_member(value, "ip", str.upper) == output


@pytest.mark.parametrize("value", UNTOUCHED)
def test_untouched(value: bytes) -> None:
    """Without such a member, with the same text, or without JSON, the same object is returned."""
    assert replace_member(value, "ip", str.upper) is value


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\\b", "a,b", "a:b", "\u00e4", "ip\n"])
def test_name(name: str) -> None:
    """A name with characters of JSON's syntax is refused."""
    with pytest.raises(ValueError, match="name"):
        replace_member(b"{}", name, str.upper)


def test_all_names() -> None:
    """A name may have any letter, digit, underscore, hyphen and point, each escaped or not."""
    for name in ("device_type", "A-Z.9", "malformed", "jklmno", "JKLMNO"):
        for number, character in enumerate(name):
            for escape in (f"\\u{ord(character):04x}", f"\\u{ord(character):04X}", character):
                key = name[:number] + escape + name[number + 1 :]
                assert replace_member(f'{{"{key}":"a"}}'.encode(), name, str.upper) == f'{{"{key}":"A"}}'.encode()


def test_random_objects() -> None:
    """In random objects, exactly the top-level members that Python's json finds are changed."""
    chance = random.Random(11)
    for _ in range(3_000):
        value = _object(chance, 3)
        pairs = json.loads(value, object_pairs_hook=list)
        output = json.loads(replace_member(value.encode(), "ip", lambda _: "!").decode(), object_pairs_hook=list)
        assert output == [(key, "!" if key == "ip" and isinstance(held, str) else held) for key, held in pairs], value


def test_many() -> None:
    """Fifty thousand members of the name, spelled with escapes, are changed in linear time."""
    value = b"{" + b",".join([rb'"\u0069p":"a"'] * 50_000) + b"}"
    assert replace_member(value, "ip", str.upper) == value.replace(b'"a"', b'"A"')


def _object(chance: random.Random, depth: int) -> str:
    keys = ['"ip"', r'"\u0069p"', '"ip" ', '"x"', r'"\"ip"', r'"\\"', '"[{"', '":"', '""']
    return "{" + ",".join(f"{chance.choice(keys)}:{_value(chance, depth)}" for _ in range(chance.randrange(5))) + "}"


def _value(chance: random.Random, depth: int) -> str:
    if depth and chance.random() < 0.4:
        held = [_value(chance, depth - 1) for _ in range(chance.randrange(3))]
        return chance.choice([f"[{','.join(held)}]", _object(chance, depth - 1)])
    return chance.choice(['"ip"', r'"\u0069p"', "7", "null", r'"\"ip\":"', r'"\\"', '"]}"', '"a"', r'"\ud800"', "[ ]"])
