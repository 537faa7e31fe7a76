"""What every route may ask for: the parts of the application, and who is calling."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from gateway.base.database import Database, Topic
from gateway.base.errors import Unavailable
from gateway.base.settings import Settings
from gateway.identity import (
    Client,
    Directory,
    Logins,
    Role,
    Tokens,
    not_authenticated,
    policy,
)

_BEARER = HTTPBearer(auto_error=False, description="a token from POST /oauth/token")


class Parts(Protocol):
    """What the identity routes need of `app.state.parts`, which the process has put together."""

    @property
    def settings(self) -> Settings:
        """As parsed at the start."""

    @property
    def database(self) -> Database:
        """The connections of this process."""

    @property
    def tokens(self) -> Tokens:
        """Makes and checks access tokens."""

    @property
    def logins(self) -> Logins:
        """Checks client secrets."""

    @property
    def directory(self) -> Directory:
        """Who takes part, as of the last load."""

    async def refresh(self, topic: Topic) -> None:
        """Bring this process's snapshot of a topic up to date now."""


def parts(request: Request) -> Parts:
    """The parts of the running application."""
    return cast(Parts, request.app.state.parts)


async def authenticate(parts: Parts, authorization: str | None) -> Client:
    """Who sends this `Authorization` header. Raises NotAuthenticated, for whatever reason alike.

    A client that another process has just created is not in our directory yet. Its token is
    signed by us, so nobody can make us load for nothing.
    """
    client_id = parts.tokens.verify(bearer(authorization))
    client = parts.directory.client(client_id)
    if client is None:
        await parts.refresh(Topic.IDENTITY)
        client = parts.directory.client(client_id)
    if client is None or not client.active:
        raise not_authenticated()
    return client


def bearer(authorization: str | None) -> str:
    """The token in an `Authorization` header (RFC 6750, section 2.1)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise not_authenticated()
    return token.strip(" ")


async def took_effect(parts: Parts) -> None:
    """After a committed change of the identity topic: let this process see it at once.

    The change is made whether or not this works, so a failure is left to the next regular load.
    """
    with suppress(Unavailable):
        await parts.refresh(Topic.IDENTITY)


async def caller(request: Request, _documented: Annotated[object, Security(_BEARER)]) -> Client:
    """The client that sent the request; see `authenticate`."""
    return await authenticate(parts(request), request.headers.get("authorization"))


def require_role(*roles: Role) -> Callable[[Client], Awaitable[Client]]:
    """A dependency: the caller, who holds at least one of these roles. Raises Forbidden."""

    async def holder(client: Caller) -> Client:
        client.require(*roles)
        return client

    return holder


Caller = Annotated[Client, Depends(caller)]
PartsHere = Annotated[Parts, Depends(parts)]
Admin = Annotated[Client, Depends(require_role(Role.ADMIN))]
Reader = Annotated[Client, Depends(require_role(*policy.CLIENT_READERS))]


async def operator_admin(
    client: Admin,
) -> Client:
    """A dependency: the caller, who is an administrator of the operator. Raises Forbidden."""
    policy.require_operator(client, Role.ADMIN)
    return client


OperatorAdmin = Annotated[Client, Depends(operator_admin)]
