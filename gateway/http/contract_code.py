"""`/v1/contracts/{type}/versions/{number}/...`: what programmers start from."""

import asyncio
import hashlib
from collections import OrderedDict
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.base import strict_json
from gateway.base.errors import Invalid, NotFound, Overloaded
from gateway.contracts import StoredVersion, schema_url
from gateway.contracts.code import example_event, pydantic_model, typescript_type
from gateway.http import contracts_answers as answers
from gateway.http.context import AuthenticatedClient, Context
from gateway.http.contracts import Type
from gateway.http.contracts_exact import unchanged
from gateway.http.contracts_versions import Number, stored_version

router = APIRouter(
    prefix="/v1/contracts/{type}/versions/{number}",
    tags=["contracts"],
    responses=answers.PROBLEMS | answers.UNCHANGED,
)


class Part(StrEnum):
    """Which schema of a version."""

    DATA = "data"
    REPLY = "reply"


DATA = Part.DATA
Of = Annotated[Part, Query(description="of the data, or of the reply of a request-reply type")]
KEPT = 500  # models that a process remembers
WAITING = 16  # requests that wait for one
_encode = msgspec.json.Encoder(decimal_format="number").encode


class PythonSource(Response):
    """A Python module."""

    media_type = "text/x-python"


class TypeScriptSource(Response):
    """A TypeScript module."""

    media_type = "text/x-typescript"


class EventExample(Response):
    """An event in CloudEvents' JSON format."""

    media_type = "application/cloudevents+json"


class _Models:
    """Pydantic models by what they were made of; one generator runs at a time in a process."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[bytes, Part], str | Invalid] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def get(self, version: StoredVersion, part: Part) -> str:
        """The model of a version. Raises Invalid where there is none, Overloaded if many wait."""
        key = (version.digest, part)
        if key not in self._made:
            if self._waiting >= WAITING:
                raise Overloaded("too many models are being made: try again")
            self._waiting += 1
            try:
                async with self._turn:
                    if key not in self._made:
                        self._made[key] = await _model(version, part)
            finally:
                self._waiting -= 1
        found = self._made[key]
        self._made.move_to_end(key)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        if isinstance(found, Invalid):
            raise Invalid(str(found))
        return found


async def _model(version: StoredVersion, part: Part) -> str | Invalid:
    try:
        return await pydantic_model(
            version.type, version.version.number, _schema(version, part), reply=part is Part.REPLY
        )
    except Invalid as error:
        return error


_models = _Models()


@router.get("/pydantic", response_class=PythonSource)
async def get_pydantic_model(
    type: Type,
    number: Number,
    by: AuthenticatedClient,
    context: Context,
    request: Request,
    part: Of = DATA,
) -> Response:
    """A Pydantic model, as Python source."""
    _, version = await stored_version(type, number, by, context)
    source = await _models.get(version, part)
    return _kept(request, version, PythonSource(source))


@router.get("/typescript", response_class=TypeScriptSource)
async def get_typescript_type(
    type: Type,
    number: Number,
    by: AuthenticatedClient,
    context: Context,
    request: Request,
    part: Of = DATA,
) -> Response:
    """A TypeScript type, as source."""
    _, version = await stored_version(type, number, by, context)
    schema, reply = _schema(version, part), part is Part.REPLY
    source = await asyncio.to_thread(typescript_type, type, number, schema, reply=reply)
    return _kept(request, version, TypeScriptSource(source))


@router.get(
    "/example",
    response_class=EventExample,
    responses={200: {"content": {EventExample.media_type: {"schema": {"type": "object"}}}}},
)
async def get_example_event(
    type: Type, number: Number, by: AuthenticatedClient, context: Context, request: Request
) -> Response:
    """A complete event around the first valid example."""
    registered, version = await stored_version(type, number, by, context)
    examples = strict_json.parse(version.examples)["valid"] if version.examples else []
    if not examples:
        raise NotFound(f"version {number} of {type} has no examples")
    url = schema_url(context.settings.url, type, number)
    event = example_event(
        registered.contract, url, _schema(version, Part.DATA), examples[0]["data"]
    )
    return _kept(request, version, EventExample(_encode(event)))


def _schema(version: StoredVersion, part: Part) -> Any:
    """The schema that is asked for, with all that it refers to. Raises NotFound."""
    text = version.bundle if part is Part.DATA else version.reply_bundle
    if text is None:
        raise NotFound(f"{version.type} is no request-reply contract, so there is no reply")
    return strict_json.parse(text)


def _kept(request: Request, version: StoredVersion, response: Response) -> Response:
    """What was made of a version; that stays the same until the gateway makes it better."""
    tag = f'"{hashlib.sha256(version.digest + bytes(response.body)).hexdigest()[:32]}"'
    same = unchanged(request, tag)
    found = response if same is None else same
    found.headers.update({"etag": tag, "cache-control": "private, max-age=3600"})
    return found
