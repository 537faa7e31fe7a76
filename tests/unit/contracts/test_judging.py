"""What is told of a version that would break something."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.contracts.compatibility import Compatibility, Mode, Rule
from gateway.contracts.governance.comparison import judge
from gateway.contracts.soundness import DIALECT
from tests.builders import NIK

EXAMPLE = {"n": 1, "nik": NIK}


@pytest.fixture
async def compatibility() -> AsyncIterator[Compatibility]:
    compatibility = Compatibility()
    yield compatibility
    await compatibility.close()


def a_schema(**members: Any) -> bytes:
    properties = {"n": {"type": "integer"}, "nik": {"type": "string", "x-pii": "nik"}, **members}
    schema = {"$schema": DIALECT, "type": "object", "required": ["n", "nik"]}
    return json.dumps({**schema, "properties": properties}).encode()


async def report(compatibility: Compatibility, new: bytes) -> Any:
    """What is told of a change."""
    older = {1: (a_schema(), None)}
    judged = await judge(compatibility, (new, None), older, Rule(Mode.BACKWARD), [EXAMPLE])
    return json.loads(judged.document())


async def test_a_counterexample_shows_no_personal_data(compatibility: Compatibility) -> None:
    told = await report(compatibility, a_schema(n={"type": "integer", "maximum": 0}))
    found = told["counterexample"]
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
    compatibility: Compatibility, nik: dict[str, Any]
) -> None:
    told = await report(compatibility, a_schema(nik=nik))
    assert told["counterexample"]["document"]["nik"] == "…"
    assert told["counterexample"]["reason"] == (
        "personal data that the other version does not accept"
    )
