"""An enum that is looked up by hash accepts what the enum accepts, in every dialect."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.contracts.enumerations import KEYWORD, with_hashed_enums
from gateway.contracts.validation import compiled
from tests.unit.contracts.validators import DIALECTS, admitted, documents, results

VALUES = (
    *("0", "-0", "1", "1.0", "1e0", "1.5", "0.10", "1e300", "1e-300", "9007199254740993"),
    *("9223372036854775808", "123456789012345678901234567890", "true", "false", "null"),
    *('"1"', '"a"', '""', '"\u00e9"', '"e\u0301"', "[]", "{}", "[1]", "[1.0]", "[true]", "[[]]"),
    *('{"a":1}', '{"a":1.0}', '{"a":true}', '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a":{"b":[1]}}'),
    *("[1,2]", "[2,1]", "[null]", '["a"]'),
)
PARSED = tuple(strict_json.parse(each.encode()) for each in VALUES)
values = st.sampled_from(VALUES)


@st.composite
def listing(draw: st.DrawFn) -> dict[str, Any]:
    """A schema that lists what it accepts, or what a part of the document may be."""
    members = [json.loads(each) for each in draw(st.lists(values, min_size=1, max_size=14))]
    branches = [{"const": each, "title": "one of them"} for each in members]
    return draw(
        st.sampled_from(
            (
                {"enum": members},
                {"oneOf": branches},
                {"anyOf": branches},
                {"not": {"enum": members}},
                {"properties": {"a": {"enum": members}}, "items": {"oneOf": branches}},
                {"anyOf": [{"enum": members}, {"type": "array", "items": {"enum": members}}]},
            )
        )
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(tuple(DIALECTS)), listing(), st.lists(documents, max_size=8))
def test_the_reference_agrees_on_every_listing(
    dialect: str, schema: dict[str, Any], drawn: list[Any]
) -> None:
    written = {"$schema": DIALECTS[dialect], **schema}
    both = admitted(written)
    plain = compiled(strict_json.parse(json.dumps(written).encode()))
    for data in (*PARSED, *({"a": each} for each in PARSED), [*PARSED[:3]], *drawn):
        accepted, reference = results(both, data)
        assert accepted is plain.is_valid(data), data
        assert reference in (accepted, "error"), data


@pytest.mark.parametrize(
    "members",
    [
        [{"a": number} for number in range(500)],
        [[number, "x"] for number in range(500)],
        [0.5, 1.5, 2.5],
        [10**30, 10**31, 10**32],
        [1, 2, 3],
        ["a", "b", "c", "d", "e", "f", "g", "h", None],
    ],
    ids=("objects", "arrays", "decimals", "large", "integers", "mixed"),
)
def test_what_is_compared_one_by_one_is_looked_up_instead(members: list[Any]) -> None:
    for schema in ({"enum": members}, {"oneOf": [{"const": each} for each in members]}):
        hashed, keywords = with_hashed_enums({"items": schema})
        assert set(hashed["items"]) == {KEYWORD} == set(keywords)


def test_an_enum_of_texts_is_left_as_it_is() -> None:
    schema = {"items": {"enum": [f"kode-{number}" for number in range(4000)]}}
    assert with_hashed_enums(schema) == (schema, {})
    titled = {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}, {"const": "b"}]}
    assert with_hashed_enums(titled)[0] == {"enum": ["a"]}, "two branches accept b"


def test_an_annotation_of_the_same_name_means_nothing() -> None:
    schema = {KEYWORD: 7, "properties": {"a": {"enum": [[1], [2], [3]], KEYWORD: 9}}}
    validator = compiled(*with_hashed_enums(schema))
    assert validator.is_valid({"a": [3]})
    assert not validator.is_valid({"a": [4]})


def test_the_violation_names_the_enum_of_the_author() -> None:
    schema = admitted({"$schema": DIALECTS["2020-12"], "items": {"enum": [[1], [2], [3]]}})
    violations, _ = schema.validator.explain([[9]])
    assert [(each.pointer, each.keyword) for each in violations] == [("/0", "enum")]
