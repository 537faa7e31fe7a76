"""Webhook endpoints as an organisation would run them, with all that goes wrong with such.

Each delivery is verified by a package that is not ours, then the endpoint chooses an action: it
does the work and answers, or it fails before the work, or it does the work and never says so.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from random import Random
from zlib import crc32

from standardwebhooks import Webhook, WebhookVerificationError

from deploy.local.ports import LOOPBACK
from gateway.base.event import Event
from gateway.broker.message import event_from_message
from tests.faults.endpoint_server import Call, EndpointServer, Reply
from tests.faults.proxy import Proxy
from tests.faults.run_log import Delivery, KnownSubscription, RunLog

TIMEOUT = 1  # seconds that the gateway gives an answer
REJECTS = 40  # one event in so many is given up for good, the same one each time
GRANTED = Reply(200, {"webhook-allowed-origin": "*"})


class EndpointAction(StrEnum):
    """What an endpoint does with a delivery that verifies."""

    TAKE = "take"
    FAIL = "fail"  # 500, before the work
    DIE = "die"  # hangs up after the work
    HANG = "hang"  # says nothing after the work
    REDIRECT = "redirect"  # elsewhere, before the work
    REJECT = "reject"  # 422


ALWAYS: Sequence[tuple[EndpointAction, float]] = (
    (EndpointAction.FAIL, 0.03),
    (EndpointAction.DIE, 0.03),
    (EndpointAction.HANG, 0.01),
    (EndpointAction.REDIRECT, 0.01),
)
HALF_OF_THE_TIME: Sequence[tuple[EndpointAction, float]] = ((EndpointAction.FAIL, 0.5),)


class Endpoint:
    """One subscription's endpoint, behind a proxy that can cut its connections.

    A secret that it has lost makes it answer 401 to everything.
    """

    def __init__(self, name: str, run_log: RunLog, seed: int, tls: ssl.SSLContext | None) -> None:
        self.subscription = KnownSubscription(name, "", (), False, {})
        self.under_way = 0
        self.rejects = True
        self.actions = ALWAYS
        self._secrets: list[str] = []
        self._lost = True
        self._run_log = run_log
        self._random = Random(f"{seed} {name}")
        self._known: set[str] = set()
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._scheme = "https" if tls else "http"
        self._server = EndpointServer(self._respond, tls)
        self._elsewhere = EndpointServer(self._note_redirected_call, tls)
        self._elsewhere_url = ""
        self._proxy: Proxy | None = None
        self.url = ""

    async def open(self) -> None:
        """Begin to serve at `url`; to everything it answers 401 until it has a secret."""
        self._proxy = Proxy([await self._server.open()])
        await self._proxy.open()
        self.url = f"{self._scheme}://{LOOPBACK}:{self._proxy.port}/{self.subscription.name}"
        self._elsewhere_url = f"{self._scheme}://{LOOPBACK}:{await self._elsewhere.open()}/"

    def start(self) -> None:
        """It serves already."""

    async def stop(self) -> None:
        """Serve no more."""
        if self._proxy is not None:
            await self._proxy.close()
        await self._server.close()
        await self._elsewhere.close()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self.under_way == 0

    def learn(self, secret: str) -> None:
        """This secret verifies from now on."""
        self._secrets.append(secret)
        self._lost = False

    def forget(self) -> None:
        """Lose the secret."""
        self._lost = True

    def accept_all(self) -> None:
        """Take everything from now on."""
        self.rejects = False
        self.actions = ()

    async def sever(self) -> int:
        """Cut every connection; returns how many there were."""
        return await self._proxy.sever() if self._proxy is not None else 0

    @asynccontextmanager
    async def stuck(self) -> AsyncIterator[None]:
        """Within, nothing is answered and no work done."""
        self._going_on.clear()
        try:
            yield
        finally:
            self._going_on.set()

    async def _respond(self, call: Call) -> Reply | None:
        if call.method == "OPTIONS":
            return GRANTED
        self.under_way += 1
        try:
            await self._going_on.wait()
            if not self._verified(call):
                self._run_log.actions["locked-out"] += 1
                return Reply(401)
            return await self._take(event_from_message(call.body, {}, call.headers["content-type"]))
        finally:
            self.under_way -= 1

    def _verified(self, call: Call) -> bool:
        """By the latest secret. What none that it ever had verifies is kept as a breach."""
        good = [_verifies(secret, call) for secret in self._secrets]
        if self._secrets and not any(good):
            self._run_log.forged.append(
                f"{self.subscription.name}: {call.headers.get('webhook-id')}"
            )
        return bool(good) and good[-1] and not self._lost

    async def _take(self, event: Event) -> Reply | None:
        action = self._choose_action(event)
        self._run_log.actions[action] += 1
        self._note(event, action)
        match action:
            case EndpointAction.FAIL:
                return Reply(500)
            case EndpointAction.REDIRECT:
                return Reply(302, {"location": self._elsewhere_url})
            case EndpointAction.REJECT:
                return Reply(422)
            case EndpointAction.DIE:
                return None
            case EndpointAction.HANG:
                await asyncio.sleep(3 * TIMEOUT)
                return None
            case EndpointAction.TAKE:
                return Reply(204)

    def _choose_action(self, event: Event) -> EndpointAction:
        if self.rejects and crc32(event.id.encode()) % REJECTS == 0:
            return EndpointAction.REJECT
        lot = self._random.random()
        for action, share in self.actions:
            if lot < share:
                return action
            lot -= share
        return EndpointAction.TAKE

    def _note(self, event: Event, action: EndpointAction) -> None:
        self._run_log.delivery(
            Delivery.of(
                self.subscription.name,
                event,
                again=event.id in self._known,
                rejected=action is EndpointAction.REJECT,
                taken=action in (EndpointAction.TAKE, EndpointAction.DIE, EndpointAction.HANG),
            )
        )
        self._known.add(event.id)

    async def _note_redirected_call(self, call: Call) -> Reply | None:
        self._run_log.redirected_calls.append(f"{self.subscription.name}: a redirect was followed")
        return Reply(204)


def _verifies(secret: str, call: Call) -> bool:
    try:
        Webhook(secret).verify(call.body, dict(call.headers))
    except WebhookVerificationError:
        return False
    return True
