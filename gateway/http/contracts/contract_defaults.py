"""`/v1/organisations/{name}/contract-defaults`: the defaults for contracts of an organisation."""

from fastapi import APIRouter

from gateway import identity
from gateway.base.database import Topic
from gateway.base.errors import NotFound, PreconditionFailed
from gateway.base.telemetry import log
from gateway.contracts import defaults
from gateway.contracts.lint import national
from gateway.http.context import Admin, AuthenticatedClient, Context
from gateway.http.contracts.bodies import CompatibilityRule, ContractDefaults
from gateway.http.etags import NOT_MODIFIED, IfMatch, KnownTags, etag, not_modified
from gateway.http.models import ModelResponse
from gateway.http.organisations import OrganisationName
from gateway.http.problems import responses
from gateway.identity import policy

router = APIRouter(prefix="/v1/organisations/{name}/contract-defaults", tags=["contracts"])


@router.get("", responses=responses(404) | NOT_MODIFIED)
async def get_contract_defaults(
    name: OrganisationName, client: AuthenticatedClient, context: Context, known: KnownTags
) -> ModelResponse[ContractDefaults]:
    """The defaults for contracts of an organisation."""
    await identity.find_organisation(context.database, name)
    async with context.database.session() as session:
        found = await defaults.defaults_of(session, name)
    return not_modified(known, etag(found.revision)) or _response(found)


@router.put("", responses=responses(403, 404, 412, 428, body=True))
async def put_contract_defaults(
    name: OrganisationName,
    body: ContractDefaults,
    client: Admin,
    context: Context,
    revision: IfMatch,
) -> ModelResponse[ContractDefaults]:
    """Set the defaults. Registered versions stay as they are. Needs If-Match."""
    if name not in context.directory.organisations:
        raise NotFound("No such organisation is visible to you.")
    policy.require_administrator_of(client, name)
    rule, levels = body.compatibility.rule, dict(body.lint)
    national().raised(levels)  # refuses unknown rules and lower levels
    async with context.database.change(Topic.CONTRACTS) as session:
        current = await defaults.defaults_of(session, name)
        if revision not in ("any", current.revision):
            raise PreconditionFailed(
                "The defaults have changed. Read them again and repeat the change."
            )
        await defaults.put_defaults(session, name, rule, levels)
        made = await defaults.defaults_of(session, name)
    log().info("contract_rules.changed", organisation=name, mode=rule.mode, by=client.id)
    return _response(made)


def _response(found: defaults.Defaults) -> ModelResponse[ContractDefaults]:
    rule = found.rule
    model = ContractDefaults.model_construct(
        compatibility=CompatibilityRule(mode=rule.mode, policy=rule.policy), lint=dict(found.lint)
    )
    return ModelResponse(model, headers={"etag": etag(found.revision)})
