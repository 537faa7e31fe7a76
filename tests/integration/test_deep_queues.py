"""A subscriber falls far behind: the journal keeps what its queue cannot take."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.local.rabbitmq import RabbitMQ
from tests.builders import CITIZEN, FREE, TASKS, a_document
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.publishing import Stream
from tests.readers import Received, depth
from tests.servers import SHARDS
from tests.waiting import eventually

DEEP = 600
LOW = DEEP // 2


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus, rabbitmq: RabbitMQ) -> Iterator[Bus]:
    """A bus whose queues are deep soon, and tell their statistics more often than by default."""
    rabbitmq.ctl("eval", "application:set_env(rabbit, quorum_tick_interval, 500).")
    with make_bus(NUSABUS_QUEUE_DEPTH_LIMIT=str(DEEP)) as bus:
        yield bus.run("api", "relay")
    rabbitmq.ctl("eval", "application:set_env(rabbit, quorum_tick_interval, 5000).")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def held(subscribed: Subscribed) -> int:
    return depth(subscribed.by.bus.amqp_url, subscribed.queue)


def is_diverted(subscribed: Subscribed) -> bool:
    """Whether it is shown so, and nothing reaches its queue but by its private key."""
    shown = subscribed.show()
    if shown["diverted_since"] is None or shown["state"] != "catching-up":
        return False
    host = subscribed.by.bus.amqp_url.rpartition("/")[2]
    url = f"{subscribed.by.bus.environ['NUSABUS_MANAGEMENT_URL']}/api/queues/{host}"
    bindings = httpx.get(f"{url}/{subscribed.queue}/bindings").raise_for_status().json()
    keys = {each["routing_key"] for each in bindings if each["source"]}
    return len(keys) == 1 and keys.pop().startswith(f"to.{subscribed.queue}.")


def divert(subscribed: Subscribed, stream: Stream) -> int:
    """Publish until it is diverted, and beyond; how much its queue holds then."""
    stream.publish(DEEP)

    def publish_on() -> bool:
        stream.publish()
        return is_diverted(subscribed)

    eventually(publish_on)
    return eventually(lambda: still(subscribed))


def still(subscribed: Subscribed) -> int:
    """The depth of a queue when all that was published has been relayed; 0 until then."""
    rows = subscribed.by.bus.query(
        "SELECT count(*) FROM journal_leases JOIN journal_shards USING (shard) "
        "WHERE cursor_sequence < last"
    )
    return 0 if rows[0][0] else held(subscribed)


class Reading:
    """Somebody who reads all the time."""

    def __init__(self, subscribed: Subscribed, stream: Stream) -> None:
        self._stream, self._done = stream, threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._found = self._pool.submit(subscribed.take_until, self._is_all)

    def all(self) -> list[Received]:
        """What came, when all that was published has come."""
        self._done.set()
        self._stream.publish()  # so that it is asked once more
        return self._found.result()

    def _is_all(self, ids: set[str]) -> bool:
        return self._done.is_set() and self._stream.ids <= ids


def everything(subscribed: Subscribed, stream: Stream) -> list[Received]:
    """Read until all that was published came."""
    wanted = stream.ids
    return subscribed.take_until(lambda ids: len(ids) >= len(wanted) and wanted <= ids)


def require_sound(subscribed: Subscribed, stream: Stream) -> None:
    """All of it comes, in order; then the exchange serves it again, with nothing repaired."""
    found = everything(subscribed, stream)
    subscribed.wait("active")
    after = len(stream.sent)
    stream.publish()
    later = {event["id"] for event in stream.sent[after:]}
    found += subscribed.take_until(lambda ids: later <= ids)
    stream.require_delivery(found)
    shown = subscribed.show()
    assert (shown["diverted_since"], shown["repair_count"]) == (None, 0)


def test_a_deep_queue_is_diverted_and_nothing_is_lost(bus: Bus, uji: Actor) -> None:
    """With two bindings, which cannot go at once; the events of a key are of both types."""
    types = [FREE, CITIZEN]
    subscribed, stream = uji.subscribe(*types, ordered=True), Stream(uji, *types)
    other = uji.subscribe(*types, ordered=True)
    witness = Reading(other, stream)
    full = divert(subscribed, stream)
    for _ in range(4):
        stream.publish(500)
        assert held(subscribed) <= full
    lag = uji.get(f"/v1/subscriptions/{subscribed.name}/lag").json()
    assert lag["events"] >= 2000
    assert 'nusabus_subscriptions{state="diverted"} 1.0' in bus.metrics()
    receipt = uji.publish(a_document()).json()
    path = f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries"

    def stage(of: Subscribed) -> str:
        (found,) = (e for e in uji.get(path).json()["items"] if e["subscription"] == of.name)
        return str(found["stage"])

    eventually(lambda: stage(other) in ("queued", "drained"))
    assert stage(subscribed) == "waiting"
    stream.require_delivery(witness.all())
    other.end()
    assert held(subscribed) <= full
    require_sound(subscribed, stream)
    subscribed.end()


def test_the_relay_is_killed_while_a_subscription_is_diverted(bus: Bus, uji: Actor) -> None:
    stream = Stream(uji)
    filters = [{"exact": {"source": stream.source}}]
    subscribed = uji.subscribe(FREE, ordered=True, terms={"filters": filters})
    full = divert(subscribed, stream)
    stream.publish(500)
    bus.processes[1].kill()
    stream.publish(500)
    bus.processes[1].start()
    reading = Reading(subscribed, stream)
    eventually(lambda: held(subscribed) < full // 2)
    bus.processes[1].kill()
    bus.processes[1].start()
    stream.require_delivery(reading.all())
    subscribed.wait("active")
    assert subscribed.show()["diverted_since"] is None
    subscribed.end()


def test_the_broker_restarts_while_a_subscription_is_diverted(
    bus: Bus, uji: Actor, rabbitmq: RabbitMQ
) -> None:
    subscribed, stream = uji.subscribe(TASKS[2], ordered=True), Stream(uji, TASKS[2])
    divert(subscribed, stream)
    stream.publish(500)
    rabbitmq.restart()
    stream.publish(500)
    stream.require_delivery(everything(subscribed, stream))
    subscribed.wait("active")
    assert subscribed.show()["diverted_since"] is None
    subscribed.end()


def test_a_long_backfill_fills_a_queue_only_to_its_low_mark(uji: Actor) -> None:
    stream = Stream(uji)
    stream.publish(1000)
    filters = [{"exact": {"source": stream.source}}]
    subscribed, other = (
        uji.subscribe(
            FREE, start="beginning", ordered=True, active=False, terms={"filters": filters}
        )
        for _ in range(2)
    )
    eventually(lambda: min(held(subscribed), held(other)) >= LOW - LOW // 8)
    stream.publish(500)
    assert held(subscribed) <= LOW + SHARDS
    assert subscribed.show()["state"] == "catching-up"
    assert LOW - LOW // 8 <= other.end() <= LOW + SHARDS
    stream.require_delivery(everything(subscribed, stream))
    subscribed.wait("active")
    subscribed.end()
