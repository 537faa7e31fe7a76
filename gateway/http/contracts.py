"""`/v1/contracts`: what may be said on the bus."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from gateway.base.telemetry import log
from gateway.contracts import (
    Classification,
    Contract,
    HistoryRecord,
    Pattern,
    Search,
    State,
    history,
    queries,
)
from gateway.contracts.governance import (
    NewContract,
    find_visible,
    visibility_of,
)
from gateway.http import contracts_answers as answers
from gateway.http.context import Admin, AdminOrAuditor, AuthenticatedClient, Context
from gateway.http.contracts_bodies import (
    ChangeBody,
    ContractBody,
    NewContractBody,
    NewVersionBody,
)
from gateway.http.contracts_exact import IfMatch, RawBody, etag, exact, new_schema, unchanged
from gateway.http.paging import Page, Paging
from gateway.identity import policy

router = APIRouter(prefix="/v1/contracts", tags=["contracts"], responses=answers.PROBLEMS)
Type = Annotated[str, Path(max_length=255, examples=["id.go.dukcapil.ktp.dibuat.v1"])]
Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


class Event(BaseModel):
    """Something that was done to a contract."""

    number: int
    recorded: datetime
    client: str
    organisation: str
    action: str
    version: int | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, recorded: HistoryRecord) -> "Event":
        """The body for a value."""
        return cls(
            number=recorded.number,
            recorded=recorded.recorded,
            client=recorded.author.client,
            organisation=recorded.author.organisation,
            action=recorded.action,
            version=recorded.version,
            detail=msgspec.json.decode(recorded.detail),
        )


@router.post("", status_code=201, response_model=answers.RegisteredBody, responses=answers.FOUND)
async def create_contract(
    body: NewContractBody, by: Admin, context: Context, raw: RawBody
) -> Response:
    """Register a contract with its first version. The very same one again is found (200)."""
    given = exact(NewContractBody, raw)
    owner = "".join(given.type.split(".")[2:3])
    contract = Contract(
        given.type,
        owner,
        given.title,
        given.description,
        given.pattern,
        given.classification,
        given.ordering.ordering,
        given.non_delivery_report,
    )
    rule = given.compatibility.rule if given.compatibility else None
    new = NewContract(contract, rule, new_schema(NewContractBody, raw))
    outcome = await context.registration.create(by, new)
    await answers.took_effect(context)
    log().info("contract.registered", type=given.type, new=outcome.created, by=by.id)
    return answers.registered(outcome, context.settings.url)


@router.get("")
async def list_contracts(
    by: AuthenticatedClient,
    context: Context,
    page: Paging,
    text: Text = None,
    owner: Text = None,
    pattern: Pattern | None = None,
    classification: Classification | None = None,
    state: State | None = None,
) -> Page[ContractBody]:
    """The contracts that the caller may see, by type; `text` asks for all of its words."""
    search = Search(text, owner, pattern, classification, state)
    async with context.database.session() as session:
        found = await queries.page(
            session,
            visibility_of(by, context.directory),
            search,
            after=page.after,
            limit=page.limit + 1,
        )
    items, following = page.cut(found, lambda each: each.contract.type)
    return Page(items=[ContractBody.of(each) for each in items], next=following)


@router.get("/{type}", response_model=ContractBody)
async def get_contract(
    type: Type, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """One contract, with the ETag that a change of it needs."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(by, context.directory))
    return unchanged(request, etag(registered.revision)) or answers.contract(registered)


@router.patch("/{type}", response_model=ContractBody)
async def change_contract(
    type: Type, body: ChangeBody, by: Admin, context: Context, revision: IfMatch
) -> Response:
    """Change what may be changed of a contract. Needs If-Match."""
    registered = await context.registration.change(by, type, body.changes(), revision)
    await answers.took_effect(context)
    log().info("contract.changed", type=type, fields=sorted(body.model_fields_set), by=by.id)
    return answers.contract(registered)


@router.post("/{type}/compatibility", response_model=answers.CheckBody)
async def check_compatibility(
    type: Type, body: NewVersionBody, by: Admin, context: Context, raw: RawBody
) -> Response:
    """What would become of this as a new version. Nothing is stored."""
    return answers.checked(
        await context.registration.check(by, type, new_schema(NewVersionBody, raw))
    )


@router.get("/{type}/impact")
async def get_contract_impact(type: Type, by: Admin, context: Context) -> answers.ImpactBody:
    """Who receives and who publishes this type. For administrators of its owner."""
    found = await context.registration.impact(by, type)
    return answers.ImpactBody.model_validate(found.as_json())


@router.get("/{type}/history")
async def list_contract_history(
    type: Type, by: AdminOrAuditor, context: Context, page: Paging
) -> Page[Event]:
    """Who did what to this contract, the oldest first. For its owner's auditors, administrators."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(by, context.directory))
        policy.require_auditor_of(by, registered.contract.owner)
        after = page.number()
        found = await history.page(session, type, after=after, limit=page.limit + 1)
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(items=[Event.of(each) for each in items], next=following)
