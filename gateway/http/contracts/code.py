"""Generated code of a version: a Pydantic model, a TypeScript type, an example event."""

import asyncio
import hashlib
from collections import OrderedDict
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from gateway.base import strict_json
from gateway.base.errors import Invalid, NotFound, Overloaded
from gateway.contracts import StoredVersion, schema_url
from gateway.contracts.code import example_event, pydantic_model, typescript_type
from gateway.http.context import AuthenticatedClient, Context
from gateway.http.contracts.contracts import ContractType
from gateway.http.contracts.versions import VersionNumber, stored_version
from gateway.http.etags import NOT_MODIFIED, KnownTags, not_modified
from gateway.http.problems import responses

router = APIRouter(
    prefix="/v1/contracts/{type}/versions/{version}",
    tags=["contracts"],
    responses=responses(404, 422) | NOT_MODIFIED,
)


class SchemaPart(StrEnum):
    """Which schema of a version."""

    DATA = "data"
    REPLY = "reply"


DATA = SchemaPart.DATA
PartQuery = Annotated[
    SchemaPart, Query(description="The data of the event, or the reply of a request-reply type.")
]
MAX_CACHED = 500  # models in the cache of a process
MAX_WAITING = 16  # requests that wait for a model
_encode = msgspec.json.Encoder(decimal_format="number").encode


class PythonSource(Response):
    """A Python module."""

    media_type = "text/x-python"


class TypeScriptSource(Response):
    """A TypeScript module."""

    media_type = "text/x-typescript"


class ExampleEvent(Response):
    """An event in the JSON format of CloudEvents."""

    media_type = "application/cloudevents+json"


class _ModelCache:
    """Pydantic models by schema digest. One generator runs at a time in a process."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[bytes, SchemaPart], str | Invalid] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def get(self, version: StoredVersion, part: SchemaPart) -> str:
        """The model of a version. Raises Invalid if none can be made, Overloaded if many wait."""
        key = (version.digest, part)
        if key not in self._made:
            if self._waiting >= MAX_WAITING:
                raise Overloaded("Too many models are being generated. Try again later.")
            self._waiting += 1
            try:
                async with self._turn:
                    if key not in self._made:
                        self._made[key] = await _model(version, part)
            finally:
                self._waiting -= 1
        found = self._made[key]
        self._made.move_to_end(key)
        while len(self._made) > MAX_CACHED:
            self._made.popitem(last=False)
        if isinstance(found, Invalid):
            raise Invalid(str(found))
        return found


async def _model(version: StoredVersion, part: SchemaPart) -> str | Invalid:
    try:
        return await pydantic_model(
            version.type,
            version.version.number,
            _schema(version, part),
            reply=part is SchemaPart.REPLY,
        )
    except Invalid as error:
        return error


_models = _ModelCache()


@router.get("/pydantic", response_class=PythonSource)
async def get_pydantic_model(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
    part: PartQuery = DATA,
) -> Response:
    """A Pydantic model, as Python source."""
    _, stored = await stored_version(type, version, client, context)
    source = await _models.get(stored, part)
    return _cacheable(known, stored, PythonSource(source))


@router.get("/typescript", response_class=TypeScriptSource)
async def get_typescript_type(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
    part: PartQuery = DATA,
) -> Response:
    """A TypeScript type, as source."""
    _, stored = await stored_version(type, version, client, context)
    schema, reply = _schema(stored, part), part is SchemaPart.REPLY
    source = await asyncio.to_thread(typescript_type, type, version, schema, reply=reply)
    return _cacheable(known, stored, TypeScriptSource(source))


@router.get(
    "/example",
    response_class=Response,
    responses={
        200: {
            "content": {
                ExampleEvent.media_type: {"schema": {"$ref": "#/components/schemas/CloudEvent"}}
            }
        }
    },
)
async def get_example_event(
    type: ContractType,
    version: VersionNumber,
    client: AuthenticatedClient,
    context: Context,
    known: KnownTags,
) -> Response:
    """A complete event with the data of the first valid example."""
    registered, stored = await stored_version(type, version, client, context)
    examples = strict_json.parse(stored.examples)["valid"] if stored.examples else []
    if not examples:
        raise NotFound(f"Version {version} of {type} has no examples.")
    url = schema_url(context.settings.url, type, version)
    event = example_event(
        registered.contract, url, _schema(stored, SchemaPart.DATA), examples[0]["data"]
    )
    return _cacheable(known, stored, ExampleEvent(_encode(event)))


def _schema(version: StoredVersion, part: SchemaPart) -> Any:
    """A bundled schema of a version. Raises NotFound if it has no such part."""
    text = version.bundle if part is SchemaPart.DATA else version.reply_bundle
    if text is None:
        raise NotFound(
            f"{version.type} is not a request-reply contract, so it has no reply schema."
        )
    return strict_json.parse(text)


def _cacheable(known: KnownTags, version: StoredVersion, response: Response) -> Response:
    """Code with its ETag. It is the same until a newer gateway generates it differently."""
    tag = f'"{hashlib.sha256(version.digest + bytes(response.body)).hexdigest()[:32]}"'
    found = not_modified(known, tag) or response
    found.headers.update({"etag": tag, "cache-control": "private, max-age=3600"})
    return found
