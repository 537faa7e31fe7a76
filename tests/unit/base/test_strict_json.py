"""Strict JSON text: what is read is exact, what is refused is refused with its place."""

import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.base.errors import Malformed

# Python 3.13 names the comma, earlier ones what they miss after it.
COMMA = (("trailing comma", 6), ("enclosed in double quotes", 7))[sys.version_info < (3, 13)]
READ: dict[bytes, Any] = {
    b"null": None,
    b" true\n": True,
    b"-0": 0,
    b"9007199254740993": 9007199254740993,
    b"-" + b"9" * 308: -(10**308 - 1),
    b"0.1": Decimal("0.1"),
    b"1.10": Decimal("1.10"),
    b"1E5": Decimal("1E+5"),
    b"0.1000000000000000055511151231257827": Decimal("0.1000000000000000055511151231257827"),
    b'"\\ud83d\\ude00"': "\U0001f600",
    b'"a : b"': "a : b",
    b'{"a" : {"b"\n:1}, "c" :[]}': {"a": {"b": 1}, "c": []},
    b'{"a":"\\":\\":"}': {"a": '":":'},
    b'{"":{"":{}}}': {"": {"": {}}},
    b'[{"a":1},{"a":1}]': [{"a": 1}, {"a": 1}],
    b'{"caf\xc3\xa9":"\xf0\x9f\x98\x80"}': {"caf\u00e9": "\U0001f600"},
}

# text, what the message says, pointer, byte
REFUSED: list[tuple[bytes, str, str | None, int | None]] = [
    (b"", "expecting value", None, 0),
    (b"\xef\xbb\xbf{}", "byte order mark", None, 0),
    (b'{"a":1} x', "extra data", None, 8),
    (b'{"a":1,}', COMMA[0], None, COMMA[1]),
    (b"{'a':1}", "enclosed in double quotes", None, 1),
    (b"01", "extra data", None, 1),
    (b'{"a":"\xff"}', "UTF-8", None, 6),
    (b'"\xed\xa0\x80"', "UTF-8", None, 1),
    (b'"\xc0\xaf"', "UTF-8", None, 1),
    ('{"é":1 2}'.encode(), "delimiter", None, 8),
    (b'"a\x01"', "control character", None, 2),
    (b'"abc', "unterminated", None, 0),
    (b'"\\x"', "escape", None, 1),
    (b'{"a":1,"a":1}', "twice", "/a", None),
    (b'{"a" :1,"b":"\\":","a" :1}', "twice", "/a", None),
    (b'[0,{"x/y":{"~":[{"b":1,"\\u0062":2}]}}]', "twice", "/1/x~1y/~0/0/b", None),
    (b'{"data":{"a":1,"b":2},"data":1}', "twice", "/data", None),
    (b'{"a":[NaN]}', "NaN is not JSON", "/a/0", None),
    (b"-Infinity", "not JSON", "", None),
    (b'{"a":"\\ud800"}', "surrogate", "/a", None),
    (b'["\\udc00\\ud800"]', "surrogate", "/0", None),
    (b'{"\\ud800":1}', "surrogate", "/\\ud800", None),
    (b'{"a":1e400}', "out of range", "/a", None),
    (b'{"a":1e-400}', "out of range", "/a", None),
    (b"[1e99999999999999999999]", "out of range", "/0", None),
    (b"[1" + b"0" * 308 + b"]", "out of range", "/0", None),
    (b"[0." + b"1" * 400 + b"]", "out of range", "/0", None),
    (b"[" + b"1" * 5000 + b"]", "out of range", "/0", None),
    (b"[" * 65 + b"]" * 65, "deeper than 64", None, None),
    (b'{"a":' * 100_000, "deeper than 64", None, None),
]


@pytest.mark.parametrize(("raw", "value"), READ.items())
def test_reads_exactly(raw: bytes, value: Any) -> None:
    read = strict_json.parse(raw)
    assert read == value
    assert repr(read) == repr(value)


@pytest.mark.parametrize(("raw", "says", "pointer", "byte"), REFUSED, ids=lambda v: repr(v)[:40])
def test_refuses_with_its_place(
    raw: bytes, says: str, pointer: str | None, byte: int | None
) -> None:
    with pytest.raises(Malformed, match=re.escape(says)) as caught:
        strict_json.parse(raw)
    assert (caught.value.pointer, caught.value.byte) == (pointer, byte)


def test_the_depth_of_the_limit_itself_is_read() -> None:
    assert strict_json.parse(b"[" * 64 + b"]" * 64) is not None
    assert strict_json.parse(b"[[1]]", depth=2) == [[1]]
    with pytest.raises(Malformed):
        strict_json.parse(b"[[[1]]]", depth=2)


@pytest.mark.parametrize("levels", [1_200, 5_000, 20_000])
def test_a_limit_beyond_the_stack_still_refuses(levels: int) -> None:
    with pytest.raises(Malformed, match="too deep"):
        strict_json.parse(b"[" * levels + b"1e999" + b"]" * levels, depth=100_000)
    with pytest.raises(Malformed, match="deep"):
        # Python 3.13 splits up to 10,000 levels; then the element itself is refused.
        _parse_second(b'["\\ud800",' + b"[" * levels + b"]" * levels + b"]")


def _parse_second(raw: bytes) -> None:
    strict_json.parse(bytes(strict_json.elements(raw, limit=9)[1]))


def test_a_pointer_is_cut_before_it_fills_the_answer() -> None:
    raw = b'{"%s":{"b":1,"b":2}}' % (b"k" * 100_000)
    with pytest.raises(Malformed) as caught:
        strict_json.parse(raw)
    assert caught.value.pointer is not None
    assert len(caught.value.pointer) <= 512


def test_the_validator_of_the_hot_path_takes_the_numbers_exactly() -> None:
    def valid(schema: dict[str, Any], raw: bytes) -> bool:
        return jsonschema_rs.is_valid(schema, strict_json.parse(raw))

    assert valid({"multipleOf": 0.01}, b"19.99")
    assert valid({"type": "integer"}, b"1.0")
    assert not valid({"maximum": 9007199254740992}, b"9007199254740993")
    assert not valid({"maximum": 0.1}, b"0.1000000000000000055511151231257827")
    assert not valid({"type": "integer"}, b"1.5")


# Properties, against a reader that is as plain as can be.


class _Twice(ValueError):
    pass


def _plain_reader(raw: bytes) -> Any:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _Twice
        return dict(pairs)

    def refuse(name: str) -> Any:
        raise ValueError(name)

    def bounded(text: str) -> Decimal:
        value = Decimal(text)
        return value if -308 <= value.adjusted() < 308 else refuse(text)

    value = json.loads(
        raw.decode(), object_pairs_hook=distinct, parse_float=bounded, parse_constant=refuse
    )
    json.dumps(value, ensure_ascii=False, default=str).encode()  # fails for a lone surrogate
    return value


def _spell(value: Any, space: Callable[[], str]) -> str:
    """JSON text of a value in which lists of pairs are objects, with white space anywhere."""
    if isinstance(value, tuple):
        return (
            "{"
            + ",".join(
                f"{space()}{json.dumps(name)}{space()}:{space()}{_spell(member, space)}{space()}"
                for name, member in value
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(space() + _spell(each, space) + space() for each in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


NAMES = st.text('ab":\\[{} ', max_size=3)
TEXTS = st.text('ab":\\[]{}\u00e9 ', max_size=6)
NUMBERS = st.integers() | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=3
)
TREES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | NUMBERS,
    lambda below: (
        st.lists(below, max_size=4) | st.lists(st.tuples(NAMES, below), max_size=4).map(tuple)
    ),
    max_leaves=12,
)


@given(tree=TREES, data=st.data())
def test_agrees_with_a_plain_reader(tree: Any, data: st.DataObject) -> None:
    gap = data.draw(st.sampled_from(["", " ", "\n\t"]))
    raw = _spell(tree, lambda: gap).encode()
    try:
        expected = _plain_reader(raw)
    except _Twice:
        with pytest.raises(Malformed, match="twice"):
            strict_json.parse(raw)
    else:
        assert repr(strict_json.parse(raw)) == repr(expected)


@given(st.binary(max_size=40) | st.text('[]{}",:\\u0d8c1e.- \n', max_size=20).map(str.encode))
def test_any_bytes_are_read_alike_or_refused(raw: bytes) -> None:
    try:
        expected = _plain_reader(raw)
    except ValueError:
        with pytest.raises(Malformed):
            strict_json.parse(raw)
    else:
        assert repr(strict_json.parse(raw)) == repr(expected)


def _depth_by_character(text: str) -> int:
    deepest = depth = 0
    inside = False
    characters = iter(text)
    for character in characters:
        if inside and character == "\\":
            next(characters)
        elif character == '"':
            inside = not inside
        elif not inside and character in "[{":
            depth += 1
            deepest = max(depth, deepest)
        elif not inside and character in "]}":
            depth -= 1
    return deepest


@given(tree=TREES, extra=st.integers(0, 12), noise=TEXTS)
def test_the_depth_is_the_one_counted_by_character(tree: Any, extra: int, noise: str) -> None:
    quoted = json.dumps(noise)
    text = f"[{quoted},".join([""] * (extra + 1)) + _spell(tree, str) + "]" * extra
    depth = _depth_by_character(text)
    strict_json.require_strict(text.encode(), depth=depth)
    if depth:
        with pytest.raises(Malformed, match="deeper"):
            strict_json.require_strict(text.encode(), depth=depth - 1)


HOSTILE = {
    "open": b"[" * (4 << 20),
    "open objects": b'{"a":' * (800 << 10),
    "open in a string": b'["' + b"[" * (4 << 20) + b'"]',
    "unterminated": b'["' + b"[{" * (2 << 20),
    "closed in strings": b'["]",' * (800 << 10),
    "backslashes": b'["' + b"\\" * (4 << 20),
    "quotes": b'"' * (4 << 20),
    "quoted brackets": b'"[' * (2 << 20),
    "deep and wide": b"[" + (b"[" * 60 + b"]" * 60 + b",") * 10_000 + b"1]",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_depth_takes_a_fixed_number_of_passes(raw: bytes) -> None:
    """Each pass is one call into C over at most the text: what must not grow is their number."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        strict_json.require_strict(raw)
    except Malformed:
        pass
    finally:
        sys.setprofile(None)
    assert calls < 50
