"""One comparison, without a worker."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.contracts.compatibility import (
    Comparison,
    CompatibilityDirection,
    CompatibilityPolicy,
    Compatible,
    Incompatible,
    Undecided,
    comparing,
)
from gateway.contracts.compatibility.algebra import Inclusion
from gateway.contracts.compatibility.comparing import compare
from gateway.contracts.compatibility.values import ComparisonTask

TEXT = {"type": "string"}
OPEN = {"type": "object", "properties": {"a": TEXT}}


def _text(schema: Any) -> bytes:
    return schema if isinstance(schema, bytes) else json.dumps(schema).encode()


def _all(
    old: Any, new: Any, *, policy: CompatibilityPolicy = CompatibilityPolicy.STRICT, **more: Any
) -> tuple[Comparison, ...]:
    return tuple(
        compare(
            ComparisonTask(_text(old), _text(new), CompatibilityDirection.BACKWARD, policy, **more)
        )
    )


def _last(old: Any, new: Any, **more: Any) -> Comparison:
    return _all(old, new, **more)[-1]


def test_equal_schemas_need_no_proof() -> None:
    assert _all(TEXT, TEXT | {"title": "x"}) == (Compatible(),)


def test_zero_is_not_false() -> None:
    assert isinstance(_last({"const": False}, {"const": 0}), Incompatible)


def test_a_weaker_result_comes_before_the_final_one() -> None:
    first, *_ = _all({"type": "integer"}, TEXT)
    assert isinstance(first, Undecided)
    assert "time limit" in first.reason
    assert first.changes


def test_a_counterexample_has_a_reason_and_a_pointer() -> None:
    result = _last(OPEN, OPEN | {"required": ["a"]})
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert result.counterexample.document == {}
    assert '"a" is a required property' in result.counterexample.reason
    assert [str(each) for each in result.changes] == ["`/a`: became required"]


def test_numbers_of_a_document_are_exact() -> None:
    result = _last({"type": "number", "multipleOf": 0.01}, {"type": "number", "multipleOf": 0.1})
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert result.counterexample.document == Decimal("0.01")


def test_an_example_that_only_the_reader_refuses_is_proof() -> None:
    hard = {"type": "string", "pattern": "^(?:[a-f0-9]{2}:){5}[a-f0-9]{2}$"}
    new = {"not": {"const": "0a:1b:2c:3d:4e:5f"}}
    example = b'"0a:1b:2c:3d:4e:5f"'
    result = _last(hard, new, examples=(example,), by_algebra=False)
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert result.counterexample.document == "0a:1b:2c:3d:4e:5f"


def test_a_document_outranks_the_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "inclusion", lambda writer, reader: Inclusion(True))
    assert isinstance(_last({"type": "number"}, {"type": "integer"}), Incompatible)


def test_a_proof_without_a_document_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "inclusion", lambda writer, reader: Inclusion(False))
    *_, before, last = _all({"type": "integer"}, {"type": "number"})
    assert before == last
    assert isinstance(last, Incompatible)
    assert last.counterexample is None


def test_without_the_algebra_nothing_is_called_compatible() -> None:
    result = _last({"type": "integer"}, {"type": "number"}, by_algebra=False)
    assert isinstance(result, Undecided)


def test_the_friendly_policy_closes_the_writer_only() -> None:
    new = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}}}
    assert isinstance(_last(OPEN, new), Incompatible)
    assert _last(OPEN, new, policy=CompatibilityPolicy.OPTIONAL_FRIENDLY) == Compatible()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (b"", "Old schema: "),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff", "UTF-8"),
        (b"[]", "unknown|not a valid JSON Schema"),
        (b"7", "not a valid JSON Schema"),
        (b"[" * 5000, "deeper"),
        ({"type": "teks"}, "not a valid JSON Schema"),
        ({"properties": []}, "not a valid JSON Schema"),
        ({"pattern": "("}, "compile|not a valid JSON Schema"),
        ({"pattern": "(a+)+\\1"}, "compile"),
        ({"$ref": "http://127.0.0.1:9/x"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"$ref": "#"}, "to itself"),
        ({"$schema": "http://127.0.0.1:9/meta"}, "unknown dialect"),
    ],
)
def test_what_cannot_be_read_is_undecided_with_the_reason(schema: Any, reason: str) -> None:
    result = _last(schema, TEXT)
    assert isinstance(result, Undecided)
    assert any(word in result.reason for word in reason.split("|"))


def test_it_says_which_schema_cannot_be_read() -> None:
    result = _last(TEXT, b"{")
    assert isinstance(result, Undecided)
    assert result.reason.startswith("New schema")


def test_a_pattern_that_backtracks_for_ever_elsewhere_is_harmless() -> None:
    old = {"type": "string", "pattern": "^(a+)+$"}
    new = {"type": "string", "pattern": "^(a+)+b$"}
    assert isinstance(_last(old, new), Incompatible)
    assert isinstance(_last(old, {"type": "string", "pattern": "^a+$"}), Compatible)


NIK = {"type": "string", "x-pii": "nik"}
PERSON = {"type": "object", "properties": {"nik": NIK}}


@pytest.mark.parametrize("marked", ["old", "new"])
def test_a_counterexample_shows_no_personal_data_whichever_schema_marks_them(marked: str) -> None:
    def person(side: str, **rule: int) -> dict[str, Any]:
        nik = NIK if side == marked else TEXT
        properties = {"nik": nik, "n": {"type": "integer", **rule}}
        return {"type": "object", "properties": properties, "required": ["nik"]}

    example = _text({"nik": "3171234567890123", "n": 0})
    result = _last(person("old"), person("new", maximum=0), examples=(example,))
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert result.counterexample.document["nik"] == "…"
    assert result.counterexample.reason.startswith("`/n`: ")


def test_what_is_incompatible_stays_so_if_masking_takes_too_long() -> None:
    *_, unmasked, result = _all(PERSON, PERSON | {"required": ["nik"]})
    assert isinstance(unmasked, Incompatible)
    assert isinstance(result, Incompatible)
    assert unmasked.counterexample is None
    assert result.counterexample is not None


def test_the_encoding_of_a_text_makes_no_comparison_undecided() -> None:
    pdf = {"type": "string", "contentEncoding": "base64"}
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "additionalProperties": False}
    old = draft | {"type": "object", "properties": {"pdf": pdf}}
    new = draft | {"type": "object", "properties": {"pdf": pdf, "n": TEXT}}
    assert _last(old, new) == Compatible()
    assert isinstance(_last(new, old), Incompatible)
