"""Answers of `/v1/contracts`, some with JSON in them that goes out exactly as it is stored."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.base.database import Topic
from gateway.base.errors import Unavailable
from gateway.base.times import rfc3339
from gateway.contracts import RegisteredContract, State, StoredVersion, schema_url, schema_urn
from gateway.contracts.governance import RegistrationResult, Retirement, VersionCheck
from gateway.http.context import ApiContext
from gateway.http.contracts_bodies import ContractBody, FindingBody
from gateway.http.contracts_exact import etag

_encode = msgspec.json.Encoder(decimal_format="number").encode
_JSON = "application/json"


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in (
        (400, "the request cannot be read"),
        (401, "no valid access token"),
        (403, "only an administrator of the owner may do this"),
        (404, "no such contract that the caller may see"),
        (408, "the body did not arrive in time"),
        (409, "the present state does not allow it, or the version would break somebody"),
        (412, "somebody else changed it meanwhile"),
        (413, "the body is too large"),
        (422, "a rule is broken"),
        (428, "If-Match is missing"),
        (503, "not available, or too much waits: try again"),
    )
}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "the caller has it already"}}


class DeprecationBody(BaseModel):
    """That a version should no longer be used."""

    since: datetime
    sunset: datetime | None
    successor: str | None


class VersionBody(BaseModel):
    """A version. `schema` is what was registered, to the last digit."""

    type: str
    version: int
    id: Annotated[str, Field(description="under which other schemas refer to it")]
    dataschema: Annotated[str, Field(description="where it is served; events may carry it")]
    state: State
    digest: Annotated[str, Field(description="SHA-256 of the canonical schemas")]
    created: datetime
    registered_by: str | None
    approved_by: str | None
    deprecation: DeprecationBody | None
    closed: Annotated[bool, Field(description="members that it does not name are refused")]
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    reply_schema: dict[str, Any] | None
    examples: dict[str, Any] | None
    compatibility: dict[str, Any] | None


class VersionsBody(BaseModel):
    """A piece of the list of versions."""

    items: list[VersionBody]
    next: str | None = Field(description="pass it as `cursor` for what follows; null at the end")


class RegisteredBody(BaseModel):
    """What was registered, and what there is to say about it."""

    contract: ContractBody
    version: VersionBody
    advice: list[FindingBody]
    compatibility: dict[str, Any] | None
    impact: dict[str, Any] | None


FOUND: dict[int | str, dict[str, Any]] = {
    200: {"model": RegisteredBody, "description": "it was registered before"}
}


class SubscriptionKey(BaseModel):
    """A subscription."""

    organisation: str
    name: str


class PublisherBody(BaseModel):
    """An organisation that may publish a type."""

    organisation: str
    last_published: datetime | None


class ImpactBody(BaseModel):
    """Who receives and who publishes."""

    subscriptions: list[SubscriptionKey]
    publishers: list[PublisherBody]


class RetirementBody(BaseModel):
    """What was ended, or would be, and whom that hits."""

    contract: ContractBody
    versions: list[int]
    impact: ImpactBody


class CheckBody(BaseModel):
    """What would become of a version."""

    existing: Annotated[int | None, Field(description="the version that has this very schema")]
    compatibility: dict[str, Any]
    impact: ImpactBody | None
    advice: list[FindingBody]


async def took_effect(context: ApiContext) -> None:
    """After a committed change: let this process see it at once, if that works."""
    with suppress(Unavailable):
        await context.refresh(Topic.CONTRACTS)


def contract(registered: RegisteredContract) -> Response:
    """A contract as it stands."""
    body = ContractBody.of(registered).model_dump_json().encode()
    return Response(body, headers={"etag": etag(registered.revision)}, media_type=_JSON)


def registered(outcome: RegistrationResult, base_url: str) -> Response:
    """What became of a new contract or version."""
    stored = outcome.version
    body = {
        "contract": _body(outcome.registered),
        "version": version_members(stored, base_url),
        "advice": _advice(outcome),
        "compatibility": outcome.compatibility and outcome.compatibility.as_json(),
        "impact": outcome.impact and outcome.impact.as_json(),
    }
    headers = {
        "etag": etag(outcome.registered.revision),
        "location": f"/v1/contracts/{stored.type}/versions/{stored.version.number}",
    }
    return Response(_encode(body), 201 if outcome.created else 200, headers, _JSON)


def checked(answer: VersionCheck) -> Response:
    """What would become of a version."""
    body = {
        "existing": answer.existing,
        "compatibility": answer.compatibility.as_json(),
        "impact": answer.impact and answer.impact.as_json(),
        "advice": _advice(answer),
    }
    return Response(_encode(body), media_type=_JSON)


def retired(retirement: Retirement) -> Response:
    """What was ended."""
    body = {
        "contract": _body(retirement.registered),
        "versions": retirement.versions,
        "impact": retirement.impact.as_json(),
    }
    headers = {"etag": etag(retirement.registered.revision)}
    return Response(_encode(body), headers=headers, media_type=_JSON)


def version(stored: StoredVersion, base_url: str, revision: int) -> Response:
    """A version as it stands."""
    body = _encode(version_members(stored, base_url))
    return Response(body, headers={"etag": etag(revision)}, media_type=_JSON)


def versions(
    found: Sequence[StoredVersion], following: str | None, base_url: str, revision: int
) -> Response:
    """A piece of the list of versions."""
    body = {"items": [version_members(each, base_url) for each in found], "next": following}
    return Response(_encode(body), headers={"etag": etag(revision)}, media_type=_JSON)


def version_members(stored: StoredVersion, base_url: str) -> dict[str, Any]:
    """A version as JSON has it."""
    type, number = stored.type, stored.version.number
    notice = stored.deprecation
    return {
        "type": type,
        "version": number,
        "id": schema_urn(type, number),
        "dataschema": schema_url(base_url, type, number),
        "state": stored.state.value,
        "digest": stored.digest.hex(),
        "created": rfc3339(stored.created),
        "registered_by": stored.registered_by,
        "approved_by": stored.approved_by,
        "deprecation": notice
        and {
            "since": rfc3339(notice.since),
            "sunset": notice.sunset and rfc3339(notice.sunset),
            "successor": notice.successor,
        },
        "closed": stored.closed,
        "schema": msgspec.Raw(stored.version.text),
        "reply_schema": _raw(stored.version.reply),
        "examples": _raw(stored.examples),
        "compatibility": _raw(stored.comparison),
    }


def _raw(text: bytes | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text)


def _body(registered: RegisteredContract) -> dict[str, Any]:
    return ContractBody.of(registered).model_dump(mode="json")


def _advice(said: RegistrationResult | VersionCheck) -> list[dict[str, Any]]:
    return [FindingBody.of(each).model_dump() for each in said.advice]
