"""One question decided, without a worker around it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.contracts.compatibility import (
    Compatible,
    Direction,
    Incompatible,
    Policy,
    Undecided,
    Verdict,
    deciding,
)
from gateway.contracts.compatibility.algebra import Inclusion
from gateway.contracts.compatibility.deciding import decide
from gateway.contracts.compatibility.question import Question

TEXT = {"type": "string"}
OPEN = {"type": "object", "properties": {"a": TEXT}}


def _text(schema: Any) -> bytes:
    return schema if isinstance(schema, bytes) else json.dumps(schema).encode()


def _all(old: Any, new: Any, *, policy: Policy = Policy.STRICT, **more: Any) -> tuple[Verdict, ...]:
    return tuple(decide(Question(_text(old), _text(new), Direction.BACKWARD, policy, **more)))


def _last(old: Any, new: Any, **more: Any) -> Verdict:
    return _all(old, new, **more)[-1]


def test_equal_schemas_need_no_proof() -> None:
    assert _all(TEXT, TEXT | {"title": "x"}) == (Compatible(),)


def test_zero_is_not_false() -> None:
    assert isinstance(_last({"const": False}, {"const": 0}), Incompatible)


def test_an_answer_that_may_not_come_is_preceded_by_one_that_holds() -> None:
    first, *_ = _all({"type": "integer"}, TEXT)
    assert isinstance(first, Undecided)
    assert "time limit" in first.reason
    assert first.changes


def test_a_loss_is_shown_with_its_reason_and_place() -> None:
    verdict = _last(OPEN, OPEN | {"required": ["a"]})
    assert isinstance(verdict, Incompatible)
    assert verdict.counterexample is not None
    assert verdict.counterexample.document == {}
    assert '"a" is a required property' in verdict.counterexample.reason
    assert [str(each) for each in verdict.changes] == ["`/a`: became required"]


def test_numbers_of_a_document_are_exact() -> None:
    verdict = _last({"type": "number", "multipleOf": 0.01}, {"type": "number", "multipleOf": 0.1})
    assert isinstance(verdict, Incompatible)
    assert verdict.counterexample is not None
    assert verdict.counterexample.document == Decimal("0.01")


def test_an_example_that_is_lost_is_proof() -> None:
    hard = {"type": "string", "pattern": "^(?:[a-f0-9]{2}:){5}[a-f0-9]{2}$"}
    new = {"not": {"const": "0a:1b:2c:3d:4e:5f"}}
    example = b'"0a:1b:2c:3d:4e:5f"'
    verdict = _last(hard, new, examples=(example,), by_algebra=False)
    assert isinstance(verdict, Incompatible)
    assert verdict.counterexample is not None
    assert verdict.counterexample.document == "0a:1b:2c:3d:4e:5f"


def test_a_document_outranks_the_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "inclusion", lambda writer, reader: Inclusion(True))
    assert isinstance(_last({"type": "number"}, {"type": "integer"}), Incompatible)


def test_a_proof_without_a_document_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "inclusion", lambda writer, reader: Inclusion(False))
    *_, before, last = _all({"type": "integer"}, {"type": "number"})
    assert before == last
    assert isinstance(last, Incompatible)
    assert last.counterexample is None


def test_without_the_algebra_nothing_is_called_compatible() -> None:
    verdict = _last({"type": "integer"}, {"type": "number"}, by_algebra=False)
    assert isinstance(verdict, Undecided)


def test_the_friendly_policy_closes_the_writer_only() -> None:
    new = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}}}
    assert isinstance(_last(OPEN, new), Incompatible)
    assert _last(OPEN, new, policy=Policy.OPTIONAL_FRIENDLY) == Compatible()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (b"", "the old schema: not JSON"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff", "UTF-8"),
        (b"[]", "unknown|no JSON Schema"),
        (b"7", "no JSON Schema"),
        (b"[" * 5000, "deeper"),
        ({"type": "teks"}, "no JSON Schema"),
        ({"properties": []}, "no JSON Schema"),
        ({"pattern": "("}, "compile|no JSON Schema"),
        ({"pattern": "(a+)+\\1"}, "compile"),
        ({"$ref": "http://127.0.0.1:9/x"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"$ref": "#"}, "to itself"),
        ({"$schema": "http://127.0.0.1:9/meta"}, "unknown dialect"),
    ],
)
def test_what_cannot_be_read_is_undecided_with_the_reason(schema: Any, reason: str) -> None:
    verdict = _last(schema, TEXT)
    assert isinstance(verdict, Undecided)
    assert any(word in verdict.reason for word in reason.split("|"))


def test_it_says_which_schema_cannot_be_read() -> None:
    verdict = _last(TEXT, b"{")
    assert isinstance(verdict, Undecided)
    assert verdict.reason.startswith("the new schema")


def test_a_pattern_that_backtracks_for_ever_elsewhere_is_harmless() -> None:
    old = {"type": "string", "pattern": "^(a+)+$"}
    new = {"type": "string", "pattern": "^(a+)+b$"}
    assert isinstance(_last(old, new), Incompatible)
    assert isinstance(_last(old, {"type": "string", "pattern": "^a+$"}), Compatible)
