"""What an event may cost: schemas whose largest event would take too long are refused, with why.

Each of these took 4 to 900 s for one event of 1 MiB, so that the outcome does not depend on how
fast the machine is.
"""

import json
import re
from decimal import Decimal
from math import inf
from typing import Any

import pytest

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import admit
from gateway.contracts.complexity import SchemaGraph
from gateway.contracts.cost import INLINE_UNKNOWN, Budget, measuring, require_affordable
from gateway.contracts.cost.multiplicity import multiplicities
from gateway.contracts.schema_limits import DIALECT
from gateway.contracts.values import InvalidExample, Version
from tests.builders import a_schema, a_submission

LITTLE = Budget(seconds=0.5)
AMPLE = Budget(seconds=10)


def array_of(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": schema, **more}


def branching(width: int, levels: int) -> dict[str, Any]:
    """References that multiply: each level refers to the next one several times."""
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * width} for n in range(levels)
    }
    return {**defs, f"d{levels}": {"not": {"const": "q"}}}


def measured(schema: dict[str, Any], budget: Budget) -> int:
    text = json.dumps({"$schema": DIALECT, **schema}).encode()
    return require_affordable(strict_json.parse(text), budget)


BOMBS: dict[str, tuple[dict[str, Any], str]] = {
    "references": (
        array_of({"$ref": "#/$defs/d0"}, **{"$defs": branching(5, 5)}),
        r"/\$defs/d\d/allOf",
    ),
    "alternatives of numbers": (
        array_of({"oneOf": [{"type": "integer", "multipleOf": 7, "minimum": 10**9 + n}
                            for n in range(240)]}),
        "/items/oneOf",
    ),
    "counted repetition": (
        {"properties": {"a": {"type": "string", "pattern": "^((a{1,60}){1,60})*$"}}},
        "/properties/a/pattern",
    ),
    "dependent members": (
        array_of({"dependentRequired": {f"p{n}": ["q"] for n in range(4000)}}),
        "/items/dependentRequired",
    ),
    "dependent schemas": (
        array_of({"dependentSchemas": {f"p{n}": {"required": ["q"]} for n in range(1900)}}),
        "/items/dependentSchemas",
    ),
    "what was evaluated": (
        {"anyOf": [{"contains": {"const": n}} for n in range(240)],
         "unevaluatedItems": {"type": "integer"}},
        "/anyOf",
    ),
    "multiples": (array_of({"multipleOf": 1e-300}), "/items/multipleOf"),
    "members of members": (
        {"additionalProperties": {"additionalProperties": {"$ref": "#/$defs/d0"}},
         "$defs": branching(5, 5)},
        r"/\$defs/d\d/allOf",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_take_too_long_is_refused_with_its_place(name: str) -> None:
    schema, pointer = BOMBS[name]
    with pytest.raises(
        Invalid, match=r"could take .* s to validate; .* allowed\. Most of"
    ) as caught:
        measured(schema, LITTLE)
    assert re.fullmatch(pointer, caught.value.pointer or "")


@pytest.mark.parametrize("name", ["references", "alternatives of numbers", "what was evaluated"])
def test_the_whole_is_measured_though_its_parts_took_too_long(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a slow machine; the whole takes a tenth of a second on a fast one."""
    monkeypatch.setattr(measuring, "_LIMIT", 0)
    with pytest.raises(Invalid, match="could take"):
        measured(BOMBS[name][0], Budget(seconds=0.05))


@pytest.mark.parametrize("name", BOMBS)
def test_the_same_is_admitted_where_the_event_can_not_repeat_it(name: str) -> None:
    """As the author is advised: a bound on the array, the object or the text around it."""
    schema, _ = BOMBS[name]
    bounded = {**schema, "maxItems": 2, "maxProperties": 2}
    if name == "counted repetition":
        bounded["properties"] = {"a": {**schema["properties"]["a"], "maxLength": 60}}
    if name == "members of members":
        bounded["additionalProperties"] = {
            **schema["additionalProperties"],
            "maxProperties": 2,
        }
    measured(bounded, AMPLE)


@pytest.mark.parametrize(
    "members",
    [
        [{"a": number} for number in range(4900)],
        [[number, "x" * 8] for number in range(4900)],
        [number + 0.5 for number in range(4900)],
        [f"kode-{number}" for number in range(4900)],
        [None, *range(4900), "lain"],
    ],
    ids=("objects", "arrays", "decimals", "texts", "mixed"),
)
def test_a_long_enum_is_cheap_whatever_it_lists(members: list[Any]) -> None:
    """Measured before: 45 s for 1 MiB of the last of 4,900 objects, 600 s for decimals."""
    measured(array_of({"enum": members}), AMPLE)


def test_an_ordinary_schema_is_validated_inline() -> None:
    person = {
        "type": "object",
        "required": ["nik"],
        "properties": {
            "nik": {"type": "string", "pattern": "^[0-9]{16}$"},
            "lahir": {"type": "string", "format": "date"},
            "anak": array_of({"$ref": "#"}),
        },
        "additionalProperties": False,
    }
    assert measured(person, AMPLE) > 8 * INLINE_UNKNOWN


def test_an_expensive_schema_is_not_validated_inline() -> None:
    expensive = {"patternProperties": {f"^(x|{n}|y)*z{n}$": True for n in range(490)}}
    assert measured(expensive, AMPLE) < 4 * INLINE_UNKNOWN


def test_admission_names_the_version_and_the_place() -> None:
    schema, pointer = BOMBS["references"]
    submission = a_submission(
        versions=(Version(1, a_schema(**schema)),),
        valid={"one": []},
        invalid=(InvalidExample("text", "", "", "", "q"),),
    )
    with pytest.raises(Invalid, match="version 1: An event of") as caught:
        admit(submission, budget=LITTLE)
    assert re.fullmatch(pointer, caught.value.pointer or "")


def test_admission_measures_every_version() -> None:
    versions = (Version(1, a_schema()), Version(2, a_schema(title="two")))
    assert admit(a_submission(versions=versions)).keys() == {1, 2}


def test_how_often_a_document_reaches_each_schema() -> None:
    found = multiplicities(
        SchemaGraph(
            {
                "properties": {"a": {"items": {"$ref": "#/$defs/d0"}, "maxItems": 3}},
                "$defs": {
                    **branching(5, 2),
                    "tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}},
                    "unused": {},
                },
                "additionalProperties": {"$ref": "#/$defs/tree"},
                "maxProperties": Decimal(4),
            }
        )
    )
    assert found["/properties/a"] == 1
    assert found["/$defs/d0"] == 3
    assert found["/$defs/d2"] == 75
    assert found["/additionalProperties"] == 4
    assert found["/$defs/tree"] == inf
    assert found["/$defs/unused"] == 0
