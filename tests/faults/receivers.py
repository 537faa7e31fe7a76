"""Receivers that the gateway serves itself: by pull and by stream, with a reader's usual sins.

They repeat what has no answer, let locks end, die with a message in hands, and come back.
"""

import asyncio
import time
from contextlib import suppress
from random import Random
from typing import Any, Protocol
from zlib import crc32

import httpx
import msgspec

from gateway.base.event import Event
from gateway.broker.message import CONTENT_TYPE, event_from_message
from tests.faults.door import Door
from tests.faults.ledger import Delivery, Identity, Interest, Ledger, Replay

LOCK = 2  # seconds
FORGETS = 40  # one event in so many is worked on, and its token forgotten
REJECTS = 50
RELEASES = 30
IDLE = 1.5  # seconds without an event after which a connected reader has everything


class _Handed(msgspec.Struct):
    token: str
    attempt: int
    event: msgspec.Raw


class _Page(msgspec.Struct):
    events: list[_Handed]


_page = msgspec.json.Decoder(_Page).decode


class Receiver(Protocol):
    """Somebody who receives until stopped."""

    interest: Interest

    @property
    def idle(self) -> bool:
        """Whether it has asked lately, and there was nothing."""

    def start(self) -> None:
        """Begin to receive."""

    async def stop(self) -> None:
        """Receive nothing more."""

    def repair(self) -> None:
        """Reject nothing from now on."""


class _Looping:
    """What both have: a loop, a ledger, the time of the last event and of the last answer."""

    def __init__(self, interest: Interest, door: Door, ledger: Ledger, seed: int) -> None:
        self.interest = interest
        self._door = door
        self._ledger = ledger
        self._random = Random(f"{seed} {interest.name}")
        self._path = f"/v1/subscriptions/{interest.name}"
        self._began = 0.0
        self._rejects = True
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether it has been connected for a while, and there was nothing."""
        last = max(self._began, self._ledger.last_of(self.interest.name))
        return self._began > 0 and time.monotonic() - last > IDLE

    def start(self) -> None:
        """Begin to receive."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Receive nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def repair(self) -> None:
        """Reject nothing from now on."""
        self._rejects = False

    async def _run(self) -> None:
        raise NotImplementedError

    def _note(self, event: Event, *, again: bool, rejected: bool = False, taken: bool) -> None:
        self._ledger.delivery(
            Delivery.of(self.interest.name, event, again=again, rejected=rejected, taken=taken)
        )


class Puller(_Looping):
    """Pulls, and settles what it got: most it acknowledges.

    What it has forgotten comes again under another token, and then it tries the old one first.
    """

    def __init__(self, interest: Interest, door: Door, ledger: Ledger, seed: int) -> None:
        super().__init__(interest, door, ledger, seed)
        self._forgotten: dict[Identity, str] = {}

    async def _run(self) -> None:
        while True:
            answer = await self._door.call("POST", f"{self._path}/receive", {"max": 50, "wait": 1})
            assert answer.status_code == httpx.codes.OK, answer.text
            self._began = self._began or time.monotonic()
            acknowledge: list[str] = []
            for handed in _page(answer.content).events:
                await self._work(handed, acknowledge)
            if acknowledge:
                await self._settle("acknowledge", acknowledge)

    async def _work(self, handed: _Handed, acknowledge: list[str]) -> None:
        event, again = event_from_message(bytes(handed.event), {}, CONTENT_TYPE), handed.attempt > 1
        old = self._forgotten.pop((event.source, event.id), None)
        if old is not None:
            (said,) = await self._settle("acknowledge", [old])
            self._ledger.replays.append(Replay(self.interest.name, (event.source, event.id), said))
        if self._rejects and crc32(event.id.encode()) % REJECTS == 0:
            self._note(event, again=again, rejected=True, taken=False)
            await self._settle("reject", [handed.token])
        elif not again and self._random.randrange(RELEASES) == 0:
            self._note(event, again=again, taken=False)
            await self._settle("release", [handed.token])
        else:
            self._note(event, again=again, taken=True)
            if again or self._random.randrange(FORGETS):
                acknowledge.append(handed.token)
            else:
                self._forgotten[event.source, event.id] = handed.token

    async def _settle(self, how: str, tokens: list[str]) -> list[str]:
        answer = await self._door.call("POST", f"{self._path}/{how}", {"tokens": tokens})
        assert answer.status_code == httpx.codes.OK, answer.text
        return list(answer.json()["results"])


class Follower(_Looping):
    """Follows a stream; leaves it now and then, and comes back with the last id it has got."""

    def __init__(self, interest: Interest, door: Door, ledger: Ledger, seed: int) -> None:
        super().__init__(interest, door, ledger, seed)
        self._last = ""

    async def _run(self) -> None:
        while True:
            with suppress(httpx.HTTPError, TimeoutError):
                await self._follow(self._random.randrange(20, 400))
            self._began = 0.0
            await asyncio.sleep(0.2)

    async def _follow(self, count: int) -> None:
        async with self._door.stream(f"{self._path}/stream", self._last) as answer:
            if answer.status_code != httpx.codes.OK:
                return
            self._began = time.monotonic()
            place, data = "", list[bytes]()
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    place = line[4:]
                elif line.startswith("data: "):
                    data.append(line[6:].encode())
                elif place and data:
                    event = event_from_message(b"\n".join(data), {}, CONTENT_TYPE)
                    self._note(event, again=False, taken=True)
                    self._last, place, data = place, "", []
                    count -= 1
                    if count == 0:
                        return


RECEIVERS: dict[str, Any] = {"pull": Puller, "stream": Follower}
