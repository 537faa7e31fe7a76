"""Whatever an endpoint answers concerns its own deliveries; its neighbour has its events at once.

All tricks are played at the same time, by subscriptions of one organisation. The events come one
after the other, so that each of them meets what the one before has left behind.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.bus import Bus
from tests.integration.webhook.authority import Authority
from tests.integration.webhook.conftest import hooked
from tests.integration.webhook.hostile import (
    ANY,
    DELIVERED,
    HANDSHAKES,
    TRICKS,
    HostileEndpoint,
    Trick,
)
from tests.integration.webhook.inbox import Inbox
from tests.waiting import eventually

EVENTS = 3
NIK = "3273014105900001"


@dataclass(frozen=True)
class Played:
    """The subscription of each trick by its name, and what the neighbour got."""

    bus: Bus
    names: Mapping[str, str]
    endpoints: Mapping[str, HostileEndpoint]
    sent: Sequence[str]
    neighbour: Inbox

    def attempts(self, trick: Trick) -> list[tuple[str, str]]:
        """Kind and detail of the failed attempts."""
        query = "SELECT failure, detail FROM delivery_attempts WHERE name = $1 ORDER BY at"
        return [tuple(row) for row in self.bus.query(query, self.names[trick.name])]

    def count(self, table: str, trick: Trick) -> int:
        """How many events have ended there."""
        what = "sum(cardinality(sequences))" if table == "delivery_settlements" else "count(*)"
        query = f"SELECT coalesce({what}, 0)::int FROM {table} WHERE name = $1"
        return int(self.bus.query(query, self.names[trick.name])[0][0])

    def last_error(self, trick: Trick) -> str | None:
        """What its owner reads about the endpoint."""
        query = "SELECT last_error FROM webhook_endpoints WHERE name = $1"
        rows = self.bus.query(query, self.names[trick.name])
        return rows[0][0] if rows else None


def play(
    bus: Bus, organisation: str, tricks: Sequence[Trick], authority: Authority
) -> Iterator[Played]:
    tls = authority.serve("127.0.0.1")
    endpoints = {trick.name: HostileEndpoint(trick, tls) for trick in tricks}
    hostile, uji, neighbour = bus.actor(organisation), bus.actor("uji"), Inbox()
    own = {"timeout": 2, "concurrency": 1}
    names = {
        name: hooked(hostile, endpoint.url, terms={"attempts": 1}, endpoint=own)["name"]
        for name, endpoint in endpoints.items()
    }
    hooked(uji, neighbour.url)
    agreed = "SELECT name FROM webhook_endpoints WHERE agreed_url IS NOT NULL"
    wanted = {names[trick.name] for trick in tricks if not trick.handshake}
    eventually(lambda: wanted <= {row[0] for row in bus.query(agreed)}, 120)
    sent = []
    for _ in range(EVENTS):
        sent.append(uji.published(subject="hostile"))
        neighbour.wait_for(sent[-1])
    yield Played(bus, names, endpoints, sent, neighbour)
    for name in names.values():
        hostile.delete(f"/v1/subscriptions/{name}").raise_for_status()
    for endpoint in endpoints.values():
        endpoint.close()
    neighbour.close()


@pytest.fixture(scope="module")
def deliveries(hooks: Bus, authority: Authority) -> Iterator[Played]:
    """All tricks with deliveries."""
    yield from play(hooks, "lain", TRICKS, authority)


@pytest.fixture(scope="module")
def handshakes(hooks: Bus, authority: Authority) -> Iterator[Played]:
    """All tricks with handshakes."""
    yield from play(hooks, "uji", HANDSHAKES, authority)


@pytest.mark.parametrize("trick", [t for t in TRICKS if not t.handshake], ids=lambda t: t.name)
def test_each_answer_is_one_attempt_with_a_result(deliveries: Played, trick: Trick) -> None:
    if trick.result == DELIVERED:
        eventually(lambda: deliveries.count("delivery_settlements", trick) == EVENTS)
        assert deliveries.attempts(trick) == []
        return
    if trick.result == ANY:
        tables = ("delivery_settlements", "dead_letters")
        eventually(lambda: sum(deliveries.count(each, trick) for each in tables) == EVENTS)
        return
    eventually(lambda: deliveries.count("dead_letters", trick) == EVENTS)
    found = deliveries.attempts(trick)
    assert [failure for failure, _ in found] == [trick.result] * EVENTS
    assert NIK not in json.dumps(found)


@pytest.mark.parametrize("trick", [t for t in TRICKS if t.handshake], ids=lambda t: t.name)
def test_an_endpoint_that_speaks_no_tls_is_told_so(deliveries: Played, trick: Trick) -> None:
    error = eventually(lambda: deliveries.last_error(trick))
    assert error is not None
    assert "TLS handshake failed" in error or "no response within" in error


@pytest.mark.parametrize("trick", HANDSHAKES, ids=lambda t: t.name)
def test_a_handshake_of_nonsense_is_no_permission(handshakes: Played, trick: Trick) -> None:
    assert eventually(lambda: handshakes.last_error(trick))
    assert handshakes.count("delivery_settlements", trick) == 0


def test_the_neighbour_had_every_event_and_the_process_lives(
    deliveries: Played, handshakes: Played
) -> None:
    for played in (deliveries, handshakes):
        assert [id for id in played.neighbour.ids() if id in played.sent] == list(played.sent)
    bus = deliveries.bus
    assert all(process.running for process in bus.processes)
    assert log_of(bus, "defect.found", "work.crashed") == []
    assert len(log_of(bus, "webhooks.leases_taken")) >= 1
    assert NIK not in bus.logs()


def log_of(bus: Bus, *events: str) -> list[Any]:
    lines = (json.loads(line) for line in bus.logs().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] in events]
