"""What all streams of clients have in common: `open` comes first, and tokens are renewed."""

import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.base.errors import Malformed, RequestTimeout, Unavailable
from gateway.grpc.context import Caller, GrpcContext
from gateway.grpc.incoming import Incoming, M
from gateway.grpc.wire.bus_pb2 import RenewToken, TokenExpiring
from gateway.identity import Client

WARNING = 60.0  # seconds before a token expires; at most a fifth of its life


class ClientStream(Generic[M]):
    """The messages of a client, as long as its token is good."""

    def __init__(
        self,
        context: GrpcContext,
        caller: Caller,
        incoming: Incoming[M],
        warn: Callable[[TokenExpiring], Awaitable[None]],
    ) -> None:
        """`warn` tells the client that its token expires soon."""
        self._context, self._caller, self._incoming, self._warn = context, caller, incoming, warn
        self._warned = False

    async def open(self) -> M:
        """The first message. Raises Malformed, RequestTimeout or Unavailable."""
        seconds = self._context.settings.header_seconds
        try:
            found = await self._incoming.next(time.time() + seconds)
        except TimeoutError:
            raise RequestTimeout(f"`open` must arrive within {seconds:g} seconds.") from None
        if found is None or found[0].WhichOneof("message") != "open":
            if self._context.stop:
                raise Unavailable("The process ends. Open the stream again.")
            raise Malformed("The first message must be `open`.")
        self._incoming.give_back(*found)
        return found[0]

    async def next(self, seconds: float = math.inf) -> tuple[M, int] | None:
        """The next message and its size, None after the last one; warns before a token expires.

        Raises TimeoutError after so many seconds, and NotAuthenticated once the token has expired.
        """
        until = time.time() + seconds
        while True:
            expires = self._caller.expires
            warn_at = expires - min(WARNING, self._context.settings.token_seconds / 5)
            watched = expires if self._warned else warn_at
            try:
                return await self._incoming.next(min(watched, until))
            except TimeoutError:
                if until < watched:
                    raise
            if not self._warned:
                self._warned = True
                await self._warn(TokenExpiring(expires=Timestamp(seconds=int(expires))))

    async def renew(self, renewal: RenewToken, client: Client) -> None:
        """Go on with another token. Raises NotAuthenticated unless it is one of the same client."""
        await self._caller.renew(renewal.access_token, client)
        self._warned = False
