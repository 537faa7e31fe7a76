"""`/v1/organisations/{name}/quotas` and `/usage`: what an organisation may use, and uses."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway import identity, quotas
from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.http.context import (
    ApiContext,
    AuthenticatedClient,
    Context,
    OperatorAdmin,
    took_effect,
)
from gateway.http.etags import NOT_MODIFIED, IfMatch, KnownTags, etag, not_modified
from gateway.http.models import Absent, ModelResponse, RequestBody, example
from gateway.http.organisations import OrganisationName
from gateway.http.problems import responses
from gateway.identity import COUNTED, Quota, QuotaSettings, policy

router = APIRouter(prefix="/v1/organisations/{name}", tags=["quotas"])
HIGHEST = 10**12
_CLIENT = "dukcapil-7k2m9p4q8r5t3w6x"


# The bounds belong to the number: the union would put them to null as well.
Limit = Annotated[int, Field(ge=1, le=HIGHEST)]


def _value(description: str) -> Any:
    return Field(default=None, description=description)


class ClientQuotas(RequestBody):
    """Quotas of one client. A member that is left out: only that of its organisation applies."""

    events: Limit | Absent = _value("Events a second.")
    bytes: Limit | Absent = _value("Bytes of published bodies a second.")
    refusals: Limit | Absent = _value("Refused events a second.")
    checks: Limit | Absent = _value("Contracts to lint, compare or register a second.")
    in_flight: Limit | Absent = _value("Calls at the same time, without streams and waiting calls.")
    streams: Limit | Absent = _value("Streams at the same time.")
    long_polls: Limit | Absent = _value("Calls that wait for an event or a reply at the same time.")


class OrganisationQuotas(ClientQuotas):
    """Quotas of one organisation. A member that is left out has the default of the bus."""

    clients: Limit | Absent = _value("Active clients.")
    grants: Limit | Absent = _value("Grants to it.")
    contracts: Limit | Absent = _value("Contracts that it owns.")
    subscriptions: Limit | Absent = _value("Subscriptions.")
    redrives: Limit | Absent = _value("Redrives that run.")


class Quotas(RequestBody):
    """What is set for an organisation and for some of its clients."""

    model_config = example(quotas={"events": 500, "streams": 20}, clients={_CLIENT: {"events": 50}})

    quotas: OrganisationQuotas = Field(default_factory=OrganisationQuotas)
    clients: Annotated[
        dict[str, ClientQuotas], Field(max_length=1000, description="By the id of the client.")
    ] = Field(default_factory=dict)


class QuotaUsage(BaseModel):
    """One quota, and how much of it is used."""

    quota: Quota
    client: str | Absent = Field(
        default=None, description="The id of a client that has a quota of its own."
    )
    limit: int
    used: float = Field(
        description="How many there are now; of a rate, the average per second of the last minute."
    )
    refused: int = Field(
        description="Calls that were refused within the last minute; 0 for what is counted."
    )


class Usage(BaseModel):
    """Every quota of an organisation, then those of its clients."""

    items: list[QuotaUsage]


@router.get("/quotas", responses=responses(403, 404) | NOT_MODIFIED)
async def get_quotas(
    name: OrganisationName, client: AuthenticatedClient, context: Context, known: KnownTags
) -> ModelResponse[Quotas]:
    """The quotas that are set; `usage` shows those in force. For the organisation and auditors."""
    found = await identity.find_quotas(context.database, by=client, organisation=name)
    return not_modified(known, etag(found.revision)) or _response(found)


@router.put("/quotas", responses=responses(403, 404, 412, 428, body=True))
async def put_quotas(
    name: OrganisationName,
    body: Quotas,
    client: OperatorAdmin,
    context: Context,
    revision: IfMatch,
) -> ModelResponse[Quotas]:
    """Replace the quotas of an organisation and its clients; in force everywhere once answered.

    For administrators of the operator. Needs If-Match. What is in progress or stored already stays.
    """
    changed = await identity.change_quotas(
        context.database,
        by=client,
        organisation=name,
        own=_set(body.quotas),
        clients={id: _set(each) for id, each in body.clients.items()},
        revision=None if revision == "any" else revision,
    )
    await took_effect(context, Topic.IDENTITY)
    log().info("quotas.changed", organisation=name, by=client.id)
    return _response(changed)


@router.get("/usage", responses=responses(403, 404))
async def get_usage(
    name: OrganisationName, client: AuthenticatedClient, context: Context
) -> ModelResponse[Usage]:
    """What an organisation uses of its quotas, in all processes: each reports five times a second.

    For the organisation and the operator's auditors and administrators.
    """
    policy.require_member_or_overseer(client, name)
    await identity.find_organisation(context.database, name)
    shared = await context.quota_sharing.usage(context.directory, name)
    counts = await _counts(context, name)
    items = [
        QuotaUsage(
            quota=quota, limit=context.directory.quota(name, quota), used=counts[quota], refused=0
        )
        for quota in COUNTED
    ]
    items += [_shared(each) for each in shared]
    return ModelResponse(Usage(items=sorted(items, key=_order)))


async def _counts(context: ApiContext, name: str) -> Counter[Quota]:
    """How many of what is counted an organisation has."""
    directory, subscriptions = context.directory, context.subscriptions.value.all
    found: Counter[Quota] = Counter()
    found[Quota.CLIENTS] = sum(
        each.active for each in directory.clients.values() if each.organisation == name
    )
    found[Quota.GRANTS] = len(directory.grants_to(name))
    found[Quota.CONTRACTS] = sum(
        each.owner == name for each in context.catalogue.contracts.values()
    )
    found[Quota.SUBSCRIPTIONS] = sum(each.organisation == name for each in subscriptions)
    found[Quota.REDRIVES] = await context.redrives.count_running(name)
    return found


def _shared(usage: quotas.Usage) -> QuotaUsage:
    of_client = {} if usage.client is None else {"client": usage.client}
    return QuotaUsage(
        quota=usage.quota,
        limit=usage.limit,
        used=round(usage.used, 3),
        refused=usage.refused,
        **of_client,
    )


def _order(usage: QuotaUsage) -> tuple[str, int]:
    return usage.client or "", list(Quota).index(usage.quota)


def _set(given: ClientQuotas) -> identity.Quotas:
    return {Quota(name): value for name, value in given.model_dump(exclude_none=True).items()}


def _response(found: QuotaSettings) -> ModelResponse[Quotas]:
    model = Quotas(
        quotas=OrganisationQuotas.model_validate(found.organisation),
        clients={id: ClientQuotas.model_validate(each) for id, each in found.clients.items()},
    )
    return ModelResponse(model, headers={"etag": etag(found.revision)})
