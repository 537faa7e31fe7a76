"""What is different between two documents."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.cli.contracts.difference import Difference, differences


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": Decimal("1.0")}, []),
        ({"a": 1}, {"a": True}, ["~ /a: 1 -> true"]),
        ({"a": 1}, {}, ["- /a: 1"]),
        ({}, {"a": {"b": [1]}}, ['+ /a: {"b":[1]}']),
        ({"maxLength": 1}, {"maxLength": 2}, ["~ /maxLength: 1 -> 2"]),
        (
            {"required": ["a", "b"]},
            {"required": ["b", "c"]},
            ['- /required: "a"', '+ /required: "c"'],
        ),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}, ['~ /enum: ["a","b"] -> ["b","a"]']),
        ({"x": [{"a": 1}]}, {"x": [{"a": 2}, {}]}, ["~ /x/0/a: 1 -> 2", "+ /x/1: {}"]),
        ({"a/b~": 1}, {"a/b~": 2}, ["~ /a~1b~0: 1 -> 2"]),
        (1, {}, ["~ /: 1 -> {}"]),
        ({}, {"a": "x" * 200}, [f'+ /a: "{"x" * 98}…']),
    ],
)
def test_differences(before: Any, after: Any, lines: list[str]) -> None:
    assert [each.line() for each in differences(before, after)] == lines


def test_for_programs() -> None:
    assert Difference("added", "/a", after=None).as_json() == {
        "kind": "added",
        "pointer": "/a",
        "after": None,
    }
    assert Difference("removed", "/a", before=1).as_json() == {
        "kind": "removed",
        "pointer": "/a",
        "before": 1,
    }
