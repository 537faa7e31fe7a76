"""An entry that cannot be sent costs its own subscribers a dead letter, and no other a thing."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.builders import FREE, TASKS
from tests.bus import Actor, Bus, MakeBus
from tests.defective import NIK, defective, defects_found
from tests.readers import ids
from tests.waiting import eventually

DEFECT = """
    from gateway.broker import message, frames
    from gateway.relay import messages, shard_relay

    # The message cannot be made; its headers fit no frame; its text is not Unicode.
    broken(message, "body", lambda event, *_: event.subject == "tanpa-pesan")
    headers = message.headers
    def odd_headers(event, *more):
        found = headers(event, *more)
        if event.subject == "kepala-besar":
            found["ce-besar"] = "x" * 200_000
        if event.subject == "bukan-teks":
            found["ce-teks"] = chr(0xD800)
        return found
    message.headers = odd_headers
    broken(shard_relay.ShardRelay, "_add", lambda self, entry: entry.event.subject == "pecahan")
"""
ODD = ("tanpa-pesan", "kepala-besar", "bukan-teks")


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus, mended: Path) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.start("relay", **defective(mended.parent / "code", DEFECT, mended))
        yield bus.run("api")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture(autouse=True)
def defects_again(mended: Path) -> None:
    mended.unlink(missing_ok=True)


def dead_letters(uji: Actor, name: str) -> list[Any]:
    items: list[Any] = uji.get(f"/v1/dead-letters?subscription={name}&state=dead").json()["items"]
    return items


@pytest.mark.parametrize("subject", ODD)
def test_an_entry_that_cannot_be_sent_is_a_dead_letter_and_the_shard_goes_on(
    bus: Bus, uji: Actor, subject: str, mended: Path
) -> None:
    ordered = uji.subscribe(FREE, ordered=True)
    chosen = uji.subscribe(FREE, terms={"filters": [{"prefix": {"subject": subject[:5]}}]})
    other = uji.subscribe(FREE, terms={"filters": [{"exact": {"subject": "lain"}}]})
    before = [uji.published(subject=subject[:5]) for _ in range(3)]
    odd = uji.published(subject=subject)
    after = [uji.published(subject=subject[:5]) for _ in range(3)]
    assert ids(ordered.take(6)) == [*before, *after]
    assert ids(chosen.take(6)) == [*before, *after]
    for each in (ordered, chosen):
        (dead,) = eventually(partial(dead_letters, uji, each.name))
        assert (dead["failure"], dead["attempts"]) == ("defect", 1)
        assert "the gateway could not make a message of it" in json.dumps(dead)
    assert dead_letters(uji, other.name) == []
    mended.touch()
    (dead,) = dead_letters(uji, ordered.name)
    answer = uji.post(f"/v1/dead-letters/{dead['number']}/redrive")
    assert answer.is_success, answer.text
    assert ids(ordered.take(1)) == [odd]
    assert NIK not in bus.logs()
    for subscribed in (ordered, chosen, other):
        subscribed.end()


@pytest.mark.parametrize("subject", ODD)
def test_a_backfill_sets_aside_what_it_cannot_send(bus: Bus, uji: Actor, subject: str) -> None:
    before = uji.published(subject="awal", type=TASKS[3])
    uji.published(subject=subject, type=TASKS[3])
    after = uji.published(subject="akhir", type=TASKS[3])
    late = uji.subscribe(TASKS[3], start="beginning")
    late.take_until(lambda got: {before, after} <= got)
    eventually(lambda: any(each["failure"] == "defect" for each in dead_letters(uji, late.name)))
    late.end()


def test_a_shard_with_a_defect_stops_no_other_shard(bus: Bus, uji: Actor, mended: Path) -> None:
    subscribed = uji.subscribe(FREE)
    odd = uji.published(subject="pecahan")
    eventually(lambda: defects_found(bus, "relay.shard"))
    (position,) = bus.query(
        "SELECT shard FROM journal_entries WHERE type = $1 AND subject = 'pecahan'", FREE
    )
    others = [uji.published(subject=f"s{number}") for number in range(40)]
    rows = bus.query("SELECT id, shard FROM journal_entries WHERE id = ANY ($1)", others)
    elsewhere = {id for id, shard in rows if shard != position[0]}
    assert elsewhere
    assert odd not in ids(subscribed.take_until(lambda got: elsewhere <= got))
    assert [process.running for process in bus.processes] == [True, True]
    mended.touch()
    rest = ({odd} | set(others)) - elsewhere
    subscribed.take_until(lambda got: rest <= got)
    subscribed.end()
