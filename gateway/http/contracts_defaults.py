"""`/v1/organisations/{name}/contract-defaults`: what holds for all contracts of an organisation."""

from fastapi import APIRouter, Request, Response

from gateway import identity
from gateway.base.database import Topic
from gateway.base.errors import NotFound, PreconditionFailed
from gateway.base.telemetry import log
from gateway.contracts import defaults
from gateway.contracts.lint import national
from gateway.http import contracts_answers as answers
from gateway.http.context import Admin, AuthenticatedClient, Context
from gateway.http.contracts_bodies import DefaultsBody, RuleBody
from gateway.http.contracts_exact import IfMatch, etag, unchanged
from gateway.identity import policy

router = APIRouter(
    prefix="/v1/organisations/{name}/contract-defaults",
    tags=["contracts"],
    responses=answers.PROBLEMS,
)


@router.get("", response_model=DefaultsBody, responses=answers.UNCHANGED)
async def get_contract_defaults(
    name: str, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """What holds for the contracts of an organisation that do not say it themselves."""
    await identity.find_organisation(context.database, name)
    async with context.database.session() as session:
        found = await defaults.defaults_of(session, name)
    return unchanged(request, etag(found.revision)) or _answer(found)


@router.put("", response_model=DefaultsBody)
async def put_contract_defaults(
    name: str, body: DefaultsBody, by: Admin, context: Context, revision: IfMatch
) -> Response:
    """Set it. What is registered already stays as it is. Needs If-Match."""
    if name not in context.directory.organisations:
        raise NotFound("no such organisation")
    policy.require_administrator_of(by, name)
    rule, levels = body.compatibility.rule, dict(body.lint)
    national().raised(levels)  # refuses what is no level of a rule
    async with context.database.change(Topic.CONTRACTS) as session:
        now = await defaults.defaults_of(session, name)
        if revision not in ("any", now.revision):
            raise PreconditionFailed("the defaults were changed meanwhile: look at them again")
        await defaults.put_defaults(session, name, rule, levels)
        made = await defaults.defaults_of(session, name)
    log().info("contract_rules.changed", organisation=name, mode=rule.mode, by=by.id)
    return _answer(made)


def _answer(found: defaults.Defaults) -> Response:
    rule = found.rule
    body = DefaultsBody.model_construct(
        compatibility=RuleBody(mode=rule.mode, policy=rule.policy), lint=dict(found.lint)
    )
    return Response(
        body.model_dump_json(),
        headers={"etag": etag(found.revision)},
        media_type="application/json",
    )
