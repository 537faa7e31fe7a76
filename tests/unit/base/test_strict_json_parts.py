"""Members and elements, split off as the text that was received."""

import pytest

from gateway.base import strict_json
from gateway.base.errors import Malformed, TooLarge

# Splitting.


def test_members_are_the_text_as_received() -> None:
    raw = b'{ "id" : "1" , "data" : {"b": 1.10, "a":[ ] } }'
    found = strict_json.members(raw, nested="data")
    assert {name: bytes(text) for name, text in found.items()} == {
        "id": b'"1"',
        "data": b'{"b": 1.10, "a":[ ] }',
    }


@pytest.mark.parametrize(
    ("raw", "says", "pointer", "byte"),
    [
        (b'{"id":1,"id":2}', "twice", "/id", None),
        (b'{"data":{"a":1},"data":2}', "twice", "/data", None),
        (b'{"data":2,"data":{"a":1}}', "twice", "/data", None),
        (b'{"id":1,"\\u0069d" : 2,"data":"\\":"}', "twice", "/id", None),
        (b'{"x":"\xff"}', "UTF-8", None, 6),
        (b'{"data":"\xff"}', "UTF-8", None, 9),
        (b"[1]", "must be an object", "", None),
        (b'{"x":1', "delimiter", None, 6),
        (b'{"x":' + b"[" * 100_000, "too deep", None, None),
        (b'{"x":\x01}', "expecting value", None, 5),
        (b'{"x":{"y":"\\ud800"}}', "surrogate", "/x/y", None),
    ],
)
def test_members_refused(raw: bytes, says: str, pointer: str | None, byte: int | None) -> None:
    with pytest.raises(Malformed, match=says) as caught:
        strict_json.members(raw, nested="data")
    assert (caught.value.pointer, caught.value.byte) == (pointer, byte)


def test_members_with_doubtful_names_are_read_after_all() -> None:
    assert len(strict_json.members(b'{"a":"\\":","x":{"b":1}}', nested="data")) == 2


def test_elements_are_the_text_as_received() -> None:
    found = strict_json.elements(b'[ 1 , {"a": 2 }\n,null]', limit=3)
    assert [bytes(text) for text in found] == [b"1", b'{"a": 2 }', b"null"]
    assert strict_json.elements(b"[]", limit=3) == []


def test_a_fault_inside_one_element_is_left_to_its_reader() -> None:
    raw = b'[ {"a":"\\ud800]"} ,"\xc3\xa9,]",\n[2 ]\t] '
    found = [bytes(text) for text in strict_json.elements(raw, limit=3)]
    assert found == [b'{"a":"\\ud800]"}', b'"\xc3\xa9,]"', b"[2 ]"]
    with pytest.raises(TooLarge):
        strict_json.elements(raw, limit=2)


def test_elements_beyond_the_limit() -> None:
    assert len(strict_json.elements(b"[1,2,3]", limit=3)) == 3
    with pytest.raises(TooLarge, match="more than 3"):
        strict_json.elements(b"[1,2,3,4]", limit=3)


@pytest.mark.parametrize(
    ("raw", "says"),
    [(b"{}", "must be an array"), (b"[1,", "expecting value"), (b"[" * 100_000, "too deep")],
)
def test_elements_refused(raw: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        strict_json.elements(raw, limit=3)
