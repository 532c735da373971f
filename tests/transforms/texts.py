"""Strategies for the property tests: JSON texts with unusual spellings, and damaged ones."""

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

DEVICE_TYPE_KEYS = ['"device_type"', r'"device\u005ftype"', r'"\u0064evice_type"', r'"device_typ\u0065"']
MALFORMED_KEYS = ['"malformed"', r'"m\u0061lformed"']
USUAL_KEYS = ['""', '"x"', '"user_id"', '"Device_Type"', '"d\u00e9vice"', r'"a\"b\\"']
SECOND_KEYS = [*USUAL_KEYS, '"device_type"', '"malformed"']
ODD_KEYS = ['"device_types"', r'"device\\u005ftype"', r'"\ud800"', *DEVICE_TYPE_KEYS, *MALFORMED_KEYS]

_plain = ["a", "iOS", "device_type", "malformed", "7", " ", "{", "}", "[", "]", ",", ":", "'", "\x7f"]
_wide = ["\u00e4", "\u00df", "\u0149", "\u03b0", "\u0131", "\ufb01", "\u3000", "\u2028", "\ufeff", "\U0001f4f1"]
_short_escapes = [rf"\{letter}" for letter in '"\\/bfnrt']
_escapes = [r"\u0061", r"\u00FC", r"\u0000", r"\u001f", r"\u3000", r"\ud83d\ude00", r"\ud83d", r"\uDE00"]
_characters = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters='"\\')

spaces = st.sampled_from(["", "", "", " ", "  ", "\n", "\t", "\r\n  "])


def _literals(pieces: Texts, min_size: int = 0) -> Texts:
    return st.lists(pieces, min_size=min_size, max_size=6).map(lambda drawn: '"' + "".join(drawn) + '"')


def _all_of(*parts: Texts) -> Texts:
    return st.tuples(*parts).map("".join)


usual_strings = _literals(st.sampled_from(_plain + _wide + _short_escapes))
"""String literals without a \\u escape."""

strings = _literals(st.one_of(st.sampled_from(_plain + _wide), st.sampled_from(_short_escapes + _escapes), _characters))
"""String literals with every kind of character and escape, lone surrogates included."""

plain_device_types = _literals(st.sampled_from(["a", "iOS", "7", "\u00df", "\u03b0", "}", ":"]), min_size=1)
"""String literals for a device type, without escapes, not blank."""

_digits = st.text("0123456789", min_size=1, max_size=30)
numbers = st.one_of(
    st.sampled_from(["0", "-0", "1.0", "-0.0e-0", "1E400", "1e+05", "1" * 4400]),
    _all_of(
        st.sampled_from(["", "-"]),
        st.just("0") | _digits.map("1{}".format),
        st.just("") | _digits.map(".{}".format),
        st.just("") | _digits.map("e{}".format) | _digits.map("E-{}".format) | _digits.map("e+{}".format),
    ),
)
"""Numbers in every spelling of the grammar."""

literals = st.sampled_from(["true", "false", "null"])
keys = st.one_of(st.sampled_from(USUAL_KEYS), st.sampled_from(ODD_KEYS), strings)


def _member(names: Texts, held: Texts) -> Texts:
    return _all_of(spaces, names, spaces, st.just(":"), spaces, held, spaces)


def _joined(items: Texts, opening: str, closing: str) -> Texts:
    filled = st.lists(items, min_size=1, max_size=3).map(",".join)
    return _all_of(st.just(opening), filled | spaces, st.just(closing))


def _nested(held: Texts) -> Texts:
    return _joined(_all_of(spaces, held, spaces), "[", "]") | _joined(_member(keys, held), "{", "}")


def _levels(levels: int) -> Texts:
    spelled = st.sampled_from([("[", "]"), ('{"a":', "}"), (' [1,"\\"[" ,', " ] ")])
    return spelled.map(lambda pair: pair[0] * levels + "0" + pair[1] * levels)


values = st.recursive(strings | numbers | literals, _nested, max_leaves=6)
"""JSON values of any kind, a few levels deep."""

deep = st.integers(124, 131).flatmap(_levels)
"""Values about as deep as the limit on nesting: 128 levels, those around them counted."""


usable_device_types = st.one_of(
    st.sampled_from(['"android"', '"iOS"', '"IOS"', '"stra\u00dfe"', r'"\/ios"', r'"\u0061"', r'"A\\B"']),
    plain_device_types,
)
"""String literals for a device type, not blank and without a lone surrogate."""

device_types = st.one_of(
    usable_device_types,
    strings,
    st.sampled_from(["null", "7", '["iOS"]', '{"iOS": 7}', '" "', r'"iOS\ud83d"', r'"\t"']),
)
"""Values for a device type, usable or not."""

_usual_members = st.builds("{}: {}".format, st.sampled_from(USUAL_KEYS), usual_strings | values)
_second_members = st.builds("{}: {}".format, st.sampled_from(SECOND_KEYS), usable_device_types | values | deep)
_odd_members = _member(keys, values | deep)


def _split_logins(others: Texts, names: Texts, held: Texts) -> st.SearchStrategy[tuple[str, str, str]]:
    """JSON objects with a device type among others, in three parts: what is before its value, its value, the rest."""
    before = st.lists(others, max_size=3).map(lambda drawn: "".join(f"{member}," for member in drawn))
    after = st.lists(others, max_size=3).map(lambda drawn: "".join(f",{member}" for member in drawn))
    named = _all_of(st.just("{"), before, spaces, names, spaces, st.just(":"), spaces)
    return st.tuples(named, held, _all_of(spaces, after, st.just("}")))


def split_logins(held: Texts) -> st.SearchStrategy[tuple[str, str, str]]:
    """Well-formed logins in three parts, of which the second is the value of `device_type`, one of `held`."""
    return _split_logins(_usual_members, st.sampled_from(DEVICE_TYPE_KEYS), held)


usual_logins = _split_logins(_usual_members | _second_members, st.just('"device_type"'), device_types).map("".join)
"""Logins in usual spellings, some with a second device type or nested too deep."""

odd_logins = _split_logins(_odd_members, st.sampled_from(DEVICE_TYPE_KEYS), device_types).map("".join)
"""Logins in unusual spellings."""

texts = st.one_of(
    usual_logins,
    _all_of(spaces, usual_logins, spaces),
    odd_logins,
    _joined(_member(keys, values), "{", "}"),
    _all_of(spaces, values, spaces),
    deep,
)
"""JSON texts (RFC 8259), most of them logins, good and bad. Some are nested past the limit."""

json_values = texts.map(str.encode)
"""The texts, as the bytes of a record's value."""

_inserts = [bytes([byte]) for byte in b'{}[]:,"\\ \n\x00\x0b\x1f\x7f\x80\xc0\xc3\xf4\xff\xff0-+.eExuN'] + [
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc2\xa0",
    b"NaN",
    b"\\ud800",
    b',"device_type":"a"',
    b',"malformed":1',
]

_places = st.integers(0, 9999)  # taken modulo the length: drawn from 0 to the length they would crowd at the ends


@st.composite
def mutated(draw: st.DrawFn, originals: Texts = usual_logins | texts) -> bytes:
    """A JSON text with a few bytes flipped, inserted, removed or copied."""
    value = bytearray(draw(originals).encode())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        at, size = draw(_places) % (len(value) + 1), draw(st.integers(0, 3))
        match draw(st.sampled_from(["put", "put", "flip", "leave out", "cut off", "copy"])):
            case "put":
                value[at : at + size] = draw(st.sampled_from(_inserts))
            case "flip":
                value[at : at + 1] = bytes(byte ^ (1 << size * 2) for byte in value[at : at + 1])
            case "leave out":
                del value[at : at + size]
            case "cut off":
                del value[at:]
            case "copy":
                start = draw(_places) % (len(value) + 1)
                value[at:at] = value[start : start + 20]
    return bytes(value)


any_values = st.one_of(json_values, mutated(), st.binary(max_size=30))
"""Values of every kind: JSON, nearly JSON, and random bytes."""
