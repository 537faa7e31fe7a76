"""What a bus answers while a part of it is away, and that it comes back by itself."""

import time
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, Bus, MakeBus
from tests.waiting import eventually

LIMIT = 40
AWAY = 8.0  # seconds without the database
A_HANDFUL = 8  # lines of a log


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of this module's own, with room for few entries."""
    with make_bus(NUSABUS_BACKLOG_LIMIT=str(LIMIT), NUSABUS_APPEND_TIMEOUT="3") as bus:
        yield bus.run("api", "relay")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def is_unavailable(answer: httpx.Response, code: str) -> bool:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return str(answer.json()["type"]).endswith(f"/{code}")


def test_a_full_backlog_is_refused_until_the_relay_has_caught_up(bus: Bus, uji: Actor) -> None:
    relay = bus.processes[1]
    eventually(lambda: bus.http.get("/health/ready").json().get("backlog") == 0)
    relay.kill()
    subscribed = uji.put_subscription(a_name(), FREE)  # the broker is there, only nobody relays
    assert subscribed.status_code == 201
    accepted = 0
    while (answer := uji.publish(a_document())).status_code == 202:
        accepted += 1
        assert accepted < 100 * LIMIT
    assert is_unavailable(answer, "backlog-full")
    assert is_unavailable(uji.publish_batch([a_document()]), "backlog-full")
    assert is_unavailable(bus.http.get("/health/ready"), "backlog-full")
    assert bus.answers("/health/live") == 200
    assert accepted >= LIMIT - 1
    (row,) = bus.query("SELECT count(*) FROM journal_entries")
    assert row[0] >= accepted
    relay.start()
    eventually(lambda: uji.publish(a_document()).status_code == 202)
    bus.wait_ready()


def test_without_the_broker_events_are_accepted_and_arrive_later(
    bus: Bus, uji: Actor, rabbitmq: RabbitMQ
) -> None:
    subscribed = uji.subscribe(FREE)
    rabbitmq.kill()
    try:
        events = [a_document(subject="one key") for _ in range(10)]
        assert [uji.publish(each).status_code for each in events] == [202] * 10
        assert bus.answers("/health/ready") == 200
        refused = uji.put_subscription(a_name(), FREE)
        assert is_unavailable(refused, "broker-unavailable")
    finally:
        rabbitmq.start()
    wanted = [each["id"] for each in events]
    found = subscribed.take_until(lambda ids: set(wanted) <= ids)
    first = list(dict.fromkeys(each.document["id"] for each in found))
    assert [each for each in first if each in wanted] == wanted


def test_without_the_database_nothing_is_promised(bus: Bus, uji: Actor, postgres: Postgres) -> None:
    subscribed = uji.subscribe(FREE)
    event, bad = a_document(), a_document(data=[])
    postgres.stop("immediate")
    try:
        assert is_unavailable(uji.publish(event), "journal-unavailable")
        assert uji.publish_batch([event]).status_code == 503
        assert uji.publish(bad).status_code == 503  # a refusal that cannot be kept
        assert is_unavailable(uji.get("/v1/refusals"), "journal-unavailable")
        assert uji.get("/v1/events/0/1").status_code == 503
        assert is_unavailable(uji.get("/v1/organisations"), "database-unavailable")
        assert uji.put_subscription(a_name(), FREE).status_code == 503
        assert bus.http.post("/oauth/token", auth=(uji.id, uji.secret)).status_code in (400, 503)
        assert bus.answers("/health/ready") == 503
        assert bus.answers("/health/live") == 200
    finally:
        postgres.start()
    bus.wait_ready()
    eventually(lambda: uji.publish(event).status_code == 202)
    rows = bus.query("SELECT 1 FROM journal_entries WHERE id = $1", event["id"])
    assert len(rows) == 1
    found = subscribed.take_until(lambda ids: event["id"] in ids)
    assert found[-1].document["id"] == event["id"]
    assert uji.publish(bad).status_code == 422
    assert "http.request_crashed" not in bus.logs()


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    make_bus: MakeBus, postgres: Postgres
) -> None:
    with make_bus() as bus:
        bus.run("api", "relay", "deliver")
        bus.actor("uji").subscribe(FREE)

        def lines(event: str, dependency: str) -> list[int]:
            """How many such lines each process has written."""
            wanted = f'"dependency": "{dependency}"'
            logs = [process.log.read_text().splitlines() for process in bus.processes]
            return [
                sum(wanted in line and f'"event": "{event}"' in line for line in log)
                for log in logs
            ]

        before = [len(process.log.read_text().splitlines()) for process in bus.processes]
        postgres.stop("immediate")
        try:
            eventually(lambda: all(lines("outage.began", "database")))
            end = time.monotonic() + AWAY
            eventually(lambda: time.monotonic() > end)
        finally:
            postgres.start()
        eventually(lambda: lines("outage.ended", "database") == lines("outage.began", "database"))
        bus.wait_ready()
        for process, count in zip(bus.processes, before, strict=True):
            written = process.log.read_text().splitlines()[count:]
            assert len(written) <= A_HANDFUL, "\n".join(written)
        assert max(lines("outage.began", "database")) <= 2  # one, and perhaps one at the very edge
