"""The messages of a client's stream: read ahead within a window, taken one by one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from gateway.base.errors import Malformed, NusabusError
from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp
from gateway.grpc.window import StreamWindow

M = TypeVar("M", bound=Message)
FAREWELL = 5.0  # seconds for a client to end its call once it was told that the process ends


class Disconnected(Exception):
    """The client has gone away."""


class Channel(Protocol):
    """The two directions of a stream."""

    async def receive(self) -> bytes | None:
        """The next message; None once the client has sent its last one, or has gone away."""

    async def send(self, message: Message) -> None:
        """Send a message; wait while the client does not read. Raises Disconnected."""


class Incoming(Generic[M]):
    """Reads ahead in a task of its own, which is never interrupted in the middle of a message."""

    def __init__(
        self,
        kind: type[M],
        channel: Channel,
        window: StreamWindow,
        stop: Stop,
        events: Callable[[M], int] = lambda _: 1,
    ) -> None:
        """`events`: how many events of the window a message takes."""
        self._kind, self._events = kind, events
        self._channel, self.window, self._stop = channel, window, stop
        self._read: deque[tuple[M, int]] = deque()
        self._error: NusabusError | None = None
        self._ended = False
        self._wake = WakeUp()
        self._reader = asyncio.create_task(self._run())

    async def next(self, until: float) -> tuple[M, int] | None:
        """The next message and its size in bytes; None after the last one.

        After a stop, only what was read before. Raises TimeoutError if none has come until then
        (by `time.time`), and Malformed.
        """
        with self._stop.waking(self._wake):
            while not self._read:
                if self._error is not None:
                    raise self._error
                if self._ended or self._stop:
                    return None
                if (seconds := until - time.time()) <= 0:
                    raise TimeoutError
                await self._wake.wait(seconds)
        return self._read.popleft()

    def give_back(self, message: M, size: int) -> None:
        """A message was answered."""
        self.window.give_back(self._events(message), size)

    async def farewell(self) -> None:
        """Once the client was told that the process ends: wait until it ends the call, or too long.

        What it still sends is dropped. gRPC for Python tells a client that writes into a call which
        has ended of an internal error, and no more what it was told before.
        """
        await asyncio.wait({self._reader}, timeout=FAREWELL)

    def close(self) -> None:
        """Read no more."""
        self._reader.cancel()

    async def _run(self) -> None:
        try:
            while True:
                if not self._stop:
                    await self.window.room()
                content = await self._channel.receive()
                if content is None:
                    return
                if self._stop:
                    continue
                message = parse(self._kind, content)
                self.window.take(self._events(message), len(content))
                self._read.append((message, len(content)))
                self._wake.set()
        except Malformed as error:
            self._error = error
        finally:
            self._ended = True
            self._wake.set()


def parse(kind: type[M], content: bytes) -> M:
    """The message that these bytes are. Raises Malformed."""
    try:
        return kind.FromString(content)
    except DecodeError:
        raise Malformed(
            f"The message is no {kind.DESCRIPTOR.full_name}. Generate the client from the .proto "
            "file."
        ) from None
