"""Two texts of one value are the same, and no others: against RFC 8785 and a model of our own."""

import asyncio
import json
import random
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base import canonical_json
from gateway.base.canonical_json import canonical_digest

# Input and canonical output of the examples in RFC 8785 (sections 3.2.2 and 3.2.3) and of the test
# data that its author publishes. Numbers stay exact here: 333333333.33333329 is not rounded.
VECTORS = [
    (
        '{"numbers": [1E30, 4.50, 333333333.33333329, 2e-3, 0.000000000000000000000000001],\n'
        ' "escaping": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
        ' "literals": [null, true, false]}',
        '{"escaping":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","literals":[null,true,false],'
        '"numbers":[1e+30,4.5,333333333.33333329,0.002,1e-27]}',
    ),
    (
        '{"\\u20ac": "Euro Sign", "1": "One", "\\u0080": "Control\\u007f",'
        ' "\\ud83d\\ude02": "Smiley", "\\ufb33": "Dalet", "</script>": "Browser Challenge"}',
        '{"1":"One","</script>":"Browser Challenge","\x80":"Control\x7f","€":"Euro Sign",'
        '"😂":"Smiley","\ufb33":"Dalet"}',
    ),
    (
        '{"1": {"f": {"f": "hi","F": 5} ,"\\n": 56.0}, "10": { }, "": "empty", "a": { },'
        ' "111": [ { } ], "A": { }}',
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{}],"A":{},"a":{}}',
    ),
    ('[56, {"d": true, "10": null, "1": [ ]}]', '[56,{"1":[],"10":null,"d":true}]'),
]
SAME = [
    ("1", "1.0"),
    ("1", "1e0"),
    ("1", "0.1E+1"),
    ("100", "1e2"),
    ("100", "1000e-1"),
    ("0", "-0"),
    ("0", "-0.000e9"),
    ("123456789012345678901234567890", "123456789012345678901234567890.0"),
    ("1e300", "1" + "0" * 300),
    ("0.1", "0.10000"),
    ('"a"', '"\\u0061"'),
    ('"/"', '"\\/"'),
    ('"😂"', '"\\uD83D\\uDE02"'),
    ('{"a":1,"b":2}', ' {"b" : 2.0 ,\n"\\u0061":1}\t'),
]
OTHER = [
    ("9007199254740993", "9007199254740992"),  # the same as doubles
    ("0.1", "0.1000000000000000055511151231257827"),
    ("333333333.33333329", "333333333.3333333"),
    ("1e-308", "0"),
    ("-1", "1"),
    ("10", "1"),
    ("1", "true"),
    ("0", "false"),
    ("0", "null"),
    ("1", '"1"'),
    ('"1e0"', "1"),
    ('"true"', "true"),
    ("[]", "{}"),
    ("[1,2]", "[2,1]"),
    ('{"a":1}', '{"a":1,"b":null}'),
    ('{"a":null}', "{}"),
    ('"A\u030a"', '"\u00c5"'),  # RFC 8785 does not normalise text
    ('"\u200b"', '""'),
]


def same_json(one: bytes, other: bytes) -> bool:
    return asyncio.run(canonical_json.same_json(one, other))


@pytest.mark.parametrize(("one", "other"), VECTORS + SAME)
def test_one_value_in_two_spellings(one: str, other: str) -> None:
    assert same_json(one.encode(), other.encode())
    assert same_json(f"[{other}]".encode(), f" [ {one} ]".encode())


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_values(one: str, other: str) -> None:
    assert not same_json(one.encode(), other.encode())
    assert not same_json(other.encode(), one.encode())


@pytest.mark.parametrize("raw", [b"\xff", b"no", b"NaN", b"[" * 100_000, b'{"a":1', b"]", b'"'])
def test_what_is_no_json_is_compared_as_bytes(raw: bytes) -> None:
    assert same_json(raw, raw)
    assert not same_json(raw, raw + b" ")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text("aA\né€😂"), below, max_size=4)
    ),
    max_leaves=20,
)


def spelled(value: Any, by: random.Random) -> str:
    """One of the many texts of a value."""
    space = "".join(by.choices(" \t\r\n", k=by.randrange(3)))
    match value:
        case None | True | False:
            text = json.dumps(value)
        case int() | Decimal():
            text = _number(value, by)
        case str():
            text = f'"{"".join(_character(each, by) for each in value)}"'
        case list():
            text = f"[{','.join(spelled(each, by) for each in value) or space}]"
        case _:
            items = by.sample(sorted(value.items(), key=lambda item: item[0]), len(value))
            text = ",".join(f"{spelled(key, by)}:{spelled(each, by)}" for key, each in items)
            text = f"{{{text or space}}}"
    return f"{space}{text}{space}"


def _number(value: int | Decimal, by: random.Random) -> str:
    sign, digits, scale = Decimal(value).as_tuple()
    assert isinstance(scale, int)
    zeros = by.randrange(3)
    text = "".join(map(str, digits)).lstrip("0") + "0" * zeros
    scale -= zeros
    if text.strip("0") == "":
        return by.choice(["0", "-0", "0.0", "0e7"])
    if by.random() < 0.5:  # a point somewhere, with digits on both sides of it
        cut = by.randrange(1, len(text)) if len(text) > 1 else 1
        scale += len(text) - cut
        text = f"{text[:cut]}.{text[cut:] or '0'}"
    exponent = by.choice(["e", "E"]) + ("+" if scale >= 0 and by.random() < 0.5 else "")
    return f"{'-' * sign}{text}{exponent}{scale}"


def _character(each: str, by: random.Random) -> str:
    if each in '"\\' or each < " " or by.random() < 0.3:
        units = each.encode("utf-16-be").hex()
        hexed = by.choice([str.lower, str.upper])(units)
        return "".join(f"\\u{hexed[n : n + 4]}" for n in range(0, len(hexed), 4))
    return each


@given(VALUES, st.randoms(use_true_random=False))
def test_every_spelling_of_a_value_is_the_same(value: Any, by: random.Random) -> None:
    one, other = spelled(value, by), spelled(value, by)
    assert same_json(one.encode(), other.encode()), (one, other)


def _form(value: Any) -> Any:
    """A value that equals another exactly when they are the same JSON."""
    match value:
        case bool() | None | str():
            return (type(value).__name__, value)
        case int() | Decimal():
            return ("number", value)
        case list():
            return ("list", [_form(each) for each in value])
        case _:
            return ("object", {key: _form(each) for key, each in value.items()})


@given(VALUES, VALUES, st.randoms(use_true_random=False))
def test_values_are_the_same_exactly_if_they_are_equal(
    one: Any, other: Any, by: random.Random
) -> None:
    same = same_json(spelled(one, by).encode(), spelled(other, by).encode())
    assert same is (_form(one) == _form(other))


@pytest.mark.parametrize(
    "element", ["1", "1e307", "9" * 400, '"\\u0061"', '{"a":1}', "[[[[]]]]", "members"]
)
def test_the_work_is_done_in_small_steps(element: str) -> None:
    """No number is expanded, and between two steps a bounded number of pieces is read."""
    count = (1 << 18) // (len(element) + 1)
    body = ",".join(f'"{n}":1' if element == "members" else element for n in range(count))
    text = f"{{{body}}}" if element == "members" else f"[{body}]"
    pieces = len(re.findall(r'"[^"]*"|[][{}]|[-+.0-9eE]+', text))
    steps = canonical_digest(text.encode())
    assert sum(1 for _ in steps) >= pieces // 128


async def test_the_loop_goes_on_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical_json, "SLICE", 0.0)
    monkeypatch.setattr(canonical_json, "PAUSE", 0.0)
    rounds = 0

    async def others() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    text = ("[" + ",".join(["1"] * 12_800) + "]").encode()
    assert await canonical_json.same_json(text, text + b" ")
    assert rounds >= 2 * 100
    task.cancel()
