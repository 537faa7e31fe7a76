"""Two of three nodes of the broker are lost: no queue is deleted, and nothing is lost."""

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import LOOPBACK
from deploy.local.processes import ServerError
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.rabbitmq_cluster import RabbitMQCluster
from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.defective import defective
from tests.guides import ROOT, commands
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(900)
SECONDS = float(os.environ.get("NUSABUS_TEST_MAJORITY_LOST", "60"))
KEYS = 8
PAGE = ROOT / "docs/operations/failover.md"
DELETED_IN_MINORITY = "from tests.faults.seeded_cluster_bugs import *; queue_deleted_in_minority()"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQCluster]:
    made = RabbitMQCluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.erase()


@pytest.fixture
def bus(make_bus: MakeBus, cluster: RabbitMQCluster) -> Iterator[Bus]:
    """A bus that knows the first node, which stays."""
    with make_bus(cluster.nodes[0]) as bus:
        yield bus.run("api", "relay")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


class Publisher:
    """Publishes numbered events of a few keys."""

    def __init__(self, by: Actor) -> None:
        self.by = by
        self.ids: dict[str, list[str]] = {f"k{key}": [] for key in range(KEYS)}

    def publish(self, count: int = 40) -> None:
        subjects = [f"k{number % KEYS}" for number in range(count)]
        events = [a_document(subject=subject) for subject in subjects]
        assert self.by.publish_batch(events).json()["accepted"] == count
        for event in events:
            self.ids[event["subject"]].append(event["id"])

    @property
    def all(self) -> set[str]:
        return {id for ids in self.ids.values() for id in ids}

    def require_received(self, subscribed: Subscribed) -> None:
        """Everything arrives, and of each key first in the order of the log."""
        taken = subscribed.take_until(lambda ids: self.all <= ids, seconds=180)
        first: dict[str, list[str]] = {key: [] for key in self.ids}
        seen = set()
        for each in taken:
            if each.document["id"] not in seen:
                seen.add(each.document["id"])
                first[each.document["subject"]].append(each.document["id"])
        assert first == self.ids


@pytest.fixture
def roaming_bus(make_bus: MakeBus, cluster: RabbitMQCluster) -> Iterator[Bus]:
    """A bus that knows all three nodes, and is connected to the first."""
    with make_bus(cluster.nodes[0]) as bus:
        hosts = ",".join(f"{LOOPBACK}:{node.port}" for node in cluster.nodes)
        bus.environ["NUSABUS_AMQP_URL"] = bus.amqp_url.replace(
            f"{LOOPBACK}:{cluster.nodes[0].port}", hosts
        )
        apis = [node.management_url.rpartition("@")[2] for node in cluster.nodes]
        bus.environ["NUSABUS_MANAGEMENT_URL"] = bus.environ["NUSABUS_MANAGEMENT_URL"].replace(
            apis[0], ",".join(apis)
        )
        yield bus.run("api", "relay")


def carry_out(on: RabbitMQ, start: str, **present: str) -> str:
    """The command of the page that begins so, on a node; `present` are the names of this test."""
    [command] = commands(PAGE, start)
    for written, name in {"bus": "vhost", "sub.bnpb.gempa": "queue", "rabbit@mq4": "node"}.items():
        command = command.replace(written, present.get(name, written))
    tool, *arguments = command.split()
    return on.ctl(*arguments, tool=tool)


def is_critical(node: RabbitMQ) -> bool:
    """Whether a queue would lose its majority with this node."""
    try:
        carry_out(node, "rabbitmq-diagnostics")
    except ServerError:
        return True
    return False


def test_the_node_that_the_gateway_is_connected_to_is_killed(
    roaming_bus: Bus, cluster: RabbitMQCluster
) -> None:
    uji = roaming_bus.actor("uji")
    first, _, third = cluster.nodes
    subscribed = uji.subscribe(FREE, name=a_name(), ordered=True)
    publisher = Publisher(uji)
    publisher.publish()
    first.kill()
    try:
        assert is_critical(third)
        publisher.publish()
        late = uji.subscribe(FREE, name=a_name())  # the management API of another node is asked
        publisher.publish()
        subscribed.url = subscribed.url.replace(f":{first.port}/", f":{third.port}/")
        publisher.require_received(subscribed)
        assert not is_unavailable(subscribed)
        assert late.end() >= 40  # a queue that refused one for a minute is sent all again
        eventually(lambda: roaming_bus.http.get("/health/ready").json()["backlog"] == 0)
    finally:
        first.start()
    eventually(lambda: not is_critical(third))
    names = {"vhost": host_of(roaming_bus), "queue": subscribed.queue, "node": first.node}
    shown = carry_out(third, "rabbitmq-queues quorum_status", **names)
    assert all(node.node in shown for node in cluster.nodes)
    carry_out(third, "rabbitmq-queues grow", **names)


def host_of(bus: Bus) -> str:
    return bus.amqp_url.rpartition("/")[2]


def queues(bus: Bus) -> dict[str, dict[str, object]]:
    url = f"{bus.environ['NUSABUS_MANAGEMENT_URL']}/api/queues/{host_of(bus)}"
    return {each["name"]: each for each in httpx.get(url).raise_for_status().json()}


def led_by_several(bus: Bus, uji: Actor) -> list[Subscribed]:
    """Subscriptions whose queues several nodes lead. One that was down leads all the next ones."""
    made: list[Subscribed] = []
    while len(made) < 4 or len({queues(bus)[each.queue]["leader"] for each in made}) < 2:
        assert len(made) < 40
        made.append(uji.subscribe(FREE, name=a_name(), ordered=True))
    return made


def is_unavailable(subscribed: Subscribed) -> bool:
    return subscribed.show()["unavailable_since"] is not None


def is_active(subscribed: Subscribed) -> bool:
    return bool(subscribed.show()["state"] == "active")


def require_kept(bus: Bus, subscribed: Sequence[Subscribed]) -> None:
    present = queues(bus)
    for each in subscribed:
        assert each.queue in present, "a queue was deleted"
        assert each.show()["repair_count"] == 0, "a queue was deleted and made again"


def test_the_majority_of_the_nodes_is_lost(bus: Bus, uji: Actor, cluster: RabbitMQCluster) -> None:
    subscribed = led_by_several(bus, uji)
    publisher = Publisher(uji)
    publisher.publish()
    for node in cluster.nodes[1:]:
        node.kill()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        publisher.publish()
        time.sleep(SECONDS / 100)  # the fault lasts so long; 4,000 events come meanwhile
    for each in subscribed:
        eventually(partial(is_unavailable, each))
    require_kept(bus, subscribed)
    assert f'nusabus_subscriptions{{state="unavailable"}} {len(subscribed)}.0' in bus.metrics()
    eventually(lambda: bus.http.get("/health/ready").json()["backlog"] == 0)
    for node in cluster.nodes[1:]:
        node.start()
    publisher.publish()
    for each in subscribed:
        eventually(partial(is_active, each), seconds=120)
        assert each.show()["unavailable_since"] is None
        publisher.require_received(each)
    assert "queue.unsound_deleted" not in bus.logs()
    assert "subscription.repaired" not in bus.logs()


def test_a_queue_that_is_deleted_without_a_majority_is_found(
    make_bus: MakeBus, cluster: RabbitMQCluster, tmp_path: Path
) -> None:
    """The seeded bug: without it the test before would prove nothing."""
    code = defective(tmp_path / "bug", DELETED_IN_MINORITY)
    with make_bus(cluster.nodes[0], **code) as bus:
        uji = bus.run("api", "relay").actor("uji")
        subscribed = led_by_several(bus, uji)
        for each in subscribed:
            eventually(partial(is_active, each))
        for node in cluster.nodes[1:]:
            node.kill()
        try:
            eventually(lambda: "queue.unsound_deleted" in bus.logs(), seconds=90)
            with pytest.raises(AssertionError, match="a queue was deleted"):
                require_kept(bus, subscribed)
        finally:
            for node in cluster.nodes[1:]:
                node.start()


STOP = """
{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{host}">>, queue, <<"{queue}">>)),
{{Name, _}} = amqqueue:get_pid(Q), ra:stop_server(quorum_queues, {{Name, node()}}).
"""


def test_one_queue_without_members_holds_up_no_other(
    bus: Bus, uji: Actor, cluster: RabbitMQCluster
) -> None:
    lost, other = (uji.subscribe(FREE, name=a_name(), ordered=True) for _ in range(2))
    publisher = Publisher(uji)
    publisher.publish()
    # With statistics of before it is given more time than a queue that never had any.
    eventually(lambda: queues(bus)[lost.queue].get("messages"))
    # The leader last, so that the member which is left has none.
    leader = queues(bus)[lost.queue]["leader"]
    for node in sorted(cluster.nodes, key=lambda each: each.node == leader)[1:]:
        node.ctl("eval", STOP.format(host=host_of(bus), queue=lost.queue))
    publisher.publish()
    eventually(partial(is_unavailable, lost))
    publisher.publish()
    publisher.require_received(other)
    assert not is_unavailable(other)
    assert other.show()["repair_count"] == 0
    # All nodes run, so there is nothing to wait for: it is made again and filled.
    eventually(partial(is_active, lost), seconds=180)
    publisher.require_received(lost)
