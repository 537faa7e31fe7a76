"""What is shown of a version that would break something."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.contracts.compatibility import CompatibilityChecker, CompatibilityMode, Rule
from gateway.contracts.governance.comparison import compare_versions
from gateway.contracts.schema_limits import DIALECT
from tests.builders import NIK

EXAMPLE = {"n": 1, "nik": NIK}


@pytest.fixture
async def compatibility() -> AsyncIterator[CompatibilityChecker]:
    compatibility = CompatibilityChecker()
    yield compatibility
    await compatibility.close()


def a_schema(**members: Any) -> bytes:
    properties = {"n": {"type": "integer"}, "nik": {"type": "string", "x-pii": "nik"}, **members}
    schema = {"$schema": DIALECT, "type": "object", "required": ["n", "nik"]}
    return json.dumps({**schema, "properties": properties}).encode()


async def report(compatibility: CompatibilityChecker, new: bytes) -> Any:
    """The compatibility report of a change."""
    older = {1: (a_schema(), None)}
    compared = await compare_versions(
        compatibility, (new, None), older, Rule(CompatibilityMode.BACKWARD), [EXAMPLE]
    )
    return json.loads(compared.document())


async def test_a_counterexample_shows_no_personal_data(compatibility: CompatibilityChecker) -> None:
    shown = await report(compatibility, a_schema(n={"type": "integer", "maximum": 0}))
    found = shown["counterexample"]
    assert found["document"]["nik"] == "…"
    assert found["document"]["n"] > 0
    assert found["reason"].startswith("`/n`: ")


@pytest.mark.parametrize(
    "nik",
    [
        {"type": "string", "x-pii": "nik", "pattern": "^9{16}$"},
        {"type": "string", "not": {"const": NIK}},  # the mark is lost as well
    ],
)
async def test_a_reason_quotes_no_personal_data(
    compatibility: CompatibilityChecker, nik: dict[str, Any]
) -> None:
    shown = await report(compatibility, a_schema(nik=nik))
    assert shown["counterexample"]["document"]["nik"] == "…"
    assert shown["counterexample"]["reason"] == (
        "The document holds personal data that the other version refuses."
    )
