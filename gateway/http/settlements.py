"""What a receiver may ask for with the events that it holds, whichever door it comes through."""

from typing import Annotated

from pydantic import Field

from gateway.http.models import Reason, RequestBody, example

Token = Annotated[str, Field(min_length=1, max_length=64)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=1000)]
_TOKENS = ["4c1b8bd5a8f1b1fd1a7b6f4e9f0a2c3d"]


class Acknowledgement(RequestBody):
    """Settles events as done."""

    model_config = example(tokens=_TOKENS)

    tokens: Tokens


class Release(RequestBody):
    """Gives events back. They are due again after `delay` seconds."""

    model_config = example(tokens=_TOKENS, delay=30, reason="database locked")

    tokens: Tokens
    delay: float = Field(default=0, ge=0, le=86_400)
    reason: Reason = "given back"


class Rejection(RequestBody):
    """Gives events up. They become dead letters."""

    model_config = example(tokens=_TOKENS, reason="unknown district")

    tokens: Tokens
    reason: Reason = "rejected"


class LockRenewal(RequestBody):
    """Keeps events longer: their locks end `seconds` from now."""

    model_config = example(tokens=_TOKENS, seconds=300)

    tokens: Tokens
    seconds: float = Field(default=60, ge=1, le=43_200)
