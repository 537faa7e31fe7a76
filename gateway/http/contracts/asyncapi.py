"""`/asyncapi.json`: the catalogue as AsyncAPI, as the client may see it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from gateway import __version__
from gateway.base import strict_json
from gateway.base.errors import TooLarge
from gateway.base.hosts import each_host
from gateway.base.settings import Settings
from gateway.broker import names
from gateway.contracts import Pattern, in_use, schema_url
from gateway.contracts.asyncapi import DocumentedContract, ServerInfo, document
from gateway.contracts.governance import find_visible, visibility_of
from gateway.contracts.in_use import VersionInUse
from gateway.http.context import ApiContext, AuthenticatedClient, Context
from gateway.http.contracts.contracts import ContractType
from gateway.http.problems import Responses, responses
from gateway.identity import Client, Role
from gateway.subscriptions.permissions import may_receive

router = APIRouter(tags=["contracts"])
MEDIA_TYPE = "application/json"
LIMIT = 1000  # contracts in one document
EXCHANGES = {
    Pattern.PUBLISH_SUBSCRIBE: (names.EVENTS, "topic"),
    Pattern.POINT_TO_POINT: (names.COMMANDS, "direct"),
    Pattern.REQUEST_REPLY: (names.REQUESTS, "direct"),
}
Owner = Annotated[
    str | None,
    Query(
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Only the contracts of this organisation.",
    ),
]
_DOCUMENT: Responses = {
    200: {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/AsyncApiDocument"}}}}
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


@router.get("/asyncapi.json", responses=responses(413, 422) | _DOCUMENT)
async def get_async_api(
    client: AuthenticatedClient, context: Context, owner: Owner = None
) -> Response:
    """An AsyncAPI 3.0 document of the contracts that you may see."""
    visibility = visibility_of(client, context.directory)
    async with context.database.session() as session:
        found = await in_use.visible_versions_in_use(
            session, visibility, owner=owner, limit=LIMIT + 1
        )
    if len(found) > LIMIT:
        raise TooLarge(f"One document may hold {LIMIT} contracts. Select an owner with ?owner=.")
    return await _response(found, client, context)


@router.get("/v1/contracts/{type}/asyncapi.json", responses=responses(404, 422) | _DOCUMENT)
async def get_contract_async_api(
    type: ContractType, client: AuthenticatedClient, context: Context
) -> Response:
    """An AsyncAPI 3.0 document of one contract."""
    async with context.database.session() as session:
        registered = await find_visible(session, type, visibility_of(client, context.directory))
        found = await in_use.versions_in_use(session, [registered])
    return await _response(found, client, context)


async def _response(found: Sequence[VersionInUse], client: Client, context: ApiContext) -> Response:
    body = await asyncio.to_thread(_body, found, client, context)
    return Response(body, media_type=MEDIA_TYPE, headers={"cache-control": "private, no-cache"})


def _body(found: Sequence[VersionInUse], client: Client, context: ApiContext) -> bytes:
    return _encode(
        document(
            [_documented(each, client, context) for each in found], _server_info(context.settings)
        )
    )


def _documented(found: VersionInUse, client: Client, context: ApiContext) -> DocumentedContract:
    contract, type = found.contract, found.contract.type
    examples = strict_json.parse(found.examples)["valid"] if found.examples else []
    return DocumentedContract(
        contract=contract,
        version=found.number,
        dataschema=schema_url(context.settings.url, type, found.number),
        schema=strict_json.parse(found.schema),
        reply=None if found.reply is None else strict_json.parse(found.reply),
        example=examples[0]["data"] if examples else None,
        state=found.state.value,
        may_publish=context.directory.may_publish(client, type, contract.owner),
        may_receive=client.has(Role.SUBSCRIBER)
        and may_receive(client.organisation, type, context.directory, context.catalogue),
    )


def _server_info(settings: Settings) -> ServerInfo:
    """The public URLs of the bus, without the credentials of the gateway."""
    public = settings.subscriber_amqp_url or settings.amqp_url.get_secret_value()
    first = urlsplit(each_host(public)[0])
    broker = f"{first.scheme}://{first.netloc.rpartition('@')[2]}"
    return ServerInfo(settings.url, broker, __version__, EXCHANGES)
