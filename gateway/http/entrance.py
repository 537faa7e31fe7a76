"""The entrance: who sends a request, and whether it is taken on now. Only headers are looked at."""

from collections.abc import Collection
from typing import cast

from starlette.types import Scope

from gateway.base.errors import NusabusError
from gateway.http.admission import BYTES, STRANGERS, UNKNOWN_SIZE, Admitted, Shed
from gateway.http.body import declared_size
from gateway.http.context import (
    CALL,
    CLIENT,
    PEER,
    PLACE,
    ApiContext,
    authenticate,
    authorization,
    bearer,
    require_one_authorization,
)
from gateway.identity import require_binding
from gateway.quotas import Call

# What a stranger may ask. On every other path the client is authenticated by the headers, before
# a byte of the body is read. `/metrics` has a token of its own.
PUBLIC = {
    "/oauth/token",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/docs",
    "/openapi.json",
}
ALWAYS = {"/health/live", "/health/ready", "/metrics"}  # whatever else is going on


class Entrance:
    """Authenticates and admits the requests of one process."""

    def __init__(self, context: ApiContext, publishing: Collection[str]) -> None:
        """`publishing`: the paths to which events are posted."""
        self._context = context
        self._publishing = publishing

    @property
    def delay(self) -> float:
        """Seconds before a refusal is said."""
        return self._context.admission.delay

    def shed(self, scope: Scope) -> Shed | None:
        """Take a place for a request, or say that it is refused. For the server: it costs little.

        The client is not authenticated yet: only a token that was verified before says who it is.
        """
        path = scope["path"]
        if path in ALWAYS:
            return None
        organisation = STRANGERS if path in PUBLIC else self._presumed(scope)
        found = self._admit(organisation, scope)
        if isinstance(found, Shed):
            return found
        scope[PLACE] = found
        return None

    async def enter(self, scope: Scope) -> str | None:
        """Authenticate and admit; the `Authorization` header.

        Raises Malformed, NotAuthenticated, OrganisationSuspended, ShareExceeded, QuotaExceeded or
        Overloaded.
        """
        path, header, client = scope["path"], None, None
        require_one_authorization(scope["headers"])
        organisation = STRANGERS
        if path not in PUBLIC:
            header = authorization(scope["headers"])
            client = scope[CLIENT] = await authenticate(self._context, header, scope.get(PEER))
            organisation = client.organisation
        elif path in ALWAYS:
            return None
        place = scope.get(PLACE)
        if place is None or place.organisation != organisation:
            self.leave(scope)
            found = self._admit(organisation, scope)
            if isinstance(found, Shed):
                raise found.error
            scope[PLACE] = place = found
        if client is not None:
            scope[CALL] = Call(self._context.limiter.gate(client))
        await self._context.admission.turn(place)
        return header

    def leave(self, scope: Scope) -> None:
        """The request is answered."""
        place = cast("Admitted | None", scope.get(PLACE))
        if place is not None:
            self._context.admission.leave(place)
        call = cast("Call | None", scope.pop(CALL, None))
        if call is not None:
            call.end()

    def _presumed(self, scope: Scope) -> str:
        try:
            token = self._context.tokens.remembered(bearer(authorization(scope["headers"])))
            if token is not None:
                require_binding(token, scope.get(PEER))
            client = token and self._context.directory.caller(token.client, token.credential)
        except NusabusError:
            client = None
        return client.organisation if client else STRANGERS

    def _admit(self, organisation: str, scope: Scope) -> Admitted | Shed:
        publishes = scope["method"] == "POST" and scope["path"] in self._publishing
        size = declared_size(scope["headers"])
        if not size and any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            size = UNKNOWN_SIZE
        size = min(size, self._context.settings.batch_limit)  # more is refused anyway
        places = 1 + size // BYTES
        return self._context.admission.enter(organisation, places, counted=publishes)
