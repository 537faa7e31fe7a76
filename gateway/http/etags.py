"""Conditional requests: the ETag of a resource is its revision (RFC 9110, section 13)."""

from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.responses import Response

from gateway.base.errors import PreconditionFailed, PreconditionRequired
from gateway.contracts.governance import Revision
from gateway.http.models import Absent, ModelResponse
from gateway.http.problems import Responses

NOT_MODIFIED: Responses = {304: {"description": "The client already has this state."}}


class NotModified(ModelResponse[Any]):
    """The answer to a client that already has this state."""

    def __init__(self, tag: str) -> None:
        Response.__init__(self, status_code=304, headers={"etag": tag})


IfMatchHeader = Annotated[
    str | Absent,
    Header(
        alias="If-Match",
        description="The ETag of what you have read, or `*` for its current state.",
        examples=['"3"'],
    ),
]


def if_match(given: IfMatchHeader = None) -> Revision:
    """The revision that a change is meant for.

    Raises PreconditionRequired without If-Match, PreconditionFailed for one that is no revision.
    """
    if given is None:
        raise PreconditionRequired(
            "Send If-Match with the ETag of what you have read, or `*` for its current state."
        )
    tag = given.strip()
    if tag == "*":
        return "any"
    number = tag[1:-1]
    if tag != f'"{number}"' or not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise PreconditionFailed("If-Match is not an ETag of ours. Read what you want to change.")
    return int(number)


IfMatch = Annotated[Revision, Depends(if_match)]


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


IfNoneMatchHeader = Annotated[
    str | Absent,
    Header(
        alias="If-None-Match",
        description="ETags of what you have. If one of them is current, the answer is 304.",
        examples=['"3"'],
    ),
]


def known_tags(given: IfNoneMatchHeader = None) -> frozenset[str]:
    """The entity tags that the client has, without the marks of weak ones."""
    return frozenset(each.strip().removeprefix("W/") for each in (given or "").split(","))


KnownTags = Annotated[frozenset[str], Depends(known_tags)]


def not_modified(known: frozenset[str], tag: str) -> NotModified | None:
    """The answer if the client already has this state."""
    return NotModified(tag) if known & {tag, "*"} else None
