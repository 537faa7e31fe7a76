"""`POST /v1/contracts/convert`: makes one schema of several, and draft 7 of draft 4."""

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.base import strict_json
from gateway.contracts import schema_id
from gateway.contracts.conversion import DRAFT4, Conversion, convert
from gateway.http.body import RawBody
from gateway.http.context import CHECKED, Admin, Context
from gateway.http.contracts.exact import ExactRoute
from gateway.http.models import JsonSchema, RequestBody, example
from gateway.http.problems import responses

router = APIRouter(
    prefix="/v1/contracts", tags=["contracts"], route_class=ExactRoute, strict_content_type=False
)
DEPTH = 36  # of a schema, and the members around it
_MAX_SCHEMAS = 1000
_encode = msgspec.json.Encoder(decimal_format="number").encode


class ConversionRequest(RequestBody):
    """A schema, and the others that it refers to."""

    model_config = example(
        schema={
            "$schema": f"{DRAFT4}#",
            "type": "object",
            "properties": {"berat": {"minimum": 0, "exclusiveMinimum": True}},
        },
        schemas={"alamat.json": {"type": "string", "maxLength": 100}},
    )

    json_schema: JsonSchema = Field(alias="schema", description="The schema of the data.")
    schemas: Annotated[
        dict[str, JsonSchema],
        Field(
            default_factory=dict,
            max_length=_MAX_SCHEMAS,
            description="Schemas that it refers to, by URI or by a name that resolves against its "
            "`$id`, such as that of a file. Each is also found by its own `$id`.",
        ),
    ]
    dialect: Annotated[
        str | None,
        Field(
            max_length=100,
            description="The dialect of a schema without `$schema`.",
            examples=[f"{DRAFT4}#"],
        ),
    ] = None


class ConversionChange(BaseModel):
    """A change, at a pointer of the new schema."""

    pointer: str
    text: str


class ConvertedSchema(BaseModel):
    """A schema that can be registered, and what was changed."""

    json_schema: JsonSchema = Field(alias="schema")
    changes: list[ConversionChange]


@router.post(
    "/convert",
    dependencies=[CHECKED],
    responses=responses(403, body=True),
    response_model=ConvertedSchema,
)
async def convert_schema(
    body: ConversionRequest, client: Admin, context: Context, raw: RawBody
) -> Response:
    """Embed the schemas that a schema refers to, and convert draft 4 to draft 7. Stores nothing.

    The new schema accepts the same documents. Register it as it is answered, or correct it first.
    """
    strict_json.require_strict(raw, depth=DEPTH)
    base_url = context.settings.url
    keeps = partial(_is_registered, base_url=base_url)
    found = await asyncio.to_thread(convert, body.json_schema, body.schemas, keeps, body.dialect)
    return Response(_encode(_answer(found)), media_type="application/json")


def _is_registered(uri: str, *, base_url: str) -> bool:
    return schema_id(uri, base_url) is not None


def _answer(found: Conversion) -> dict[str, Any]:
    changes = [{"pointer": pointer, "text": text} for pointer, text in found.changes]
    return {"schema": found.schema, "changes": changes}
