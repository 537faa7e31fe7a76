"""`/v1/contracts/{type}/versions`: the versions of a contract and their schemas."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from gateway.base.database import Topic
from gateway.base.errors import NotFound
from gateway.base.telemetry import log
from gateway.contracts import Classification, RegisteredContract, StoredVersion, queries
from gateway.contracts.governance import find_visible, visibility_of
from gateway.http.body import RawBody
from gateway.http.context import (
    CHECKED,
    Admin,
    ApiContext,
    AuthenticatedClient,
    Context,
    took_effect,
)
from gateway.http.contracts.bodies import NewVersion
from gateway.http.contracts.contracts import ALREADY_REGISTERED, ContractType
from gateway.http.contracts.exact import ExactRoute
from gateway.http.contracts.models import (
    ContractVersion,
    RegisteredVersion,
    registration_response,
)
from gateway.http.etags import NOT_MODIFIED, IfMatch, KnownTags, etag, not_modified
from gateway.http.models import ModelResponse
from gateway.http.paging import INTEGER, Page, Paging
from gateway.http.problems import Responses, responses
from gateway.identity import Client

router = APIRouter(
    prefix="/v1/contracts/{type}/versions", tags=["contracts"], route_class=ExactRoute
)
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
_YEAR = 365 * 24 * 3600


class SchemaResponse(Response):
    """A schema."""

    media_type = "application/schema+json"


SCHEMA: Responses = {
    **NOT_MODIFIED,
    200: {
        "content": {
            SchemaResponse.media_type: {"schema": {"$ref": "#/components/schemas/JsonSchema"}}
        }
    },
}


@router.post(
    "",
    status_code=201,
    dependencies=[CHECKED],
    responses=responses(
        403,
        404,
        412,
        428,
        body=True,
        _409="The version is not compatible: `compatibility` says why, `impact` who is affected.",
    )
    | ALREADY_REGISTERED,
)
async def register_version(
    type: ContractType,
    body: NewVersion,
    client: Admin,
    context: Context,
    raw: RawBody,
    revision: IfMatch,
) -> ModelResponse[RegisteredVersion]:
    """Register the next version. An identical schema is found again (200). Needs If-Match.

    A version that is not proven compatible is refused (409) with a counterexample and its impact.
    """
    result = await context.registration.add(client, type, body.new_schema(raw), revision)
    await took_effect(context, Topic.CONTRACTS)
    log().info(
        "contract_version.registered",
        type=type,
        version=result.version.version.number,
        state=result.version.state,
        new=result.created,
        by=client.id,
    )
    return registration_response(result, context.settings.url)


@router.get("", responses=responses(404, 422))
async def list_versions(
    type: ContractType, client: AuthenticatedClient, context: Context, page: Paging
) -> ModelResponse[Page[ContractVersion]]:
    """The versions of a contract, oldest first."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(client, context.directory))
        found = await queries.versions(
            session, type, after=page.number(largest=INTEGER), limit=page.limit + 1
        )
    items, following = page.cut(found, lambda each: str(each.version.number))
    versions = [ContractVersion.of(each, context.settings.url) for each in items]
    return ModelResponse(
        Page(items=versions, next=following), headers={"etag": etag(registered.revision)}
    )


@router.get("/{version}", responses=responses(404, 422) | NOT_MODIFIED)
async def get_version(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
) -> ModelResponse[ContractVersion]:
    """One version, with the schema as it was registered."""
    registered, stored = await stored_version(type, version, client, context)
    tag = etag(registered.revision)
    return not_modified(known, tag) or ModelResponse(
        ContractVersion.of(stored, context.settings.url), headers={"etag": tag}
    )


@router.get("/{version}/schema", response_class=Response, responses=responses(404, 422) | SCHEMA)
async def get_schema(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
) -> Response:
    """The schema with all references embedded. It never changes, so it can be cached."""
    registered, stored = await stored_version(type, version, client, context)
    return _schema(registered, stored.bundle, f'"{stored.digest.hex()}"', known)


@router.get(
    "/{version}/reply-schema",
    response_class=Response,
    responses=responses(404, 422) | SCHEMA,
)
async def get_reply_schema(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
) -> Response:
    """The reply schema of a request-reply contract. It never changes, so it can be cached."""
    registered, stored = await stored_version(type, version, client, context)
    if stored.reply_bundle is None:
        raise NotFound(f"{type} is not a request-reply contract, so it has no reply schema.")
    return _schema(registered, stored.reply_bundle, f'"{stored.digest.hex()}-reply"', known)


def _schema(registered: RegisteredContract, bundle: bytes, tag: str, known: KnownTags) -> Response:
    public = registered.contract.classification is Classification.PUBLIC
    scope = "public" if public else "private"
    response = not_modified(known, tag) or SchemaResponse(bundle, headers={"etag": tag})
    response.headers["cache-control"] = f"{scope}, max-age={_YEAR}, immutable"
    return response


async def stored_version(
    type: str, number: int, client: Client, context: ApiContext
) -> tuple[RegisteredContract, StoredVersion]:
    """A version with its contract. Raises NotFound, also if the client may not see it."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(client, context.directory))
        stored = await queries.version(session, type, number)
    if stored is None:
        raise NotFound(f"{type} has no version {number}.")
    return registered, stored
