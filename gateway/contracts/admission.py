"""What a contract must prove before it is registered."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import jsonschema_rs
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway import jsontext, typepattern
from gateway.contracts.judge import Judge, pointer
from gateway.contracts.values import Contract, InvalidExample, Pattern, Submission
from gateway.errors import Invalid, Malformed

SCHEMA_LIMIT = 256 << 10  # bytes of one schema
SCHEMA_DEPTH = 32
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ORDERING_KEYS = ("subject", "partitionkey", "id")


def admit(submission: Submission) -> None:
    """Check a contract, its schemas and its examples. Raises Invalid with the first fault."""
    contract = submission.contract
    _admit_contract(contract)
    for version in submission.versions:
        _compile(contract.type, version.number, version.text)
        if (version.reply is not None) is not (contract.pattern is Pattern.REQUEST_REPLY):
            raise Invalid(
                f"{contract.type}: a reply schema belongs to every version of a request-reply "
                "contract, and to no other"
            )
        if version.reply is not None:
            _compile(contract.type, version.number, version.reply)
    newest = submission.versions[-1]
    _require_agreement(contract.type, newest.text, submission.valid, submission.invalid)
    if newest.reply is not None:
        _require_agreement(
            contract.type, newest.reply, submission.valid_replies, submission.invalid_replies
        )


def _admit_contract(contract: Contract) -> None:
    if not typepattern.is_event_type(contract.type):
        raise Invalid(
            f"{contract.type}: a type reads id.go.<organisation>.<entity>.<fact>.v<major>",
            pointer="/type",
        )
    if contract.type.split(".")[2] != contract.owner:
        raise Invalid(
            f"{contract.type}: the third word must be its owner, {contract.owner}", pointer="/owner"
        )
    if contract.ordering.key not in ORDERING_KEYS:
        raise Invalid(
            f"{contract.type}: ordering must name one of {', '.join(ORDERING_KEYS)}",
            pointer="/ordering/key",
        )


def _compile(type: str, version: int, text: bytes) -> tuple[Judge, Draft202012Validator]:
    where = f"{type} version {version}"
    if len(text) > SCHEMA_LIMIT:
        raise Invalid(f"{where}: a schema may have {SCHEMA_LIMIT} bytes, this one has {len(text)}")
    try:
        schema = jsontext.parse(text, depth=SCHEMA_DEPTH)
    except Malformed as error:
        raise Invalid(f"{where}: {error}") from None
    if not isinstance(schema, dict) or schema.get("$schema") != DIALECT:
        raise Invalid(f"{where}: a schema is an object with $schema {DIALECT}")
    try:
        Draft202012Validator.check_schema(schema)
        reference = Draft202012Validator(
            schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        return Judge(type, version, schema), reference
    except jsonschema.SchemaError as error:
        raise Invalid(
            f"{where}: no valid JSON Schema at {pointer(list(error.absolute_path))}: "
            f"{error.message}"
        ) from None
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).partition("\n")[0]
        raise Invalid(f"{where}: the schema does not compile: {reason}") from None


def _require_agreement(
    type: str, text: bytes, valid: Mapping[str, Any], invalid: Sequence[InvalidExample]
) -> None:
    """Both validators must say of every example what it claims to be."""
    if not valid or not invalid:
        raise Invalid(f"{type}: give at least one valid and one invalid example")
    judge, reference = _compile(type, 0, text)
    try:
        for name, data in valid.items():
            if not (judge.accepts(data) and reference.is_valid(data)):
                raise Invalid(f"{type}: the valid example {name} breaks the schema")
        for example in invalid:
            if judge.accepts(example.data) or reference.is_valid(example.data):
                raise Invalid(f"{type}: the invalid example {example.name} keeps the schema")
            _require_reason(type, example, judge)
    except Unresolvable as error:
        raise Invalid(f"{type}: a $ref leads nowhere in the schema: {error}") from None


def _require_reason(type: str, example: InvalidExample, judge: Judge) -> None:
    violations, _ = judge.explain(example.data)
    if not any((v.pointer, v.keyword) == (example.pointer, example.keyword) for v in violations):
        found = ", ".join(f"{v.keyword} at {v.pointer or '(root)'}" for v in violations)
        raise Invalid(
            f"{type}: the invalid example {example.name} claims {example.keyword} at "
            f"{example.pointer or '(root)'}, but breaks {found}"
        )
