"""The publishers and subscribers of a run, and when each begins."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.local.ports import LOOPBACK
from tests.faults.chunk_publisher import ChunkPublisher
from tests.faults.cluster import Cluster
from tests.faults.endpoints import TIMEOUT, Endpoint
from tests.faults.gateway_client import GatewayClient
from tests.faults.grpc_receivers import GRPC_RECEIVERS, GrpcReceiver
from tests.faults.publishers import Mode, Publisher, PublisherPlan
from tests.faults.receivers import LOCK, RECEIVERS, Receiver
from tests.faults.run_log import KnownSubscription
from tests.faults.subscribers import ConsumerOptions, Subscriber

NISN = "id.go.kemendikbud.nisn.diverifikasi.v1"
KK = "id.go.kemendagri.kk.diupdate.v1"
BANSOS = "id.go.kemensos.bansos.disalurkan.v1"
PENGADUAN = "id.go.kemensos.pengaduan.diterima.v1"
GEMPA = "id.go.bmkg.gempa.terdeteksi.v1"
PAJAK = "id.go.pajak.setoran.diterima.v1"
STATISTIK = "id.go.bps.statistik.diperbarui.v1"
IZIN = tuple(f"id.go.oss.izin.{fact}.v1" for fact in ("dimohonkan", "disetujui", "dikirim"))
LKPP = (
    "id.go.lkpp.tender.dibuat.v1",
    "id.go.lkpp.penawaran.diajukan.v1",
    "id.go.lkpp.pemenang.dipilih.v1",
)

PUBLISHER_PLANS = (
    PublisherPlan("kemendikbud", Mode.STRUCTURED, (NISN,), foreign=KK, publishers=3),
    PublisherPlan("kemendagri", Mode.BINARY, (KK,), foreign=NISN, publishers=2),
    PublisherPlan("kemensos", Mode.STRUCTURED, (BANSOS,), foreign=KK, partitioned=True),
    PublisherPlan("kemensos", Mode.BATCH, (PENGADUAN,), foreign=GEMPA, publishers=1, pause=0.6),
    PublisherPlan("bmkg", Mode.BINARY, (GEMPA,), foreign=NISN),
    PublisherPlan("lkpp", Mode.BATCH, LKPP, foreign=BANSOS, pause=0.6),
    PublisherPlan("bps", Mode.ATOMIC, (STATISTIK,), foreign=GEMPA, publishers=1, pause=1.0),
    PublisherPlan("oss", Mode.STREAM, IZIN, foreign=GEMPA, pause=0.6),
    # Wants far more than its quota.
    PublisherPlan("pajak", Mode.BATCH, (PAJAK,), foreign=GEMPA, publishers=1, pause=0.02),
)


@dataclass(frozen=True, slots=True)
class SubscriptionPlan:
    """A subscription to be made. A late one is made in the middle of the run."""

    name: str
    organisation: str
    types: Sequence[str]
    ordered: bool
    start: str
    options: ConsumerOptions = field(default_factory=ConsumerOptions)
    late: bool = False
    delivery: str = "amqp"
    grpc: bool = False


SUBSCRIPTION_PLANS = (
    SubscriptionPlan(
        "urut",
        "dukcapil",
        (NISN, "id.go.kemendagri.*"),
        True,
        "beginning",
        ConsumerOptions(consumers=2),
    ),
    SubscriptionPlan(
        "paralel",
        "dukcapil",
        (NISN, KK),
        False,
        "beginning",
        ConsumerOptions(consumers=2, rejects=25),
    ),
    SubscriptionPlan("gempa", "bnpb", (GEMPA,), True, "beginning"),
    SubscriptionPlan("bansos", "kemensos", (BANSOS,), True, "now"),
    SubscriptionPlan("lelang", "lkpp", ("id.go.lkpp.*",), True, "now"),
    SubscriptionPlan(
        "pengaduan",
        "kemensos",
        (PENGADUAN,),
        True,
        "waiting",
        ConsumerOptions(prefetch=5),
        late=True,
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
    SubscriptionPlan(
        "tarik-grpc", "oss", ("id.go.oss.*",), True, "beginning", delivery="pull", grpc=True
    ),
    SubscriptionPlan("ikut-grpc", "oss", IZIN, True, "beginning", delivery="stream", grpc=True),
    SubscriptionPlan("kait", "dukcapil", (KK,), True, "beginning", delivery="webhook"),
    SubscriptionPlan("kait-bebas", "bnpb", (GEMPA,), False, "beginning", delivery="webhook"),
    SubscriptionPlan("layanan", "dukcapil", (NISN, KK), True, "beginning", delivery="consumer"),
    SubscriptionPlan("sekarang", "dukcapil", ("id.go.kemendagri.*",), True, "now", late=True),
)


class Actors:
    """Publishers and subscribers of one run."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._stop = asyncio.Event()
        self._publishers = [
            _publisher(plan, 10 * index + number, cluster, seed)
            for index, plan in enumerate(PUBLISHER_PLANS)
            for number in range(plan.publishers)
        ]
        self._publishing: list[asyncio.Task[None]] = []
        self.subscribers: dict[str, Subscriber] = {}
        self.receivers: dict[str, Receiver] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self._seed = seed

    @property
    def chunk_publishers(self) -> list[ChunkPublisher]:
        """Those that publish over gRPC."""
        return [each for each in self._publishers if isinstance(each, ChunkPublisher)]

    @property
    def grpc_receivers(self) -> dict[str, GrpcReceiver]:
        """Those that receive over gRPC."""
        found = self.receivers.items()
        return {name: each for name, each in found if isinstance(each, GrpcReceiver)}

    def publish(self) -> None:
        """Let all publishers publish."""
        self._publishing = [
            asyncio.create_task(publisher.run(self._stop)) for publisher in self._publishers
        ]

    async def subscribe(self, *, late: bool) -> None:
        """Make the subscriptions of the beginning, or those of later, and read them."""
        await asyncio.gather(
            *(self._make(plan) for plan in SUBSCRIPTION_PLANS if plan.late is late)
        )

    async def stop_publishing(self, seconds: float) -> bool:
        """Publish nothing more; False where a publisher did not get its last answer in time."""
        self._stop.set()
        _, waiting = await asyncio.wait(self._publishing, timeout=seconds)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*self._publishing)
        return not waiting

    async def stop(self) -> None:
        """Let all subscribers go, and publishers that are left."""
        for task in self._publishing:
            task.cancel()
        await asyncio.gather(*self._publishing, return_exceptions=True)
        await asyncio.gather(*(each.stop() for each in self.subscribers.values()))
        await asyncio.gather(*(each.stop() for each in self.receivers.values()))

    def accept_all(self) -> None:
        """Let everybody take everything from now on, as after a mended program."""
        for subscriber in self.subscribers.values():
            subscriber.accept_all()
        for receiver in self.receivers.values():
            receiver.accept_all()

    async def _make(self, plan: SubscriptionPlan) -> None:
        client, path = self._cluster.client(plan.organisation), f"/v1/subscriptions/{plan.name}"
        body = {"types": list(plan.types), "ordered": plan.ordered, "start": plan.start}
        if plan.delivery == "webhook":
            await self._make_endpoint(plan, client, path, body)
            return
        if plan.delivery not in ("amqp", "consumer"):
            await self._make_journal_delivered(plan, client, path, body)
            return
        answer = await client.call("PUT", path, body)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), answer.text
        made = answer.json()
        if made["amqp_url"] is None:  # the answer with the password was lost
            made = (await client.call("POST", f"{path}/credentials")).json()
        start_positions = {
            int(shard): sequence for shard, sequence in made["start_positions"].items()
        }
        subscription = KnownSubscription(
            plan.name, made["queue"], plan.types, plan.ordered, start_positions, plan.delivery
        )
        self._cluster.run_log.subscriptions.append(subscription)
        if plan.delivery == "consumer":
            await self._cluster.consume(plan.name, made["queue"], made["amqp_url"])
            return
        subscriber = Subscriber(subscription, made["amqp_url"], plan.options, self._cluster.run_log)
        self.subscribers[plan.name] = subscriber
        subscriber.start()

    async def _make_journal_delivered(
        self, plan: SubscriptionPlan, client: GatewayClient, path: str, body: dict[str, Any]
    ) -> None:
        body |= {"delivery": plan.delivery, "terms": {"lock_seconds": LOCK, "attempts": 100}}
        subscription = _known_subscription(plan, await _put(client, path, body))
        self._cluster.run_log.subscriptions.append(subscription)
        given = (subscription, client, self._cluster.run_log, self._seed)
        receiver: Receiver = (
            GRPC_RECEIVERS[plan.delivery](*given, self._cluster.grpc_address)
            if plan.grpc
            else RECEIVERS[plan.delivery](*given)
        )
        self.receivers[plan.name] = receiver
        receiver.start()

    async def _make_endpoint(
        self, plan: SubscriptionPlan, client: GatewayClient, path: str, body: dict[str, Any]
    ) -> None:
        """One by https, where order is asked for, and one by http."""
        tls = self._cluster.servers.authority.serve(LOOPBACK) if plan.ordered else None
        endpoint = Endpoint(plan.name, self._cluster.run_log, self._seed, tls)
        await endpoint.open()
        self.endpoints[plan.name] = self.receivers[plan.name] = endpoint
        where = {"url": endpoint.url, "timeout": TIMEOUT}
        body |= {"delivery": "webhook", "terms": {"endpoint": where, "attempts": 100}}
        made = await _put(client, path, body)
        endpoint.subscription = _known_subscription(plan, made)
        self._cluster.run_log.subscriptions.append(endpoint.subscription)
        if made["secret"] is None:  # the answer with it was lost
            made = (await client.call("POST", f"{path}/secrets", {"overlap_seconds": 0})).json()
        endpoint.learn(made["secret"])


def _publisher(plan: PublisherPlan, number: int, cluster: Cluster, seed: int) -> Publisher:
    given = (plan, number, cluster.client(plan.organisation), cluster.run_log, seed)
    if plan.mode is Mode.STREAM:
        return ChunkPublisher(*given, cluster.grpc_address)
    return Publisher(*given)


async def _put(client: GatewayClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.call("PUT", path, body)
    assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), answer.text
    made: dict[str, Any] = answer.json()
    return made


def _known_subscription(plan: SubscriptionPlan, made: dict[str, Any]) -> KnownSubscription:
    start_positions = {int(shard): sequence for shard, sequence in made["start_positions"].items()}
    queue = f"sub.{plan.organisation}.{plan.name}"  # as dead letters name it
    return KnownSubscription(
        plan.name, queue, plan.types, plan.ordered, start_positions, plan.delivery
    )
