"""Receivers by pull and by stream, with the usual mistakes of receivers.

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
from tests.faults.gateway_client import GatewayClient
from tests.faults.run_log import Delivery, Identity, KnownSubscription, Replay, RunLog

LOCK = 2  # seconds
FORGETS = 40  # one event in so many is worked on, and its token forgotten
REJECTS = 50
RELEASES = 30
IDLE = 1.5  # seconds without an event after which a connected reader has everything


class _ReceivedEvent(msgspec.Struct):
    token: str
    attempt: int
    event: msgspec.Raw


class _Page(msgspec.Struct):
    events: list[_ReceivedEvent]


_page = msgspec.json.Decoder(_Page).decode


class Receiver(Protocol):
    """Somebody who receives until stopped."""

    subscription: KnownSubscription

    @property
    def idle(self) -> bool:
        """Whether it has asked lately, and there was nothing."""

    def start(self) -> None:
        """Begin to receive."""

    async def stop(self) -> None:
        """Receive nothing more."""

    def accept_all(self) -> None:
        """Reject nothing from now on."""


class ReceiverLoop:
    """What all have: a loop, the run log, the time of the last event and of the last answer."""

    def __init__(
        self, subscription: KnownSubscription, client: GatewayClient, run_log: RunLog, seed: int
    ) -> None:
        self.subscription = subscription
        self._client = client
        self._run_log = run_log
        self._random = Random(f"{seed} {subscription.name}")
        self._path = f"/v1/subscriptions/{subscription.name}"
        self._began = 0.0
        self._rejects = True
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether it has been connected for a while, and there was nothing."""
        last = max(self._began, self._run_log.last_of(self.subscription.name))
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

    def accept_all(self) -> None:
        """Reject nothing from now on."""
        self._rejects = False

    async def _run(self) -> None:
        raise NotImplementedError

    def _note(self, event: Event, *, again: bool, rejected: bool = False, taken: bool) -> None:
        self._run_log.delivery(
            Delivery.of(self.subscription.name, event, again=again, rejected=rejected, taken=taken)
        )


class Puller(ReceiverLoop):
    """Pulls, and settles what it got: most it acknowledges.

    What it has forgotten comes again under another token, and then it tries the old one first.
    """

    def __init__(
        self, subscription: KnownSubscription, client: GatewayClient, run_log: RunLog, seed: int
    ) -> None:
        super().__init__(subscription, client, run_log, seed)
        self._forgotten: dict[Identity, str] = {}

    async def _run(self) -> None:
        while True:
            answer = await self._client.call(
                "POST", f"{self._path}/receive", {"max": 50, "wait": 1}
            )
            assert answer.status_code == httpx.codes.OK, answer.text
            self._began = self._began or time.monotonic()
            acknowledge: list[str] = []
            for received in _page(answer.content).events:
                await self._work(received, acknowledge)
            if acknowledge:
                await self._settle("acknowledge", acknowledge)

    async def _work(self, received: _ReceivedEvent, acknowledge: list[str]) -> None:
        event, again = (
            event_from_message(bytes(received.event), {}, CONTENT_TYPE),
            received.attempt > 1,
        )
        old = self._forgotten.pop((event.source, event.id), None)
        if old is not None:
            (said,) = await self._settle("acknowledge", [old])
            self._run_log.replays.append(
                Replay(self.subscription.name, (event.source, event.id), said)
            )
        if self._rejects and crc32(event.id.encode()) % REJECTS == 0:
            self._note(event, again=again, rejected=True, taken=False)
            await self._settle("reject", [received.token])
        elif not again and self._random.randrange(RELEASES) == 0:
            self._note(event, again=again, taken=False)
            await self._settle("release", [received.token])
        else:
            self._note(event, again=again, taken=True)
            if again or self._random.randrange(FORGETS):
                acknowledge.append(received.token)
            else:
                self._forgotten[event.source, event.id] = received.token

    async def _settle(self, how: str, tokens: list[str]) -> list[str]:
        answer = await self._client.call("POST", f"{self._path}/{how}", {"tokens": tokens})
        assert answer.status_code == httpx.codes.OK, answer.text
        return list(answer.json()["results"])


class StreamReader(ReceiverLoop):
    """Follows a stream; leaves it now and then, and comes back with the last id it has got."""

    def __init__(
        self, subscription: KnownSubscription, client: GatewayClient, run_log: RunLog, seed: int
    ) -> None:
        super().__init__(subscription, client, run_log, seed)
        self._last = ""

    async def _run(self) -> None:
        while True:
            with suppress(httpx.HTTPError, TimeoutError):
                await self._read(self._random.randrange(20, 400))
            self._began = 0.0
            await asyncio.sleep(0.2)

    async def _read(self, count: int) -> None:
        async with self._client.stream(f"{self._path}/stream", self._last) as answer:
            if answer.status_code != httpx.codes.OK:
                return
            self._began = time.monotonic()
            position, restored, data = "", False, list[bytes]()
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    position = line[4:]
                elif line == "event: restored":
                    restored = True
                elif line.startswith("data: "):
                    data.append(line[6:].encode())
                elif position and data:
                    self._take(b"\n".join(data), restored=restored)
                    self._last, position, restored, data = position, "", False, []
                    count -= 1
                    if count == 0:
                        return

    def _take(self, data: bytes, *, restored: bool) -> None:
        """An event, or the word that events which it has got were lost."""
        if restored:
            lost = f"{self.subscription.name} got what the journal lost: {data.decode()}"
            self._run_log.incidents.append(lost)
        else:
            event = event_from_message(data, {}, CONTENT_TYPE)
            self._note(event, again=False, taken=True)


RECEIVERS: dict[str, Any] = {"pull": Puller, "stream": StreamReader}
