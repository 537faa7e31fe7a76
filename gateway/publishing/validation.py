"""Validates an event under its contract: which version applies, and whether the data keep it."""

import re
from functools import lru_cache
from time import perf_counter, thread_time
from typing import Any

from gateway.base import strict_json
from gateway.base.errors import ContractViolation, Invalid, Malformed, Violation
from gateway.base.event import Event
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.contracts import (
    Catalogue,
    CatalogueVersion,
    ValidationPool,
    Validator,
    VersionState,
    schema_id,
)
from gateway.journal import Candidate

_SLOW = 0.01  # seconds: ten times what admission expects of the events that are validated here

_SCHEMA_URL = re.compile(r"https?://[^/]*(?:/.*)?(?=/v1/contracts/[^/]+/versions/[^/]+/schema$)")


class EventValidator:
    """The one place where events are validated: cheap ones here, others in worker processes."""

    def __init__(self, catalogue: Snapshot[Catalogue], pool: ValidationPool) -> None:
        self._catalogue = catalogue
        self._pool = pool

    async def accept(self, event: Event, sender: tuple[str, str]) -> Candidate:
        """The event as the journal may store it, valid under its contract.

        `sender` is a client and its organisation. Whether it may publish the event is not asked
        here, see `EventPublisher.accept`. Raises what `validate` raises, and Invalid.
        """
        version = version_of(event, self._catalogue.value)
        await self.validate(event, version, sender[1])
        return Candidate(event, *sender, version.number)

    async def validate(
        self, event: Event, version: CatalogueVersion, organisation: str, *, is_reply: bool = False
    ) -> None:
        """Raises ContractViolation or Malformed unless the data are valid under the version.

        Raises TooExpensive if that takes too much CPU, and Unavailable if it must be tried again.
        `organisation` waits for its turn if the event is not cheap.
        """
        data = event.data
        if data is None or event.binary:
            missing = Violation("", "type", "The event must carry JSON data.")
            raise ContractViolation(version.type, version.number, (missing,), 1)
        try:
            if len(data) > version.inline_bytes or not _accepted(data, version, is_reply):
                await self._pool.validate(  # which also finds what is wrong
                    data,
                    version.schema(of_reply=is_reply),
                    organisation,
                    expected=version.expected_seconds(len(data)),
                )
        except Malformed as error:
            pointer = f"/data{error.pointer or ''}"
            raise Malformed(f"In data: {error}", pointer=pointer, byte=error.byte) from None


def _accepted(text: bytes, version: CatalogueVersion, is_reply: bool) -> bool:
    """Whether the data are valid, found out at once. Raises Malformed."""
    validator = version.reply_validator if is_reply else version.validator
    data = strict_json.parse(text)
    began = perf_counter()
    accepted = validator.accepts(data)
    if perf_counter() - began > _SLOW:
        _correct_estimate(data, len(text), validator, version)
    return accepted


def _correct_estimate(
    data: Any, size: int, validator: Validator, version: CatalogueVersion
) -> None:
    """Validate events of this size elsewhere from now on, unless the process was interrupted."""
    began = thread_time()
    validator.accepts(data)
    seconds = thread_time() - began
    if seconds > _SLOW / 2:
        version.inline_bytes = size // 2
        log().warning(
            "validation.underestimated",
            type=version.type,
            version=version.number,
            bytes=size,
            seconds=round(seconds, 4),
        )


def version_of(event: Event, catalogue: Catalogue) -> CatalogueVersion:
    """The version that validates an event: the one that `dataschema` names, or the current one.

    Raises Invalid if that version is not usable. A `dataschema` that is not the id of a registered
    schema is the publisher's own affair, and stays with the event.
    """
    named = event.attributes.get("dataschema")
    version = None if named is None else _named_version(str(named), event, catalogue)
    version = version or catalogue.current.get(event.type)
    if version is None:
        raise Invalid(
            f"No version of {event.type} is active. Publish the type that has replaced it, or ask "
            f"{event.type.split('.')[2]} for a new version.",
            pointer="/type",
        )
    return version


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
