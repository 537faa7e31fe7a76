"""Answers that a model describes and builds, with JSON in them exactly as it is stored.

pydantic would parse and write such JSON again, which loses digits. So a route returns a
`ModelResponse[M]`: FastAPI describes it as M, and msgspec writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

import msgspec
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.responses import Response

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JsonOf:
    """In `Annotated[msgspec.Raw, JsonOf(T)]`: JSON as it is stored, which holds a T."""

    type: Any

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Described as T; not looked into."""
        return core_schema.json_or_python_schema(
            handler.generate_schema(self.type), core_schema.is_instance_schema(msgspec.Raw)
        )


class ModelResponse(Response, Generic[M]):
    """A model as JSON."""

    media_type = "application/json"

    def __init__(
        self, model: M, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encode(model), status, headers)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Described as the model."""
        return handler.generate_schema(get_args(source)[0])


def _members(model: Any) -> dict[str, Any]:
    if not isinstance(model, BaseModel):
        raise NotImplementedError(type(model))
    fields = type(model).model_fields.items()
    return {field.alias or name: getattr(model, name) for name, field in fields}


encode = msgspec.json.Encoder(enc_hook=_members, decimal_format="number").encode
"""Writes models, and all that they hold, as JSON."""
