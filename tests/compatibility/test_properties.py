"""What is called compatible loses no document; what is shown as lost is lost."""

import json
from functools import cache
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.contracts.compatibility import (
    Comparison,
    CompatibilityDirection,
    CompatibilityPolicy,
    Incompatible,
    Undecided,
    closed_form,
)
from gateway.contracts.compatibility.comparing import compare
from gateway.contracts.compatibility.dialects import UnreadableSchema
from gateway.contracts.compatibility.normal_form import normal_form
from gateway.contracts.compatibility.saturation import saturated, without_trivial_patterns
from gateway.contracts.compatibility.values import ComparisonTask
from tests.compatibility.schemas import pairs, schemas, world

_some = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
_directions = st.sampled_from(list(CompatibilityDirection))
_policies = st.sampled_from(list(CompatibilityPolicy))
_world = cache(world)


def _validator(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)


def _compare(
    old: Any, new: Any, direction: CompatibilityDirection, policy: CompatibilityPolicy
) -> Comparison:
    texts = (json.dumps(old).encode(), json.dumps(new).encode())
    (*_, result) = compare(ComparisonTask(*texts, direction, policy))
    return result


def _roles(
    pair: tuple[Any, Any], direction: CompatibilityDirection, policy: CompatibilityPolicy
) -> tuple[Any, Any]:
    old, new = pair
    writer, reader = (old, new) if direction is CompatibilityDirection.BACKWARD else (new, old)
    return (
        closed_form(writer) if policy is CompatibilityPolicy.OPTIONAL_FRIENDLY else writer
    ), reader


@_some
@given(pairs(), _directions, _policies)
def test_what_is_compatible_loses_nothing_and_what_is_shown_is_lost(
    pair: tuple[Any, Any], direction: CompatibilityDirection, policy: CompatibilityPolicy
) -> None:
    result = _compare(*pair, direction, policy)
    if isinstance(result, Undecided):
        return
    writer, reader = map(_validator, _roles(pair, direction, policy))
    if isinstance(result, Incompatible):
        assert result.counterexample is not None
        assert writer.is_valid(result.counterexample.document)
        assert not reader.is_valid(result.counterexample.document)
    else:
        assert not [x for x in _world() if writer.is_valid(x) and not reader.is_valid(x)]


@_some
@given(schemas())
def test_the_closed_form_accepts_nothing_more(schema: dict[str, Any]) -> None:
    try:
        narrow = _validator(closed_form(schema))
    except UnreadableSchema:
        assume(False)  # a schema that leads to itself
    wide = _validator(schema)
    assert not [each for each in _world() if narrow.is_valid(each) and not wide.is_valid(each)]


@_some
@given(schemas())
def test_the_normal_form_accepts_the_same(schema: dict[str, Any]) -> None:
    try:
        rewritten = _validator(normal_form(schema))
    except UnreadableSchema:
        assume(False)
    original = _validator(schema)
    assert [original.is_valid(each) for each in _world()] == [
        rewritten.is_valid(each) for each in _world()
    ]


@_some
@given(pairs())
def test_saturation_changes_no_document(pair: tuple[Any, Any]) -> None:
    try:
        writer, reader = map(normal_form, pair)
    except UnreadableSchema:
        assume(False)
    for before, after in (
        (writer, saturated(writer, reader)),
        (reader, without_trivial_patterns(reader)),
    ):
        one, other = _validator(before), _validator(after)
        assert [one.is_valid(each) for each in _world()] == [
            other.is_valid(each) for each in _world()
        ]


@_some
@given(schemas())
def test_every_schema_is_compatible_with_itself(schema: dict[str, Any]) -> None:
    result = _compare(
        schema,
        {**schema, "title": "x"},
        CompatibilityDirection.BACKWARD,
        CompatibilityPolicy.STRICT,
    )
    assert not isinstance(result, Incompatible)
