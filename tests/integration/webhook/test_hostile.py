"""Whatever an endpoint answers concerns its own deliveries; its neighbour has its events at once.

All tricks are played at the same time, by subscriptions of one organisation. The events come one
after the other, so that each of them meets what the one before has left behind.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.authority import Authority
from tests.bus import Bus
from tests.integration.webhook.conftest import hooked
from tests.integration.webhook.hostile import ANY, DELIVERED, HostileEndpoint, Trick
from tests.integration.webhook.inbox import Inbox
from tests.integration.webhook.tricks import HANDSHAKES, TRICKS
from tests.waiting import eventually

EVENTS = 3
NIK = "3273014105900001"


@dataclass(frozen=True)
class Played:
    """The subscription of each trick by its name, and what the neighbour got."""

    bus: Bus
    names: Mapping[str, str]
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


@pytest.fixture(scope="module")
def played(hooks: Bus, authority: Authority) -> Iterator[Played]:
    """All tricks, played at once with each of a few events."""
    tls, neighbour = authority.serve("127.0.0.1"), Inbox()
    uji, lain = hooks.actor("uji"), hooks.actor("lain")
    owners = {trick.name: lain for trick in TRICKS} | {trick.name: uji for trick in HANDSHAKES}
    endpoints = [HostileEndpoint(trick, tls) for trick in (*TRICKS, *HANDSHAKES)]
    own = {"timeout": 2, "concurrency": 1}
    names: dict[str, str] = {}
    for each in endpoints:
        made = hooked(owners[each.trick.name], each.url, terms={"attempts": 1}, endpoint=own)
        names[each.trick.name] = made["name"]
    hooked(uji, neighbour.url)
    agreed = "SELECT name FROM webhook_endpoints WHERE agreed_url IS NOT NULL"
    wanted = {names[trick.name] for trick in TRICKS if not trick.handshake}
    eventually(lambda: wanted <= {row[0] for row in hooks.query(agreed)}, 100)
    sent = []
    for _ in range(EVENTS):
        sent.append(uji.published(subject="hostile"))
        neighbour.wait_for(sent[-1])
    yield Played(hooks, names, sent, neighbour)
    for trick, name in names.items():
        owners[trick].delete(f"/v1/subscriptions/{name}").raise_for_status()
    for each in endpoints:
        each.close()
    neighbour.close()


@pytest.mark.parametrize("trick", [t for t in TRICKS if not t.handshake], ids=lambda t: t.name)
def test_each_answer_is_one_attempt_with_a_result(played: Played, trick: Trick) -> None:
    if trick.result == DELIVERED:
        eventually(lambda: played.count("delivery_settlements", trick) == EVENTS)
        assert played.attempts(trick) == []
        return
    if trick.result == ANY:
        tables = ("delivery_settlements", "dead_letters")
        eventually(lambda: sum(played.count(each, trick) for each in tables) == EVENTS)
        return
    eventually(lambda: played.count("dead_letters", trick) == EVENTS)
    found = played.attempts(trick)
    assert [failure for failure, _ in found] == [trick.result] * EVENTS
    assert NIK not in json.dumps(found)


@pytest.mark.parametrize("trick", [t for t in TRICKS if t.handshake], ids=lambda t: t.name)
def test_an_endpoint_that_speaks_no_tls_is_told_so(played: Played, trick: Trick) -> None:
    error = eventually(lambda: played.last_error(trick))
    assert error is not None
    assert "TLS handshake failed" in error or "no response within" in error


@pytest.mark.parametrize("trick", HANDSHAKES, ids=lambda t: t.name)
def test_a_handshake_of_nonsense_is_no_permission(played: Played, trick: Trick) -> None:
    assert eventually(lambda: played.last_error(trick))
    assert played.count("delivery_settlements", trick) == 0


def test_the_neighbour_had_every_event_and_the_process_lives(played: Played) -> None:
    assert played.neighbour.ids() == list(played.sent)
    assert all(process.running for process in played.bus.processes)
    assert log_of(played.bus, "defect.found", "work.crashed") == []
    assert NIK not in played.bus.logs()


def log_of(bus: Bus, *events: str) -> list[Any]:
    lines = (json.loads(line) for line in bus.logs().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] in events]
