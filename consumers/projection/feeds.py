"""Where the events of a build come from: a stream subscription of its own."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Protocol

import httpx

from adapters.client import Nusabus, Problem, StreamedEvent, Streams
from adapters.client.call_retry import is_unknown

OnRestored = Callable[[dict[str, Any]], None]


class Feed(Protocol):
    """The events of one build, from the beginning of the journal."""

    def follow(self, after: str, on_restored: OnRestored) -> AsyncGenerator[StreamedEvent, None]:
        """Yield every event after a position, or from the beginning for "", without an end."""
        ...

    async def remove(self) -> None:
        """The build was dropped: nobody will follow again."""
        ...


class GatewayFeed:
    """A `stream` subscription, which is created when it is first followed.

    Each build has a subscription of its own, so that the gateway keeps what a build has not read,
    and a new build begins at the beginning of the journal.
    """

    def __init__(
        self, bus: Nusabus, subscription: str, types: Sequence[str], *, start: str = "beginning"
    ) -> None:
        """`start` is where a build without a position begins, as for any subscription."""
        self._bus, self._subscription = bus, subscription
        self._types, self._start = list(types), start

    async def follow(
        self, after: str, on_restored: OnRestored
    ) -> AsyncGenerator[StreamedEvent, None]:
        """As Feed says. Raises Problem for a failure that trying again does not mend."""
        if not after:
            await self._subscribe()
        stream = Streams(self._bus).follow(self._subscription, after=after, on_restored=on_restored)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()

    async def _subscribe(self) -> None:
        try:
            await self._bus.subscribe(
                self._subscription, self._types, delivery="stream", start=self._start
            )
        except Problem as problem:
            if is_unknown(problem):
                raise ConnectionError("The gateway did not answer.") from problem
            raise

    async def remove(self) -> None:
        """Delete the subscription. Raises Problem."""
        try:
            await self._bus.unsubscribe(self._subscription)
        except Problem as problem:
            if problem.status != httpx.codes.NOT_FOUND:
                raise
