"""What a contract must prove before it is registered."""

from dataclasses import dataclass

from gateway.base import type_pattern
from gateway.base.errors import Invalid
from gateway.contracts.compiling import Compiled, Library, compiled, parsed
from gateway.contracts.examples import require_agreement, require_closed
from gateway.contracts.values import Contract, Pattern, Submission, Version

ORDERING_KEYS = ("subject", "partitionkey", "id")
NOTHING = Library()


@dataclass(frozen=True, slots=True)
class Bundles:
    """The schemas of a version with all that they refer to; None where that is nothing."""

    text: bytes | None
    reply: bytes | None


def admit(submission: Submission, library: Library = NOTHING, closed: bool = False) -> None:
    """Check a contract, its schemas and its examples. Raises Invalid with the first fault.

    With `closed`, the valid examples must keep the closed form of the schema as well.
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


def admit_contract(contract: Contract) -> None:
    """Check what a contract says of itself. Raises Invalid."""
    if not type_pattern.is_event_type(contract.type):
        raise Invalid(
            f"{contract.type}: a type reads id.go.<organisation>.<entity>.<fact>.v<major>",
            pointer="/type",
        )
    if contract.pattern is Pattern.REQUEST_REPLY and not type_pattern.has_reply_type(contract.type):
        raise Invalid(
            f"{contract.type}: too long by the .reply that the type of its replies ends in",
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


def require_readable(name: str, text: bytes) -> None:
    """Raises Invalid unless the text is a JSON object of bounded size in a known dialect."""
    parsed(name, text)


def bundles_of(version: Version, library: Library = NOTHING) -> Bundles:
    """The bundles of an admitted version."""
    reply = None if version.reply is None else library.bundled(version.reply)
    return Bundles(library.bundled(version.text), reply)


def _admit_version(
    contract: Contract, version: Version, library: Library
) -> tuple[Compiled, Compiled | None]:
    schema = compiled(contract.type, version.number, version.text, library)
    if (version.reply is not None) is not (contract.pattern is Pattern.REQUEST_REPLY):
        raise Invalid(
            f"{contract.type}: a reply schema belongs to every version of a request-reply "
            "contract, and to no other"
        )
    if version.reply is None:
        return schema, None
    return schema, compiled(contract.type, version.number, version.reply, library)
