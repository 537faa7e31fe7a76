"""Admission: the checks that a contract must pass before it is registered."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.base import strict_json, type_pattern
from gateway.base.errors import Invalid, Malformed
from gateway.base.masking import require_impersonal
from gateway.contracts.compatibility import closed_form
from gateway.contracts.compilation import (
    CompiledSchema,
    Library,
    compile_schema,
    require_schema,
)
from gateway.contracts.cost import DEFAULT, Budget, require_affordable
from gateway.contracts.examples import require_agreement, require_closed
from gateway.contracts.schema_limits import SCHEMA_DEPTH
from gateway.contracts.values import Contract, Pattern, Submission, Version

ORDERING_KEYS = ("subject", "partitionkey", "id")
EMPTY_LIBRARY = Library()


@dataclass(frozen=True, slots=True)
class Bundles:
    """The schemas of a version with all references embedded; None where there are none."""

    text: bytes | None
    reply: bytes | None


def admit(
    submission: Submission,
    library: Library = EMPTY_LIBRARY,
    closed: bool = False,
    budget: Budget = DEFAULT,
) -> Mapping[int, int]:
    """Check a contract, its schemas and its examples. Raises Invalid with the first fault.

    With `closed`, the valid examples must also be valid under the closed form of the schema.
    Returns for each version the largest event, in bytes, that may be validated inline.
    """
    contract = submission.contract
    admit_contract(contract)
    admitted = [_admit_version(contract, each, library) for each in submission.versions]
    schema, reply = admitted[-1]
    require_agreement(schema, submission.valid, submission.invalid)
    if closed:
        require_closed(schema, submission.valid)
    if reply is not None:
        require_agreement(reply, submission.valid_replies, submission.invalid_replies)
    if reply is not None and closed:
        require_closed(reply, submission.valid_replies)
    return {
        version.number: min(
            _inline_bytes(each, closed, budget) for each in schemas if each is not None
        )
        for version, schemas in zip(submission.versions, admitted, strict=True)
    }


def admit_contract(contract: Contract) -> None:
    """Check the facts of a contract. Raises Invalid."""
    if not type_pattern.is_event_type(contract.type):
        raise Invalid(
            f"{contract.type}: invalid event type. Use "
            "id.go.<organisation>.<entity>.<fact>.v<major>.",
            pointer="/type",
        )
    require_impersonal(contract.type, pointer="/type")
    if contract.pattern is Pattern.REQUEST_REPLY and not type_pattern.has_reply_type(contract.type):
        raise Invalid(
            f"{contract.type}: too long, because the type of its replies ends in .reply. Use a "
            "shorter type.",
            pointer="/type",
        )
    if contract.type.split(".")[2] != contract.owner:
        raise Invalid(
            f"{contract.type}: the third segment must be the owner, {contract.owner}.",
            pointer="/owner",
        )
    if contract.ordering.key not in ORDERING_KEYS:
        raise Invalid(
            f"{contract.type}: the ordering key must be one of {', '.join(ORDERING_KEYS)}.",
            pointer="/ordering/key",
        )


def require_readable(name: str, version: Version) -> None:
    """Raises Invalid unless the schemas are JSON objects of bounded size in known dialects."""
    try:
        strict_json.require_strict(version.text, depth=SCHEMA_DEPTH)
        require_schema(name, version.text, version.document)
        if version.reply is not None:
            strict_json.require_strict(version.reply, depth=SCHEMA_DEPTH)
            require_schema(name, version.reply, version.reply_document)
    except Malformed as error:
        raise Invalid(f"{name}: {error}", pointer=error.pointer) from None


def bundles_of(version: Version, library: Library = EMPTY_LIBRARY) -> Bundles:
    """The bundles of an admitted version."""
    reply = version.reply
    reply_bundle = None if reply is None else library.bundle(reply, version.reply_document)
    return Bundles(library.bundle(version.text, version.document), reply_bundle)


def _inline_bytes(schema: CompiledSchema, closed: bool, budget: Budget) -> int:
    """Raises Invalid if validating the largest event could take too long."""
    name = f"{schema.validator.type} version {schema.validator.version}"
    try:
        inline = require_affordable(schema.document, budget)
    except Invalid as error:
        raise Invalid(f"{name}: {error}", pointer=error.pointer) from None
    if not closed:
        return inline
    try:
        return require_affordable(closed_form(schema.document), budget)
    except Invalid as error:
        raise Invalid(f"{name}: in its closed form, {error}") from None


def _admit_version(
    contract: Contract, version: Version, library: Library
) -> tuple[CompiledSchema, CompiledSchema | None]:
    schema = compile_schema(contract.type, version.number, version.text, library)
    if (version.reply is not None) is not (contract.pattern is Pattern.REQUEST_REPLY):
        raise Invalid(
            f"{contract.type}: every version of a request-reply contract needs a reply schema; "
            "other contracts must not have one."
        )
    if version.reply is None:
        return schema, None
    return schema, compile_schema(contract.type, version.number, version.reply, library)
