"""The terms of a webhook: what is too old, and how much may be open at once."""

import threading

from tests.builders import FREE, a_document
from tests.bus import Actor, Bus
from tests.clocks import aged
from tests.integration.test_limits import dead, stage
from tests.integration.webhook.conftest import MakeInbox, hooked
from tests.integration.webhook.inbox import Call, Reply
from tests.waiting import eventually


def test_what_grows_too_old_between_two_attempts_becomes_a_dead_letter(
    uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(lambda call: Reply(503 if call.event["subject"] == "lama" else 204))
    made = hooked(uji, inbox.url, terms={"max_age": 2, "attempts": 100})
    receipt = uji.publish(a_document(subject="lama")).json()
    (dead_letter,) = eventually(lambda: dead(uji, made["name"]))
    assert dead_letter["failure"] == "expired"
    assert dead_letter["attempts"] >= 1
    assert stage(uji, receipt, made["name"])["stage"] == "expired"
    inbox.wait_for(uji.published(subject="baru"))
    assert inbox.ids().count(receipt["id"]) == dead_letter["attempts"]


def test_what_is_too_old_when_found_is_never_sent(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox()
    batch = uji.publish_batch([a_document() for _ in range(1000)]).json()["results"]
    sent = [each["receipt"] for each in batch]
    aged(hooks, sent[-1], 3.0)
    made = hooked(uji, inbox.url, start=sent[0]["recordedtime"], terms={"max_age": 3})
    eventually(lambda: uji.published() and inbox.calls)  # until one comes in time
    assert not set(inbox.ids()) & {each["id"] for each in sent}
    statement = "SELECT count(*) FROM dead_letters WHERE name = $1 AND failure = 'expired'"
    eventually(lambda: hooks.query(statement, made["name"])[0][0] >= len(sent))


def test_no_more_is_on_its_way_than_may_be_in_flight(uji: Actor, make_inbox: MakeInbox) -> None:
    go_on = threading.Event()

    def behave(_: Call) -> Reply:
        go_on.wait(30)
        return Reply()

    inbox = make_inbox(behave)
    hooked(uji, inbox.url, FREE, terms={"in_flight": 3}, endpoint={"concurrency": 8})
    sent = [uji.published() for _ in range(12)]
    inbox.wait(3)
    other = make_inbox()  # as many come to one without that bound, which shows that there were more
    hooked(uji, other.url, start=_time_of(uji, sent[0]))
    other.wait_for(*sent)
    assert len(inbox.calls) == 3
    go_on.set()
    inbox.wait_for(*sent)
    assert inbox.most_at_once == 3


def _time_of(actor: Actor, id: str) -> str:
    query = {"source": "/uji", "id": id}
    return str(actor.get("/v1/events", params=query).json()["recordedtime"])
