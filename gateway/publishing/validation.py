"""Validates an event under its contract: which version applies, and whether the data keep it."""

import re
from functools import lru_cache

from gateway.base import strict_json
from gateway.base.errors import ContractViolation, Invalid, Malformed, Violation
from gateway.base.event import Event
from gateway.contracts import Catalogue, CatalogueVersion, Validator, VersionState, schema_id
from gateway.journal import Candidate

_SCHEMA_URL = re.compile(r"https?://[^/]*(?:/.*)?(?=/v1/contracts/[^/]+/versions/[^/]+/schema$)")


def accept(event: Event, sender: tuple[str, str], catalogue: Catalogue) -> Candidate:
    """The event as the journal may store it, valid under its contract.

    `sender` is a client and its organisation. Whether it may publish the event is not asked here,
    see `EventPublisher.accept`. Raises Invalid, Malformed or ContractViolation.
    """
    validator = validator_of(event, catalogue)
    validate(event, validator)
    return Candidate(event, *sender, validator.version)


def validate(event: Event, validator: Validator) -> None:
    """Raises ContractViolation or Malformed unless the data are valid under the schema."""
    if event.data is None or event.binary:
        missing = Violation("", "type", "The event must carry JSON data.")
        raise ContractViolation(validator.type, validator.version, (missing,), 1)
    try:
        data = strict_json.parse(event.data)
    except Malformed as error:
        pointer = f"/data{error.pointer or ''}"
        raise Malformed(f"In data: {error}", pointer=pointer, byte=error.byte) from None
    validator.require(data)


def validator_of(event: Event, catalogue: Catalogue) -> Validator:
    """The validator of the version that `dataschema` names, else of the newest active one.

    Raises Invalid if that version is not usable. A `dataschema` that is not the id of a registered
    schema is the publisher's own affair, and stays with the event.
    """
    named = event.attributes.get("dataschema")
    if named is not None:
        version = _named_version(str(named), event, catalogue)
        if version is not None:
            return version.validator
    try:
        return catalogue.validator(event.type)
    except KeyError:
        raise Invalid(
            f"No version of {event.type} is active. Publish the type that has replaced it, or ask "
            f"{event.type.split('.')[2]} for a new version.",
            pointer="/type",
        ) from None


def version_of(event: Event, catalogue: Catalogue) -> CatalogueVersion | None:
    """The version that validated an accepted event. Raises Invalid as `validator_of` does."""
    return catalogue.version(event.type, validator_of(event, catalogue).version)


def _named_version(dataschema: str, event: Event, catalogue: Catalogue) -> CatalogueVersion | None:
    found = _schema_id(dataschema)
    if found is None:
        return None
    type_, number = found
    if type_ != event.type:
        raise Invalid(
            f"dataschema names {type_}, but the event is {event.type}. Name a version of its own "
            "type, or omit dataschema.",
            pointer="/dataschema",
        )
    version = catalogue.version(type_, number)
    if version is None or not version.usable:
        state = "unknown" if version is None else version.state.value
        raise Invalid(
            f"Version {number} of {type_} is {state}. {_advice(version, catalogue, type_)}",
            pointer="/dataschema",
        )
    return version


def _advice(version: CatalogueVersion | None, catalogue: Catalogue, type: str) -> str:
    if version is not None and version.state is VersionState.DRAFT:
        return "Another administrator of the owner must approve it first."
    current = catalogue.current.get(type)
    if current is None:
        return "No version of this type is active any more."
    return f"Name version {current.number}, or omit dataschema to use the newest."


@lru_cache(maxsize=4096)
def _schema_id(dataschema: str) -> tuple[str, int] | None:
    """The type and version that a dataschema names, under any address of this gateway."""
    match = _SCHEMA_URL.match(dataschema)
    return schema_id(dataschema, match[0] if match else "")
