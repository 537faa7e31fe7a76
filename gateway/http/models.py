"""What the models of bodies and answers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from starlette.responses import Response
from typing_extensions import TypeAliasType

from gateway.base.invisible import invisible_character


def _visible(text: str) -> str:
    found = invisible_character(text)
    if found is not None:
        raise PydanticCustomError(
            "invisible_character",
            "The text contains {character}, which no reader sees. Remove it.",
            {"character": found},
        )
    return text


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError(
            "time_out_of_range", "The time must be within the years 1 to 9999 in UTC."
        ) from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time that a client gives: with an offset, and one that can be stored. Use no other type."""
_VISIBLE = AfterValidator(_visible)
# Control characters would be invisible to the next reader; PostgreSQL refuses NUL in any text.
Title = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"), _VISIBLE
]
Description = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$"), _VISIBLE]
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"), _VISIBLE]
Text = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$"), _VISIBLE]
Sequence = Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{16}$", examples=["00-0000000000000042"])]

# A TypeAliasType has a schema of its own in the document, with a name for generated code.
JsonSchema = TypeAliasType("JsonSchema", dict[str, Any])
EventAttributes = TypeAliasType("EventAttributes", dict[str, Any])
Absent = SkipJsonSchema[None]
"""In `T | Absent`, with the default None: a member that is left out, and never null."""

M = TypeVar("M", bound=BaseModel)


class RequestBody(BaseModel):
    """The body of a request. It refuses members that it does not know."""

    model_config = ConfigDict(extra="forbid")


class Resource(BaseModel):
    """A model that is made of the attributes of a value."""

    model_config = ConfigDict(from_attributes=True)


@dataclass(frozen=True, slots=True)
class JsonOf:
    """In `Annotated[msgspec.Raw, JsonOf(T)]`: JSON as it is stored, which holds a T.

    pydantic would parse and write it again, which loses digits.
    """

    type: Any

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Described as T; not looked into."""
        return core_schema.json_or_python_schema(
            handler.generate_schema(self.type), core_schema.is_instance_schema(msgspec.Raw)
        )


class ModelResponse(Response, Generic[M]):
    """A model as JSON. FastAPI describes a route that returns `ModelResponse[M]` by M."""

    media_type = "application/json"

    def __init__(
        self, model: M, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encode(model), status, headers)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Described as the model."""
        return handler.generate_schema(get_args(source)[0])


def example(**members: Any) -> ConfigDict:
    """The `model_config` of a model with this example."""
    return ConfigDict(json_schema_extra={"examples": [members]})


def _members(model: Any) -> dict[str, Any]:
    """The members of a model on the wire: all but those that were left out and are None."""
    if not isinstance(model, BaseModel):
        raise NotImplementedError(type(model))
    given = model.model_fields_set
    return {
        field.alias or name: value
        for name, field in type(model).model_fields.items()
        if (value := getattr(model, name)) is not None or name in given
    }


encode = msgspec.json.Encoder(enc_hook=_members, decimal_format="number").encode
"""Writes models, and all that they hold, as JSON."""
