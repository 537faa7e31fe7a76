"""`/v1/contracts`: register, find and change contracts."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.contracts import (
    Classification,
    HistoryRecord,
    Pattern,
    Search,
    VersionState,
    history,
    queries,
)
from gateway.contracts.governance import find_visible, visibility_of
from gateway.http.body import RawBody
from gateway.http.context import (
    CHECKED,
    Admin,
    AdminOrAuditor,
    AuthenticatedClient,
    Context,
    took_effect,
)
from gateway.http.contracts.bodies import TYPE, ContractChanges, NewContract, NewVersion
from gateway.http.contracts.exact import ExactRoute
from gateway.http.contracts.models import (
    Contract,
    ContractCheck,
    LintFinding,
    RegisteredVersion,
    VersionCheck,
    contract_response,
    registration_response,
)
from gateway.http.etags import NOT_MODIFIED, IfMatch, KnownTags, etag, not_modified
from gateway.http.models import ModelResponse
from gateway.http.paging import Page, Paging
from gateway.http.problems import Responses, responses
from gateway.http.reports import Impact
from gateway.identity import policy

router = APIRouter(prefix="/v1/contracts", tags=["contracts"], route_class=ExactRoute)
ContractType = Annotated[str, Path(max_length=255, examples=[TYPE])]
Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
Confirm = Annotated[
    bool, Query(description="Keep events for a shorter time even if somebody is affected.")
]
ALREADY_REGISTERED: Responses = {
    200: {"model": RegisteredVersion, "description": "It was registered before."}
}


class ContractHistoryEntry(BaseModel):
    """One change of a contract."""

    number: int
    recorded: datetime
    client: str
    organisation: str
    action: str
    version: int | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, record: HistoryRecord) -> "ContractHistoryEntry":
        """The model of a value."""
        return cls(
            number=record.number,
            recorded=record.recorded,
            client=record.author.client,
            organisation=record.author.organisation,
            action=record.action,
            version=record.version,
            detail=msgspec.json.decode(record.detail),
        )


@router.post(
    "",
    status_code=201,
    dependencies=[CHECKED],
    responses=responses(
        403, body=True, _409="The type is registered with other facts or another schema."
    )
    | ALREADY_REGISTERED,
)
async def register_contract(
    body: NewContract, client: Admin, context: Context, raw: RawBody
) -> ModelResponse[RegisteredVersion]:
    """Register a contract with its first version. An identical one is found again (200)."""
    result = await context.registration.create(client, body.new_contract(raw))
    await took_effect(context, Topic.CONTRACTS)
    log().info("contract.registered", type=body.type, new=result.created, by=client.id)
    return registration_response(result, context.settings.url)


@router.post(
    "/check",
    dependencies=[CHECKED],
    responses=responses(
        403, body=True, _409="The type is registered with other facts or another schema."
    ),
)
async def check_contract(
    body: NewContract, client: Admin, context: Context, raw: RawBody
) -> ContractCheck:
    """Check a new contract without storing it: what registering it would refuse is refused."""
    found = await context.registration.check_new(client, body.new_contract(raw))
    return ContractCheck(advice=[LintFinding.of(each) for each in found])


@router.get("", responses=responses(422))
async def list_contracts(
    client: AuthenticatedClient,
    context: Context,
    page: Paging,
    text: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=r"^[^\x00]*$",
            description="Words in the type, title or description; all must occur.",
        ),
    ] = None,
    owner: Text = None,
    pattern: Pattern | None = None,
    classification: Classification | None = None,
    state: VersionState | None = None,
) -> Page[Contract]:
    """The contracts that you may see, by type."""
    search = Search(text, owner, pattern, classification, state)
    async with context.database.session() as session:
        found = await queries.page(
            session,
            visibility_of(client, context.directory),
            search,
            after=page.after,
            limit=page.limit + 1,
        )
    items, following = page.cut(found, lambda each: each.contract.type)
    return Page(items=[Contract.of(each) for each in items], next=following)


@router.get("/{type}", responses=responses(404, 422) | NOT_MODIFIED)
async def get_contract(
    type: ContractType, client: AuthenticatedClient, context: Context, known: KnownTags
) -> ModelResponse[Contract]:
    """One contract, with the ETag that a change of it needs."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(client, context.directory))
    return not_modified(known, etag(registered.revision)) or contract_response(registered)


@router.patch("/{type}", responses=responses(403, 404, 409, 412, 428, body=True))
async def update_contract(
    type: ContractType,
    body: ContractChanges,
    client: Admin,
    context: Context,
    revision: IfMatch,
    confirm: Confirm = False,
) -> ModelResponse[Contract]:
    """Change facts of a contract. Needs If-Match; a shorter retention also confirm=true."""
    registered = await context.registration.change(
        client, type, body.changes(), revision, confirmed=confirm
    )
    await took_effect(context, Topic.CONTRACTS)
    log().info("contract.changed", type=type, fields=sorted(body.model_fields_set), by=client.id)
    return contract_response(registered)


@router.post(
    "/{type}/compatibility", dependencies=[CHECKED], responses=responses(403, 404, body=True)
)
async def check_compatibility(
    type: ContractType, body: NewVersion, client: Admin, context: Context, raw: RawBody
) -> ModelResponse[VersionCheck]:
    """Check a new version without storing it: comparison, impact and advice."""
    found = await context.registration.check(client, type, body.new_schema(raw))
    return ModelResponse(
        VersionCheck(
            existing=found.existing,
            compatibility=msgspec.Raw(found.compatibility.document()),
            impact=Impact.of_optional(found.impact),
            advice=[LintFinding.of(each) for each in found.advice],
        )
    )


@router.get("/{type}/impact", responses=responses(403, 404, 422))
async def get_contract_impact(type: ContractType, client: Admin, context: Context) -> Impact:
    """The subscriptions and publishers of a type. For administrators of its owner."""
    return Impact.of(await context.registration.impact(client, type))


@router.get("/{type}/history", responses=responses(403, 404, 422))
async def list_contract_history(
    type: ContractType, client: AdminOrAuditor, context: Context, page: Paging
) -> Page[ContractHistoryEntry]:
    """The changes of a contract, oldest first. For auditors and administrators of its owner."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(client, context.directory))
        policy.require_auditor_of(client, registered.contract.owner)
        found = await history.page(session, type, after=page.number(), limit=page.limit + 1)
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(items=[ContractHistoryEntry.of(each) for each in items], next=following)
