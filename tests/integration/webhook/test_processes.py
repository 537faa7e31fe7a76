"""Processes that die, and several that share the work: nothing lost, repeats recognisable."""

import time
from collections import Counter

import pytest

from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, Bus, MakeBus
from tests.integration.webhook.conftest import PERMISSIVE, MakeInbox, hooked, passed_over
from tests.integration.webhook.inbox import Reply
from tests.waiting import eventually


@pytest.fixture
def own(make_bus: MakeBus):  # type: ignore[no-untyped-def]  # a generator of Bus
    """A bus whose processes may die."""
    with make_bus(**PERMISSIVE) as bus:
        yield bus.run("api")


def batch(actor: Actor, count: int, subject: str = "s") -> list[str]:
    events = [a_document(subject=f"{subject}{n % 5}") for n in range(count)]
    actor.publish_batch(events).raise_for_status()
    return [str(event["id"]) for event in events]


def test_a_killed_process_loses_nothing_and_repeats_are_known(
    own: Bus, make_inbox: MakeInbox
) -> None:
    uji, inbox = own.actor("uji"), make_inbox(lambda _: Reply(hang=0.02))
    hooked(uji, inbox.url, ordered=True)
    first = own.start("deliver")
    sent = batch(uji, 200)
    inbox.wait(40)
    first.kill()
    sent += batch(uji, 50)
    own.start("deliver")
    killed = time.monotonic()
    inbox.wait_for(*sent, seconds=40)
    assert time.monotonic() - killed < 30
    repeated = [id for id, count in Counter(inbox.ids()).items() if count > 1]
    assert len(repeated) < 60
    for id in repeated:
        calls = [call for call in inbox.calls if call.id == id]
        assert len({call.headers["webhook-id"] for call in calls}) == 1
        assert len({call.body for call in calls}) == 1
    for key in range(5):
        order = [c.id for c in inbox.calls if c.event["subject"] == f"s{key}"]
        assert list(dict.fromkeys(order)) == [id for id in sent if id in set(order)]


def test_two_processes_share_the_webhooks_and_take_over(own: Bus, make_inbox: MakeInbox) -> None:
    uji = own.actor("uji")
    inboxes = [make_inbox() for _ in range(6)]
    for inbox in inboxes:
        hooked(uji, inbox.url)
    processes = [own.start("deliver") for _ in range(2)]

    def holders() -> Counter[str]:
        rows = own.query("SELECT holder FROM delivery_leases WHERE expires > clock_timestamp()")
        return Counter(row[0] for row in rows)

    eventually(lambda: sorted(holders().values()) == [3, 3])
    sent = batch(uji, 100)
    for inbox in inboxes:
        inbox.wait_for(*sent)
        assert Counter(inbox.ids()) == Counter(sent)
    eventually(lambda: settled(own) == 600)
    processes[0].kill()
    more = batch(uji, 20)
    for inbox in inboxes:
        inbox.wait_for(*more, seconds=15)
    assert list(holders().values()) == [6]
    processes[1].stop()
    assert holders() == Counter()
    for inbox in inboxes:
        assert Counter(inbox.ids()) == Counter([*sent, *more])


def settled(own: Bus) -> int:
    rows = own.query(
        "SELECT coalesce(sum(cardinality(sequences)), 0)::int FROM delivery_settlements"
    )
    return int(rows[0][0])


def test_a_clean_end_repeats_nothing(own: Bus, make_inbox: MakeInbox) -> None:
    uji, inbox = own.actor("uji"), make_inbox(lambda _: Reply(hang=0.01))
    made = hooked(uji, inbox.url)
    sent = batch(uji, 150)
    for _ in range(3):
        process = own.start("deliver")
        count = len(inbox.calls)
        inbox.wait(min(count + 30, 150))
        process.stop()
    own.start("deliver")
    inbox.wait_for(*sent)
    assert Counter(inbox.ids()) == Counter(sent)
    assert own.query("SELECT FROM delivery_open WHERE name = $1", made["name"]) == []


def test_an_ended_subscription_ends_its_deliveries(own: Bus, make_inbox: MakeInbox) -> None:
    uji, inbox = own.actor("uji"), make_inbox()
    name = a_name()
    own.start("deliver")
    body = {"delivery": "webhook", "terms": {"endpoint": {"url": inbox.url}}}
    for _ in range(2):  # the second has no epoch, key or cursor of the first
        assert uji.put_subscription(name, FREE, **body).status_code == 201
        inbox.wait_for(uji.published())
        uji.delete(f"/v1/subscriptions/{name}").raise_for_status()
        eventually(lambda: own.query("SELECT FROM delivery_leases") == [])
    witness = make_inbox()
    hooked(uji, witness.url)
    passed_over(uji.published, inbox, witness)
