"""`/v1/contracts/{type}/versions`: the schemas of a contract."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from gateway.base.errors import NotFound
from gateway.base.telemetry import log
from gateway.contracts import Classification, RegisteredContract, StoredVersion, queries
from gateway.contracts.governance import find_visible, visibility_of
from gateway.http import contracts_answers as answers
from gateway.http.context import Admin, ApiContext, AuthenticatedClient, Context
from gateway.http.contracts import Type
from gateway.http.contracts_bodies import NewVersionBody
from gateway.http.contracts_exact import IfMatch, RawBody, etag, new_schema, unchanged
from gateway.http.paging import Paging
from gateway.identity import Client

router = APIRouter(
    prefix="/v1/contracts/{type}/versions", tags=["contracts"], responses=answers.PROBLEMS
)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_YEAR = 365 * 24 * 3600


class Schema(Response):
    """A schema as it is served."""

    media_type = "application/schema+json"


SERVED: dict[int | str, dict[str, Any]] = {
    **answers.UNCHANGED,
    200: {"content": {Schema.media_type: {"schema": {"type": "object"}}}},
}


@router.post("", status_code=201, response_model=answers.RegisteredBody, responses=answers.FOUND)
async def add_version(
    type: Type,
    body: NewVersionBody,
    by: Admin,
    context: Context,
    raw: RawBody,
    revision: IfMatch,
) -> Response:
    """Register the next version. The very same schema again is found (200). Needs If-Match.

    What would break somebody is refused (409) with a counterexample and whom it hits.
    """
    outcome = await context.registration.add(by, type, new_schema(NewVersionBody, raw), revision)
    await answers.took_effect(context)
    log().info(
        "contract_version.registered",
        type=type,
        version=outcome.version.version.number,
        state=outcome.version.state,
        new=outcome.created,
        by=by.id,
    )
    return answers.registered(outcome, context.settings.url)


@router.get("", response_model=answers.VersionsBody)
async def list_versions(
    type: Type, by: AuthenticatedClient, context: Context, page: Paging
) -> Response:
    """The versions of a contract, the oldest first."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(by, context.directory))
        found = await queries.versions(session, type, after=page.number(), limit=page.limit + 1)
    items, following = page.cut(found, lambda each: str(each.version.number))
    return answers.versions(items, following, context.settings.url, registered.revision)


@router.get("/{version}", response_model=answers.VersionBody, responses=answers.UNCHANGED)
async def get_version(
    type: Type, version: Number, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """One version, with the schema as it was registered."""
    registered, stored = await stored_version(type, version, by, context)
    return unchanged(request, etag(registered.revision)) or answers.version(
        stored, context.settings.url, registered.revision
    )


@router.get("/{version}/schema", response_class=Schema, responses=SERVED)
async def get_schema(
    type: Type, version: Number, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """The schema with all that it refers to. It never changes, so keep it."""
    registered, stored = await stored_version(type, version, by, context)
    return _served(registered, stored.bundle, f'"{stored.digest.hex()}"', request)


@router.get("/{version}/reply-schema", response_class=Schema, responses=SERVED)
async def get_reply_schema(
    type: Type, version: Number, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """The schema of the reply, for request-reply contracts. It never changes, so keep it."""
    registered, stored = await stored_version(type, version, by, context)
    if stored.reply_bundle is None:
        raise NotFound(f"{type} is no request-reply contract, so there is no reply")
    return _served(registered, stored.reply_bundle, f'"{stored.digest.hex()}-reply"', request)


def _served(registered: RegisteredContract, bundle: bytes, tag: str, request: Request) -> Response:
    public = registered.contract.classification is Classification.PUBLIC
    scope = "public" if public else "private"
    headers = {"etag": tag, "cache-control": f"{scope}, max-age={_YEAR}, immutable"}
    same = unchanged(request, tag)
    if same is not None:
        same.headers.update(headers)
        return same
    return Schema(bundle, headers=headers)


async def stored_version(
    type: str, number: int, by: Client, context: ApiContext
) -> tuple[RegisteredContract, StoredVersion]:
    """A version with its contract. Raises NotFound, also for what is not for these eyes."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(by, context.directory))
        stored = await queries.version(session, type, number)
    if stored is None:
        raise NotFound(f"{type} has no version {number}")
    return registered, stored
