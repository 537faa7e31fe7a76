"""What becomes of a contract and its versions: approved, deprecated, retired."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from gateway.base.telemetry import log
from gateway.contracts import RegisteredContract
from gateway.http import contracts_answers as answers
from gateway.http.context import Admin, ApiContext, Context
from gateway.http.contracts import Type
from gateway.http.contracts_bodies import ContractBody, NoticeBody
from gateway.http.contracts_exact import IfMatch, if_match
from gateway.http.contracts_versions import Number
from gateway.identity import Client

router = APIRouter(prefix="/v1/contracts/{type}", tags=["contracts"], responses=answers.PROBLEMS)
DryRun = Annotated[bool, Query(description="only say whom it hits; needs no If-Match")]
Confirm = Annotated[bool, Query(description="whoever is hit, it is meant")]


@router.post("/versions/{version}/approval", response_model=ContractBody)
async def approve_version(
    type: Type, version: Number, by: Admin, context: Context, revision: IfMatch
) -> Response:
    """Let a breaking draft come into force. For another administrator of the owner than the one
    who registered it. Needs If-Match."""
    registered = await context.lifecycle.approve(by, type, version, revision)
    await answers.took_effect(context)
    log().info("contract.approved", type=type, version=version, by=by.id)
    return answers.contract(registered)


@router.post("/deprecation", response_model=ContractBody)
async def deprecate_contract(
    type: Type, body: NoticeBody, by: Admin, context: Context, revision: IfMatch
) -> Response:
    """Tell publishers to leave a type, with all its versions. Needs If-Match."""
    registered = await context.lifecycle.deprecate(by, type, None, body.notice, revision)
    return await _deprecated(registered, None, by, context)


@router.post("/versions/{version}/deprecation", response_model=ContractBody)
async def deprecate_version(
    type: Type,
    version: Number,
    body: NoticeBody,
    by: Admin,
    context: Context,
    revision: IfMatch,
) -> Response:
    """Tell publishers to leave a version. Needs If-Match."""
    registered = await context.lifecycle.deprecate(by, type, version, body.notice, revision)
    return await _deprecated(registered, version, by, context)


@router.post("/retirement", response_model=answers.RetirementBody)
async def retire_contract(
    type: Type,
    by: Admin,
    context: Context,
    request: Request,
    dryrun: DryRun = False,
    confirm: Confirm = False,
) -> Response:
    """End a type: nothing can be published by it any more. Needs If-Match, and confirm=true."""
    return await _retired(type, None, by, context, _Wish(request, dryrun, confirm))


@router.post("/versions/{version}/retirement", response_model=answers.RetirementBody)
async def retire_version(
    type: Type,
    version: Number,
    by: Admin,
    context: Context,
    request: Request,
    dryrun: DryRun = False,
    confirm: Confirm = False,
) -> Response:
    """End a version, or withdraw a draft. Needs If-Match, and confirm=true unless it is a draft."""
    return await _retired(type, version, by, context, _Wish(request, dryrun, confirm))


@router.post("/versions/{version}/reinstatement", response_model=ContractBody)
async def reinstate_version(
    type: Type, version: Number, by: Admin, context: Context, revision: IfMatch
) -> Response:
    """Take the retirement of a version back. Needs If-Match."""
    registered = await context.lifecycle.reinstate(by, type, version, revision)
    await answers.took_effect(context)
    log().info("contract.reinstated", type=type, version=version, by=by.id)
    return answers.contract(registered)


class _Wish:
    """How a retirement is meant."""

    def __init__(self, request: Request, dry_run: bool, confirmed: bool) -> None:
        self.revision = None if dry_run else if_match(request)
        self.dry_run, self.confirmed = dry_run, confirmed


async def _deprecated(
    registered: RegisteredContract, version: int | None, by: Client, context: ApiContext
) -> Response:
    await answers.took_effect(context)
    log().info("contract.deprecated", type=registered.contract.type, version=version, by=by.id)
    return answers.contract(registered)


async def _retired(
    type: str, version: int | None, by: Client, context: ApiContext, wish: _Wish
) -> Response:
    retirement = await context.lifecycle.retire(
        by, type, version, wish.revision, confirmed=wish.confirmed, dry_run=wish.dry_run
    )
    if not wish.dry_run:
        await answers.took_effect(context)
        log().info("contract.retired", type=type, versions=retirement.versions, by=by.id)
    return answers.retired(retirement)
