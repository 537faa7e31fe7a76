"""Fields that several bodies have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Control characters would be invisible to the next reader; PostgreSQL refuses NUL in any text.
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Description = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    """A request body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid")


Sequence = Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{16}$", examples=["00-0000000000000042"])]
