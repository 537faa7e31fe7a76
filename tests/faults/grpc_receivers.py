"""Receivers over gRPC, of `pull` and of `stream` subscriptions, with the mistakes of the others."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from zlib import crc32

import grpc

from adapters.client.wire import bus_pb2 as messages
from tests.faults.gateway_client import GatewayClient
from tests.faults.grpc_door import LOST, GrpcDoor, from_message, read
from tests.faults.receivers import FORGETS, REJECTS, RELEASES, ReceiverLoop
from tests.faults.run_log import Identity, KnownSubscription, Replay, RunLog

CREDIT = 50  # events
AGAIN = 0.2  # seconds


class GrpcReceiver(ReceiverLoop):
    """One call after the other. It gives credit for what it has taken."""

    renews = True
    """Whether it renews its token. Who does not is cut off, and calls again."""

    def __init__(
        self,
        subscription: KnownSubscription,
        client: GatewayClient,
        run_log: RunLog,
        seed: int,
        address: str,
    ) -> None:
        super().__init__(subscription, client, run_log, seed)
        self._address, self._position = address, ""
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def connected(self) -> bool:
        """Whether the gateway has opened the present call."""
        return self._began > 0

    def hold(self, on: bool) -> None:
        """Read nothing, as a receiver that is busy with something else."""
        if on:
            self._reading.clear()
        else:
            self._reading.set()

    async def _run(self) -> None:
        async with GrpcDoor(self._address, self._client) as door:
            while True:
                with suppress(*LOST):
                    await self._call(door, await door.subscribe())
                self._began = 0.0
                await asyncio.sleep(AGAIN)

    async def _call(self, door: GrpcDoor, call: Any) -> None:
        expiring, requests = False, asyncio.Queue[messages.SubscribeRequest]()
        requests.put_nowait(self._opening())
        # Beside the reading: a write that meets the end hides what was said before it.
        writer = asyncio.create_task(_write(call, requests))
        try:
            while (message := await read(call)) is not grpc.aio.EOF:
                await self._reading.wait()
                if message.WhichOneof("message") == "draining":
                    self._run_log.drained["Subscribe"] += 1
                    break
                if message.WhichOneof("message") != "token_expiring":
                    for request in self._read(message):
                        requests.put_nowait(request)
                elif self.renews:
                    renewal = messages.RenewToken(access_token=await door.token())
                    requests.put_nowait(messages.SubscribeRequest(renew=renewal))
                else:
                    expiring = True
        except grpc.aio.AioRpcError as error:
            self._run_log.expired += expiring and error.code() is grpc.StatusCode.UNAUTHENTICATED
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            call.cancel()

    def _opening(self) -> messages.SubscribeRequest:
        opening = messages.OpenSubscription(
            subscription=self.subscription.name, credit=CREDIT, after=self._position
        )
        return messages.SubscribeRequest(open=opening)

    def _read(self, message: messages.SubscribeResponse) -> list[messages.SubscribeRequest]:
        """What there is to be said to a message."""
        match message.WhichOneof("message"):
            case "opened":
                self._began = time.monotonic()
            case "deliveries":
                found = message.deliveries.deliveries
                credit = messages.Credit(events=len(found))
                return [*self._work(found), messages.SubscribeRequest(credit=credit)]
            case "settled":
                self._settled(message.settled)
            case "restored":
                lost = f"{self.subscription.name} got what the journal lost: {message.restored}"
                self._run_log.incidents.append(lost)
        return []

    def _work(self, found: Iterable[messages.Delivery]) -> list[messages.SubscribeRequest]:
        """Take events; what settles them."""
        raise NotImplementedError

    def _settled(self, settled: messages.Settled) -> None:
        """What became of the tokens of one request."""


async def _write(call: Any, requests: asyncio.Queue[messages.SubscribeRequest]) -> None:
    """Send what is put in, until the call has ended."""
    with suppress(*LOST):
        while True:
            await call.write(await requests.get())


class GrpcStreamReader(GrpcReceiver):
    """Follows a stream; comes back with the last position that it has got."""

    renews = False

    def _work(self, found: Iterable[messages.Delivery]) -> list[messages.SubscribeRequest]:
        for each in found:
            self._note(from_message(each.event), again=False, taken=True)
            self._position = each.position
        return []


class GrpcPuller(GrpcReceiver):
    """Settles what it got: most it acknowledges.

    What it has forgotten comes again under another token, and then it tries the old one first.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._forgotten: dict[Identity, str] = {}
        self._asked: deque[Identity | None] = deque()
        """Of each request that is not answered: the event whose old token it tries."""

    def _opening(self) -> messages.SubscribeRequest:
        self._asked.clear()
        return super()._opening()

    def _work(self, found: Iterable[messages.Delivery]) -> list[messages.SubscribeRequest]:
        requests: list[messages.SubscribeRequest] = []
        done: list[str] = []
        for each in found:
            event, again = from_message(each.event), each.attempt > 1
            identity = (event.source, event.id)
            old = self._forgotten.pop(identity, None)
            if old is not None:
                requests.append(self._acknowledge([old], identity))
            if self._rejects and crc32(event.id.encode()) % REJECTS == 0:
                self._note(event, again=again, rejected=True, taken=False)
                reject = messages.Reject(tokens=[each.token])
                requests.append(self._settle(reject=reject))
            elif not again and self._random.randrange(RELEASES) == 0:
                self._note(event, again=again, taken=False)
                release = messages.Release(tokens=[each.token])
                requests.append(self._settle(release=release))
            else:
                self._note(event, again=again, taken=True)
                if again or self._random.randrange(FORGETS):
                    done.append(each.token)
                else:
                    self._forgotten[identity] = each.token
        return [*requests, self._acknowledge(done)] if done else requests

    def _settled(self, settled: messages.Settled) -> None:
        identity = self._asked.popleft()
        if identity is not None:
            said = "gone" if settled.gone else "settled"
            self._run_log.replays.append(Replay(self.subscription.name, identity, said))

    def _acknowledge(
        self, tokens: list[str], replayed: Identity | None = None
    ) -> messages.SubscribeRequest:
        return self._settle(replayed, acknowledge=messages.Acknowledge(tokens=tokens))

    def _settle(self, replayed: Identity | None = None, **how: Any) -> messages.SubscribeRequest:
        self._asked.append(replayed)
        return messages.SubscribeRequest(**how)


GRPC_RECEIVERS = {"pull": GrpcPuller, "stream": GrpcStreamReader}
