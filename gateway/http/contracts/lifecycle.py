"""The lifecycle of contracts and versions: approval, deprecation, retirement, reinstatement."""

from typing import Annotated

from fastapi import APIRouter, Query

from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.contracts import RegisteredContract
from gateway.http.context import Admin, ApiContext, Context, took_effect
from gateway.http.contracts.bodies import NewDeprecation
from gateway.http.contracts.contracts import ContractType
from gateway.http.contracts.exact import ExactRoute
from gateway.http.contracts.models import Contract, Retirement, contract_response
from gateway.http.contracts.versions import VersionNumber
from gateway.http.etags import IfMatch, IfMatchHeader, etag, if_match
from gateway.http.models import ModelResponse
from gateway.http.problems import responses
from gateway.http.reports import Impact
from gateway.identity import Client

router = APIRouter(prefix="/v1/contracts/{type}", tags=["contracts"], route_class=ExactRoute)
DryRun = Annotated[bool, Query(description="Only report the impact. Needs no If-Match.")]
Confirm = Annotated[bool, Query(description="Retire even if somebody is affected.")]
_CHANGE = responses(403, 404, 409, 412, 422, 428)
_RETIRE = responses(
    403, 404, 412, 422, 428, _409="Confirmation required: `impact` says who is affected."
)


@router.post("/versions/{version}/approval", responses=_CHANGE)
async def approve_version(
    type: ContractType, version: VersionNumber, client: Admin, context: Context, revision: IfMatch
) -> ModelResponse[Contract]:
    """Activate a draft. Needs If-Match, and not the administrator who registered it."""
    registered = await context.lifecycle.approve(client, type, version, revision)
    await took_effect(context, Topic.CONTRACTS)
    log().info("contract.approved", type=type, version=version, by=client.id)
    return contract_response(registered)


@router.post("/deprecation", responses=responses(403, 404, 409, 412, 428, body=True))
async def deprecate_contract(
    type: ContractType, body: NewDeprecation, client: Admin, context: Context, revision: IfMatch
) -> ModelResponse[Contract]:
    """Deprecate a type with all its versions. Needs If-Match."""
    registered = await context.lifecycle.deprecate(client, type, None, body.notice, revision)
    return await _deprecated(registered, None, client, context)


@router.post(
    "/versions/{version}/deprecation", responses=responses(403, 404, 409, 412, 428, body=True)
)
async def deprecate_version(
    type: ContractType,
    version: VersionNumber,
    body: NewDeprecation,
    client: Admin,
    context: Context,
    revision: IfMatch,
) -> ModelResponse[Contract]:
    """Deprecate a version. Needs If-Match."""
    registered = await context.lifecycle.deprecate(client, type, version, body.notice, revision)
    return await _deprecated(registered, version, client, context)


@router.post("/retirement", responses=_RETIRE)
async def retire_contract(
    type: ContractType,
    client: Admin,
    context: Context,
    given: IfMatchHeader = None,
    dryrun: DryRun = False,
    confirm: Confirm = False,
) -> ModelResponse[Retirement]:
    """Retire a type: no event of it can be published. Needs If-Match, and confirm=true."""
    return await _retire(type, None, client, context, given, dry_run=dryrun, confirmed=confirm)


@router.post("/versions/{version}/retirement", responses=_RETIRE)
async def retire_version(
    type: ContractType,
    version: VersionNumber,
    client: Admin,
    context: Context,
    given: IfMatchHeader = None,
    dryrun: DryRun = False,
    confirm: Confirm = False,
) -> ModelResponse[Retirement]:
    """Retire a version, or withdraw a draft. Needs If-Match; unless a draft, also confirm=true."""
    return await _retire(type, version, client, context, given, dry_run=dryrun, confirmed=confirm)


@router.post("/versions/{version}/reinstatement", responses=_CHANGE)
async def reinstate_version(
    type: ContractType, version: VersionNumber, client: Admin, context: Context, revision: IfMatch
) -> ModelResponse[Contract]:
    """Undo the retirement of a version. Needs If-Match."""
    registered = await context.lifecycle.reinstate(client, type, version, revision)
    await took_effect(context, Topic.CONTRACTS)
    log().info("contract.reinstated", type=type, version=version, by=client.id)
    return contract_response(registered)


async def _deprecated(
    registered: RegisteredContract, version: int | None, client: Client, context: ApiContext
) -> ModelResponse[Contract]:
    await took_effect(context, Topic.CONTRACTS)
    log().info("contract.deprecated", type=registered.contract.type, version=version, by=client.id)
    return contract_response(registered)


async def _retire(
    type: str,
    version: int | None,
    client: Client,
    context: ApiContext,
    given: str | None,
    *,
    dry_run: bool,
    confirmed: bool,
) -> ModelResponse[Retirement]:
    revision = None if dry_run else if_match(given)
    found = await context.lifecycle.retire(
        client, type, version, revision, confirmed=confirmed, dry_run=dry_run
    )
    if not dry_run:
        await took_effect(context, Topic.CONTRACTS)
        log().info("contract.retired", type=type, versions=found.versions, by=client.id)
    return ModelResponse(
        Retirement(
            contract=Contract.of(found.registered),
            versions=list(found.versions),
            impact=Impact.of(found.impact),
        ),
        headers={"etag": etag(found.registered.revision)},
    )
