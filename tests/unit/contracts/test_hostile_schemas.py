"""Schemas that want to do harm are refused, each with its place and what to do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.base.errors import Invalid, Overloaded, Unavailable
from gateway.contracts import AdmissionChecker, Submission, Validator, admit
from gateway.contracts.complexity import SchemaComplexity
from gateway.contracts.schema_limits import BRANCHES, DIALECT, PATTERN, PATTERNS, SCHEMAS, VALUES
from gateway.contracts.values import InvalidExample, Version
from tests.builders import a_schema, a_submission

OBJECT = {"type": "object"}


def submitted(**schema: Any) -> Submission:
    return a_submission(versions=(Version(1, a_schema(**schema)),))


def fanned(levels: int, keyword: str = "allOf") -> dict[str, Any]:
    """Each level refers to the next one twice."""
    defs: dict[str, Any] = {
        f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": OBJECT}, "$ref": "#/$defs/d0"}


def recursive(branches: int) -> dict[str, Any]:
    """The recursive oneOf that held a checker for over 25 seconds."""
    node = {
        "oneOf": [
            {
                "type": "object",
                "required": ["op"],
                "properties": {
                    "op": {"const": f"o{n}"},
                    "args": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
            }
            for n in range(branches)
        ]
    }
    return {"$schema": DIALECT, "$ref": "#/$defs/node", "$defs": {"node": node}}


def nested(levels: int, op: str) -> dict[str, Any]:
    document: dict[str, Any] = {"op": op}
    for _ in range(levels):
        document = {"op": "o1", "args": [document]}
    return document


@pytest.mark.parametrize(
    ("schema", "pointer", "message"),
    [
        ({"$ref": "http://127.0.0.1:9/x"}, "/$ref", "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "/$ref", "nothing is fetched"),
        ({"$ref": "other.json"}, "/$ref", "nothing is fetched"),
        ({"properties": {"a": {"$ref": "//h/x"}}}, "/properties/a/$ref", "nothing is fetched"),
        ({"$defs": {"a": {"$ref": "ftp://h/x"}}}, "/$defs/a/$ref", "nothing is fetched"),
        ({"$ref": "#/definitions/none"}, "/$ref", "has no target"),
        ({"x-own": 5, "$ref": "#/x-own"}, "/$ref", r"put what it means under \$defs"),
        ({"$dynamicRef": "#a"}, "/$dynamicRef", "has no target"),
        ({"$recursiveRef": "#"}, "/$recursiveRef", r"Use \$ref"),
        ({"$vocabulary": {}}, "/$vocabulary", "Omit it"),
        ({"$defs": {"a": {"$id": "http://h/x", "$ref": "#/$defs"}}}, "/$defs/a/$ref", "no target"),
        (
            {"not": {"$schema": "http://json-schema.org/draft-07/schema"}},
            "/not/$schema",
            "one dialect",
        ),
        ({"$dynamicAnchor": "a", "allOf": [{"$dynamicRef": "#a"}]}, "", "leads back to itself"),
        ({"$ref": "#"}, "", "leads back to itself"),
        ({"allOf": [{"$ref": "#"}]}, "", "leads back to itself"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
            "/$defs/a",
            "leads back to itself",
        ),
        (fanned(20), None, "branch so often"),
        (fanned(20, "anyOf"), None, "branch so often"),
        ({"oneOf": [{"const": n} for n in range(10_000)]}, "/oneOf", "branches"),
        ({"anyOf": [True] * (BRANCHES + 1)}, "/anyOf", "branches"),
        ({"enum": list(range(VALUES + 1))}, "/enum", "values"),
        ({"properties": {f"p{n}": True for n in range(SCHEMAS)}}, None, "subschemas"),
        ({"pattern": "a" * (PATTERN + 1)}, "/pattern", "characters"),
        ({"patternProperties": {"(": True}}, "/patternProperties/(", "compile"),
        ({"pattern": "[a-"}, "/pattern", "compile"),
        ({"patternProperties": {f"p{n}": True for n in range(PATTERNS + 1)}}, None, "regular"),
        ({"pattern": "(a{1000}){1000}"}, None, "compile"),
        ({"type": "object", "minProperties": -1}, "/minProperties", "not a valid JSON Schema"),
        ({"properties": {"a": 1}}, "/properties/a", "not a valid JSON Schema"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_refused(schema: dict[str, Any], pointer: str | None, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(Invalid, match=message) as caught:
        admit(submitted(**schema))
    if pointer is not None:
        assert caught.value.pointer == pointer
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"child": {"$ref": "#"}}},
        {"properties": {"list": {"type": "array", "items": {"$ref": "#/$defs/n"}}},
         "$defs": {"n": {"anyOf": [OBJECT, {"$ref": "#"}]}}},
        {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        {"$defs": {"a": {"$anchor": "here", "type": "object"}}, "$ref": "#here"},
        {"$id": "https://nusabus.go.id/schemas/x/1", "properties": {"a": {"$ref": "#"}}},
        {"enum": [{}, 1]},
        fanned(8),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_only_looks_alike_is_admitted(schema: dict[str, Any]) -> None:
    admit(submitted(**schema))


@pytest.mark.parametrize(
    "dialect",
    [
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-06/schema#",
    ],
)
def test_older_dialects_are_read_as_such(dialect: str) -> None:
    """Keywords beside `$ref` count since 2019-09 only."""
    shared = {"definitions": {"any": True}}
    beside = {"n": {"$ref": "#/definitions/any", "type": "string"}}
    schema = a_schema(**{"$schema": dialect}, **shared, properties=beside)
    submission = a_submission(versions=(Version(1, schema),), valid={"number": {"n": 1}})
    if "draft-0" in dialect:
        admit(submission)
    else:
        with pytest.raises(Invalid, match="the valid example number is invalid"):
            admit(submission)


def test_where_the_validators_differ_an_example_shows_it() -> None:
    """`$` matches before a line break at the end in one of the two."""
    invalid = (InvalidExample("n", "", "", "", 1),)
    submission = submitted(type="string", pattern="^a$")
    with pytest.raises(Invalid, match="the two validators differ on the example line"):
        admit(replace(submission, valid={"line": "a\n"}, invalid=invalid))


ENDLESS = replace(
    submitted(type="object", properties={"a": {"type": "string", "pattern": "^(a+)+$"}}),
    valid={"catastrophic": {"a": "a" * 40 + "!"}},
)


@pytest.fixture
async def checker() -> AsyncIterator[AdmissionChecker]:
    checker = AdmissionChecker(limit=1.5)
    yield checker
    await checker.close()


async def test_what_does_not_end_is_killed_and_the_next_one_is_served(
    checker: AdmissionChecker,
) -> None:
    started = time.monotonic()
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    await checker.admit(a_submission())
    with pytest.raises(Invalid, match=r"longer than 1\.5 s"):
        await checker.admit(ENDLESS)
    await checker.admit(a_submission())
    beating.cancel()
    assert time.monotonic() - started < 20
    assert beats > 50, "the event loop was held"


async def test_the_checker_raises_what_admission_raises(checker: AdmissionChecker) -> None:
    with pytest.raises(Invalid, match="leads back to itself") as caught:
        await checker.admit(submitted(**{"$ref": "#"}))
    assert caught.value.pointer == ""


@pytest.fixture
async def patient() -> AsyncIterator[AdmissionChecker]:
    """A checker in which `ENDLESS` does not end while a test runs."""
    checker = AdmissionChecker(limit=600.0, queue=1)
    yield checker
    await checker.close()


async def test_too_many_of_one_owner_are_refused_and_no_other_waits(
    patient: AdmissionChecker,
) -> None:
    tasks = [asyncio.create_task(patient.admit(ENDLESS)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="of your organisation are waiting"):
        await patient.admit(ENDLESS)
    other = a_submission()
    mine = replace(other.contract, owner="lain", type="id.go.lain.bebas.dicatat.v1")
    other = replace(other, contract=mine)
    await patient.admit(other)
    await patient.admit(other)
    assert not any(task.done() for task in tasks)
    await patient.close()
    for task in tasks:
        with pytest.raises(Unavailable, match="stopping"):
            await task


def test_explaining_is_bounded_in_what_it_takes() -> None:
    """Measured before: 22 s for a document of nesting 4, 7.6 s for an array of 500,000."""
    validator = Validator("t", 1, recursive(12))
    assert validator.accepts(nested(10, "o2"))
    started = time.monotonic()
    for levels in (1, 4, 20):
        assert not validator.accepts(nested(levels, "zz"))
        violations, total = validator.explain(nested(levels, "zz"))
        assert (len(violations), total) == (1, 1)
    numbers = Validator("t", 1, {"$schema": DIALECT, "items": {"type": "string"}})
    violations, total = numbers.explain([1] * 500_000)
    assert [(v.pointer, v.keyword) for v in violations] == [("/0", "type")]
    assert time.monotonic() - started < 1


def test_complexity_counts_the_evaluations() -> None:
    flat = {"properties": {f"p{n}": {"type": "string"} for n in range(50)}}
    assert SchemaComplexity(flat).evaluations(64) == 2
    doubled = SchemaComplexity(fanned(3))
    assert doubled.evaluations(0) == 30, "1 + f(0), where f(n) = 1 + 2 (1 + f(n + 1)) and f(3) = 1"
    tree = SchemaComplexity({"properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}})
    assert tree.evaluations(10) == 21
    twice = SchemaComplexity({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}})
    assert twice.evaluations(30) > 2**30


def test_a_schema_at_every_limit_is_admitted_in_time() -> None:
    schema = {
        "properties": {f"p{n}": {"type": "string", "pattern": f"^[a-z]{{{n % 40}}}$"}
                       for n in range(PATTERNS)},
        "$defs": {f"d{n}": {"enum": list(range(40))} for n in range(600)},
        "anyOf": [{"type": "object", "minProperties": 0} for _ in range(BRANCHES)],
    }  # fmt: skip
    started = time.thread_time()
    admit(submitted(**schema))
    assert time.thread_time() - started < 4, len(json.dumps(schema))


def test_all_faults_are_told_at_once_with_advice() -> None:
    schema = {
        "properties": {
            "a": {"pattern": "^(?=x)", "minLength": -1},
            "b": {"patternProperties": {"(?<jam>[0-9]+)": True, "\\\\p": True}},
            "c": {"pattern": "\\p{L}+(?!x)"},
            "d": {"pattern": "(a)\\1"},
            "e": {"pattern": "(?<!a)b"},
            "f": {"type": "thing"},
        }
    }
    with pytest.raises(Invalid, match=r"looks ahead.*There are 6 more faults") as caught:
        admit(submitted(**schema))
    assert caught.value.pointer == "/properties/a/pattern"
    found = {each.pointer: each.message for each in caught.value.faults}
    expected = {
        "/properties/a/pattern": "ahead",
        "/properties/b/patternProperties/(?<jam>[0-9]+)": "names a group",
        "/properties/c/pattern": "property",
        "/properties/d/pattern": "refers back",
        "/properties/e/pattern": "behind",
        "/properties/a/minLength": "less than the minimum",
        "/properties/f/type": "thing",
    }
    assert found.keys() == expected.keys()
    assert all(word in found[pointer] for pointer, word in expected.items())


def test_all_references_without_a_target_are_told_at_once() -> None:
    with pytest.raises(Invalid, match="There are 2 more faults") as caught:
        admit(submitted(properties={name: {"$ref": f"{name}.json"} for name in "abc"}))
    assert sorted(each.pointer for each in caught.value.faults) == [
        f"/properties/{name}/$ref" for name in "abc"
    ]
