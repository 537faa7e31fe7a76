from typing import Any

import pytest

from gateway.contracts.compatibility.induction import included_by_induction
from gateway.contracts.compatibility.normal_form import normal_form

TEXT = {"type": "string"}


def _tree(name: Any, **more: Any) -> dict[str, Any]:
    inside = {"nama": name, "anak": {"type": "array", "items": {"$ref": "#/$defs/p"}, **more}}
    closed = {"type": "object", "properties": inside, "additionalProperties": False}
    return {"$ref": "#/$defs/p", "$defs": {"p": closed}}


def _proven(writer: Any, reader: Any) -> bool:
    return included_by_induction(normal_form(writer), normal_form(reader))


def test_a_recursive_schema_that_widens() -> None:
    assert _proven(_tree({"const": "a"}), _tree(TEXT))
    assert _proven(_tree(TEXT, maxItems=2), _tree(TEXT, maxItems=3))


def test_a_recursive_schema_that_narrows() -> None:
    assert not _proven(_tree(TEXT), _tree({"const": "a"}))
    assert not _proven(_tree(TEXT, maxItems=3), _tree(TEXT, maxItems=2))


@pytest.mark.parametrize("keyword", ["not", "if"])
def test_a_reference_that_only_tests_is_not_tried(keyword: str) -> None:
    schema = {"properties": {"a": {keyword: {"$ref": "#/$defs/x"}}}, "$defs": {"x": TEXT}}
    assert not _proven(schema, schema)


def test_a_reference_that_is_counted_is_not_tried() -> None:
    counted = {"contains": {"$ref": "#/$defs/x"}, "maxContains": 1, "$defs": {"x": TEXT}}
    branches = {"oneOf": [{"items": {"$ref": "#/$defs/x"}}], "$defs": {"x": TEXT}}
    assert not _proven(counted, counted)
    assert not _proven(branches, branches)


def test_what_is_unevaluated_is_not_tried() -> None:
    schema = {"$ref": "#/$defs/x", "unevaluatedProperties": False, "$defs": {"x": {}}}
    assert not _proven(schema, schema)


def test_schemas_without_references_need_no_induction() -> None:
    assert not _proven(TEXT, TEXT)
    assert not _proven(True, TEXT)


def test_a_reference_that_stands_for_a_schema_in_place() -> None:
    writer = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"const": "a"}}}
    assert _proven(writer, {"properties": {"a": TEXT}})


def test_a_reference_at_a_place_that_the_reader_does_not_describe() -> None:
    writer = _tree(TEXT)
    writer["$defs"]["p"]["properties"]["lain"] = {"$ref": "#/$defs/q"}
    writer["$defs"]["q"] = {"type": "array", "items": {"$ref": "#/$defs/q"}}
    reader = _tree(TEXT)
    reader["$defs"]["p"]["additionalProperties"] = True
    assert _proven(writer, reader)
