"""Receivers that wait: whatever there comes to be for them wakes them, whoever has done it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus
from tests.pull_receiver import Puller, ids, tokens
from tests.waiting import eventually

LONG = 20  # seconds; nobody looks again by itself
# A process looks for what is due while somebody waits there, and else not.
WAITED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND query_start > $1
  AND query LIKE '%unnest($1::text[], $2::text[])%o.due <=%'
"""
Waits = Callable[[Puller], Future[list[dict[str, Any]]]]


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture
def begin(bus: Bus) -> Iterator[Waits]:
    """Lets a receiver wait."""
    with ThreadPoolExecutor() as threads:

        def wait(puller: Puller) -> Future[list[dict[str, Any]]]:
            (since,) = bus.query("SELECT clock_timestamp()")[0]
            found = threads.submit(puller.receive, 100, LONG)
            eventually(lambda: bus.query(WAITED, since)[0][0])
            return found

        yield wait


def test_what_is_published_comes_to_who_waits(uji: Actor, begin: Waits) -> None:
    waiting = begin(Puller(uji, FREE))
    sent = uji.published()
    assert ids(waiting.result()) == [sent]


def test_what_another_gives_back_comes_to_who_waits(uji: Actor, begin: Waits) -> None:
    puller = Puller(uji, FREE)
    sent = uji.published()
    held = puller.receive()
    waiting = begin(puller)
    puller.call("release", tokens=tokens(held), delay=0.3)
    assert ids(waiting.result()) == [sent]


def test_the_next_of_a_key_comes_when_the_first_is_settled(uji: Actor, begin: Waits) -> None:
    puller = Puller(uji, FREE, ordered=True)
    first, second = (uji.published(subject="a") for _ in range(2))
    held = puller.receive()
    assert ids(held) == [first]
    waiting = begin(puller)
    puller.acknowledge(held)
    assert ids(waiting.result()) == [second]


def test_what_had_no_room_comes_when_there_is_some(uji: Actor, begin: Waits) -> None:
    puller = Puller(uji, FREE, terms={"in_flight": 1})
    sent = [uji.published() for _ in range(2)]
    held = puller.receive()
    waiting = begin(puller)
    puller.acknowledge(held)
    assert sorted(ids(held) + ids(waiting.result())) == sorted(sent)


def test_who_is_sent_back_begins_there(uji: Actor, begin: Waits) -> None:
    puller = Puller(uji, FREE)
    receipt = uji.publish(a_document()).json()
    puller.acknowledge(puller.receive())
    waiting = begin(puller)
    puller.call("seek", to=receipt["recordedtime"])
    assert receipt["id"] in ids(waiting.result())


def test_a_process_that_ends_keeps_nobody_waiting(make_bus: MakeBus) -> None:
    with make_bus().run("api") as bus, ThreadPoolExecutor() as threads:
        puller = Puller(bus.actor("uji"), FREE)
        waiting = threads.submit(puller.receive, 100, LONG)
        eventually(lambda: bus.query(WAITED, datetime.min.replace(tzinfo=UTC))[0][0])
        bus.processes[0].stop()
        assert waiting.result() == []
