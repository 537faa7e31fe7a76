"""Who plays: the streams that publish, the subscriptions that are there, when they come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.local.ports import LOOPBACK
from tests.faults.door import Door
from tests.faults.endpoints import TIMEOUT, Endpoint
from tests.faults.ledger import Interest
from tests.faults.publishers import Mode, PublishLane, Stream
from tests.faults.receivers import LOCK, RECEIVERS, Receiver
from tests.faults.subscribers import Habit, Subscriber
from tests.faults.world import World

NISN = "id.go.kemendikbud.nisn.diverifikasi.v1"
KK = "id.go.kemendagri.kk.diupdate.v1"
BANSOS = "id.go.kemensos.bansos.disalurkan.v1"
PENGADUAN = "id.go.kemensos.pengaduan.diterima.v1"
GEMPA = "id.go.bmkg.gempa.terdeteksi.v1"
STATISTIK = "id.go.bps.statistik.diperbarui.v1"
LKPP = (
    "id.go.lkpp.tender.dibuat.v1",
    "id.go.lkpp.penawaran.diajukan.v1",
    "id.go.lkpp.pemenang.dipilih.v1",
)

STREAMS = (
    Stream("kemendikbud", Mode.STRUCTURED, (NISN,), foreign=KK, lanes=3),
    Stream("kemendagri", Mode.BINARY, (KK,), foreign=NISN, lanes=2),
    Stream("kemensos", Mode.STRUCTURED, (BANSOS,), foreign=KK, partitioned=True),
    Stream("kemensos", Mode.BATCH, (PENGADUAN,), foreign=GEMPA, lanes=1, pause=0.6),
    Stream("bmkg", Mode.BINARY, (GEMPA,), foreign=NISN),
    Stream("lkpp", Mode.BATCH, LKPP, foreign=BANSOS, pause=0.6),
    Stream("bps", Mode.ATOMIC, (STATISTIK,), foreign=GEMPA, lanes=1, pause=1.0),
)


@dataclass(frozen=True, slots=True)
class SubscriptionPlan:
    """A subscription to be made. A late one is made in the middle of the run."""

    name: str
    organisation: str
    types: Sequence[str]
    ordered: bool
    start: str
    habit: Habit = field(default_factory=Habit)
    late: bool = False
    delivery: str = "amqp"


SUBSCRIPTION_PLANS = (
    SubscriptionPlan(
        "urut", "dukcapil", (NISN, "id.go.kemendagri.*"), True, "beginning", Habit(consumers=2)
    ),
    SubscriptionPlan(
        "paralel", "dukcapil", (NISN, KK), False, "beginning", Habit(consumers=2, rejects=25)
    ),
    SubscriptionPlan("gempa", "bnpb", (GEMPA,), True, "beginning"),
    SubscriptionPlan("bansos", "kemensos", (BANSOS,), True, "now"),
    SubscriptionPlan("lelang", "lkpp", ("id.go.lkpp.*",), True, "now"),
    SubscriptionPlan(
        "pengaduan", "kemensos", (PENGADUAN,), True, "waiting", Habit(prefetch=5), late=True
    ),
    SubscriptionPlan("dari-awal", "bps", ("id.go.bps.*",), True, "beginning", late=True),
    SubscriptionPlan("terlambat", "dukcapil", (NISN, KK), True, "beginning", late=True),
    SubscriptionPlan(
        "tarik", "dukcapil", (NISN, "id.go.kemendagri.*"), True, "beginning", delivery="pull"
    ),
    SubscriptionPlan("tarik-bebas", "bnpb", (GEMPA,), False, "now", delivery="pull"),
    SubscriptionPlan("ikut", "dukcapil", (NISN, KK), True, "beginning", delivery="stream"),
    SubscriptionPlan(
        "tarik-lambat", "bps", ("id.go.bps.*",), True, "beginning", late=True, delivery="pull"
    ),
    SubscriptionPlan("kait", "dukcapil", (KK,), True, "beginning", delivery="webhook"),
    SubscriptionPlan("kait-bebas", "bnpb", (GEMPA,), False, "beginning", delivery="webhook"),
    SubscriptionPlan("layanan", "dukcapil", (NISN, KK), True, "beginning", delivery="consumer"),
    SubscriptionPlan("sekarang", "dukcapil", ("id.go.kemendagri.*",), True, "now", late=True),
)


class Stage:
    """Publishers and subscribers of one run."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._stop = asyncio.Event()
        self._lanes = [
            PublishLane(
                stream, 10 * index + number, world.door(stream.organisation), world.ledger, seed
            )
            for index, stream in enumerate(STREAMS)
            for number in range(stream.lanes)
        ]
        self._publishing: list[asyncio.Task[None]] = []
        self.subscribers: dict[str, Subscriber] = {}
        self.receivers: dict[str, Receiver] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self._seed = seed

    def publish(self) -> None:
        """Let all lanes publish."""
        self._publishing = [asyncio.create_task(lane.run(self._stop)) for lane in self._lanes]

    async def subscribe(self, *, late: bool) -> None:
        """Make the subscriptions of the beginning, or those of later, and read them."""
        await asyncio.gather(
            *(self._make(wish) for wish in SUBSCRIPTION_PLANS if wish.late is late)
        )

    async def silence(self, seconds: float) -> bool:
        """Publish nothing more; False where a lane did not get its last answer in time."""
        self._stop.set()
        _, waiting = await asyncio.wait(self._publishing, timeout=seconds)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*self._publishing)
        return not waiting

    async def leave(self) -> None:
        """Let all subscribers go, and publishers that are left."""
        for task in self._publishing:
            task.cancel()
        await asyncio.gather(*self._publishing, return_exceptions=True)
        await asyncio.gather(*(each.stop() for each in self.subscribers.values()))
        await asyncio.gather(*(each.stop() for each in self.receivers.values()))

    def repair(self) -> None:
        """Let everybody take everything from now on, as after a mended program."""
        for subscriber in self.subscribers.values():
            subscriber.repair()
        for receiver in self.receivers.values():
            receiver.repair()

    async def _make(self, wish: SubscriptionPlan) -> None:
        door, path = self._world.door(wish.organisation), f"/v1/subscriptions/{wish.name}"
        body = {"types": list(wish.types), "ordered": wish.ordered, "start": wish.start}
        if wish.delivery == "webhook":
            await self._make_endpoint(wish, door, path, body)
            return
        if wish.delivery not in ("amqp", "consumer"):
            await self._make_served(wish, door, path, body)
            return
        answer = await door.call("PUT", path, body)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), answer.text
        made = answer.json()
        if made["amqp_url"] is None:  # the answer with the password was lost
            made = (await door.call("POST", f"{path}/credentials")).json()
        starts = {int(shard): sequence for shard, sequence in made["start_positions"].items()}
        interest = Interest(
            wish.name, made["queue"], wish.types, wish.ordered, starts, wish.delivery
        )
        self._world.ledger.interests.append(interest)
        if wish.delivery == "consumer":
            await self._world.consume(wish.name, made["queue"], made["amqp_url"])
            return
        subscriber = Subscriber(interest, made["amqp_url"], wish.habit, self._world.ledger)
        self.subscribers[wish.name] = subscriber
        subscriber.start()

    async def _make_served(
        self, wish: SubscriptionPlan, door: Door, path: str, body: dict[str, Any]
    ) -> None:
        body |= {"delivery": wish.delivery, "terms": {"lock_seconds": LOCK, "attempts": 100}}
        interest = _served(wish, await _put(door, path, body))
        self._world.ledger.interests.append(interest)
        receiver = RECEIVERS[wish.delivery](interest, door, self._world.ledger, self._seed)
        self.receivers[wish.name] = receiver
        receiver.start()

    async def _make_endpoint(
        self, wish: SubscriptionPlan, door: Door, path: str, body: dict[str, Any]
    ) -> None:
        """One by https, where order is asked for, and one by http."""
        tls = self._world.servers.authority.serve(LOOPBACK) if wish.ordered else None
        endpoint = Endpoint(wish.name, self._world.ledger, self._seed, tls)
        await endpoint.open()
        self.endpoints[wish.name] = self.receivers[wish.name] = endpoint
        where = {"url": endpoint.url, "timeout": TIMEOUT}
        body |= {"delivery": "webhook", "terms": {"endpoint": where, "attempts": 100}}
        made = await _put(door, path, body)
        endpoint.interest = _served(wish, made)
        self._world.ledger.interests.append(endpoint.interest)
        if made["secret"] is None:  # the answer with it was lost
            made = (await door.call("POST", f"{path}/secrets", {"overlap_seconds": 0})).json()
        endpoint.learn(made["secret"])


async def _put(door: Door, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await door.call("PUT", path, body)
    assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), answer.text
    made: dict[str, Any] = answer.json()
    return made


def _served(wish: SubscriptionPlan, made: dict[str, Any]) -> Interest:
    starts = {int(shard): sequence for shard, sequence in made["start_positions"].items()}
    queue = f"sub.{wish.organisation}.{wish.name}"  # as dead letters name it
    return Interest(wish.name, queue, wish.types, wish.ordered, starts, wish.delivery)
