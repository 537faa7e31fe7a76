"""What is published reaches the endpoint, signed, in order where that is asked for."""

import random
import time

from standardwebhooks import Webhook

from tests.builders import CITIZEN, FREE, TASKS, a_citizen, an_id
from tests.bus import Actor, Bus
from tests.integration.webhook.conftest import MakeInbox, hooked, passed_over
from tests.integration.webhook.inbox import Call, Inbox, Reply
from tests.waiting import eventually


def test_what_was_published_reaches_the_endpoint_once(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    assert made["secret"].startswith("whsec_")
    sent = [uji.published() for _ in range(20)]
    inbox.wait_for(*sent)
    assert sorted(inbox.ids()) == sorted(sent)
    assert "secret" not in {k for k, v in uji.get(made_path(made)).json().items() if v}


def made_path(made: dict[str, str]) -> str:
    return f"/v1/subscriptions/{made['name']}"


def test_a_delivery_verifies_with_the_package_of_the_standard(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    sent = uji.published(id=an_id(), data={"é": 9007199254740993})
    (call,) = inbox.wait(1)
    assert call.headers["content-type"].startswith("application/cloudevents+json")
    event = Webhook(made["secret"]).verify(call.body, dict(call.headers))
    assert event["id"] == sent
    assert event["data"] == {"é": 9007199254740993}
    assert event["dataclassification"] == "public"
    assert call.headers["webhook-id"].startswith("evt_")
    assert call.headers["webhook-request-origin"] == "127.0.0.1"


def test_the_handshake_comes_first(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url, terms={"rate": 2})
    uji.published()
    inbox.wait(1)
    (asked,) = inbox.asked
    assert asked["webhook-request-origin"] == "127.0.0.1"
    assert asked["webhook-request-rate"] == "120"
    shown = uji.get(made_path(made)).json()["webhook"]
    assert shown == {"agreed": True, "allowed_rate": None, "last_error": None, "public_keys": []}


def test_everything_is_settled_without_a_row_for_each(hooks: Bus, uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    sent = [uji.published() for _ in range(30)]
    inbox.wait_for(*sent)

    def settled() -> int:
        rows = hooks.query(
            "SELECT coalesce(sum(cardinality(sequences)), 0)::int FROM delivery_settlements "
            "WHERE name = $1 AND settlement = 'acknowledged'",
            made["name"],
        )
        return int(rows[0][0])

    eventually(lambda: settled() == 30)
    assert hooks.query("SELECT FROM delivery_open WHERE name = $1", made["name"]) == []


def test_filters_and_a_beginning_in_the_past(uji: Actor, inbox: Inbox) -> None:
    subject = an_id()
    before = uji.published(subject=subject)
    terms = {"filters": [{"exact": {"subject": subject}}]}
    hooked(uji, inbox.url, start="beginning", terms=terms)
    uji.published(subject="other")
    after = uji.published(subject=subject)
    inbox.wait_for(before, after)
    assert sorted(inbox.ids()) == sorted([before, after])


def test_point_to_point(uji: Actor, inbox: Inbox) -> None:
    sent = uji.published(type=TASKS[2])
    made = hooked(uji, inbox.url, TASKS[2])
    inbox.wait_for(sent)
    assert uji.delete(made_path(made)).status_code == 200


def test_of_one_key_one_at_a_time_and_in_order(uji: Actor, make_inbox: MakeInbox) -> None:
    chance = random.Random(7)
    under_way: set[str] = set()
    overlaps: list[str] = []

    def behave(call: Call) -> Reply:
        subject = call.event["subject"]
        if subject in under_way:
            overlaps.append(subject)
        under_way.add(subject)
        time.sleep(0.01)
        under_way.discard(subject)
        return Reply(500 if chance.random() < 0.3 else 204)

    inbox = make_inbox(behave)
    hooked(uji, inbox.url, ordered=True, terms={"attempts": 50})
    keys = [an_id() for _ in range(4)]
    sent: dict[str, list[str]] = {key: [] for key in keys}
    for _ in range(10):
        for key in keys:
            sent[key].append(uji.published(subject=key))
    inbox.wait_for(*(id for ids in sent.values() for id in ids), seconds=60)
    for key, ids in sent.items():
        seen = [call.id for call in inbox.calls if call.event["subject"] == key]
        assert list(dict.fromkeys(seen)) == ids
        assert [id for n, id in enumerate(seen) if id not in seen[:n]] == sorted(ids, key=ids.index)
        assert seen == sorted(seen, key=ids.index), "a later event came before a repeat"
    assert overlaps == []


def test_no_more_at_once_than_asked_for(uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox(lambda _: Reply(hang=0.05))
    hooked(uji, inbox.url, endpoint={"concurrency": 3})
    inbox.wait_for(*[uji.published() for _ in range(30)])
    assert inbox.most_at_once == 3


def test_no_faster_than_allowed(uji: Actor, inbox: Inbox) -> None:
    inbox.permission = {"webhook-allowed-origin": "*", "webhook-allowed-rate": "300"}
    hooked(uji, inbox.url)
    sent = [uji.published() for _ in range(15)]
    calls = inbox.wait_for(*sent)
    assert calls[14].at - calls[0].at > 1.7  # five at once, then five a second


def test_a_pause_and_a_lost_right_end_the_delivering(hooks: Bus, make_inbox: MakeInbox) -> None:
    lain, uji = hooks.actor("lain"), hooks.actor("uji")
    grant = hooks.grant("lain", "subscribe", CITIZEN)
    inbox, witness = make_inbox(), make_inbox()
    made = hooked(lain, inbox.url, CITIZEN)
    hooked(uji, witness.url, CITIZEN)

    def publish() -> str:
        return uji.published(type=CITIZEN, data=a_citizen())

    inbox.wait_for(publish())
    lain.post(f"{made_path(made)}/pause").raise_for_status()
    missed = passed_over(publish, inbox, witness)
    lain.post(f"{made_path(made)}/resume").raise_for_status()
    inbox.wait_for(missed)
    hooks.admin.delete(grant).raise_for_status()
    passed_over(publish, inbox, witness)


def test_nothing_is_sent_while_the_organisation_is_suspended(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox, witness = make_inbox(), make_inbox()
    hooked(hooks.actor("lain"), inbox.url)
    hooked(uji, witness.url)
    inbox.wait_for(uji.published())
    path = "/v1/organisations/lain"
    hooks.admin.post(f"{path}/suspend", json={"reason": "Uji."}).raise_for_status()
    missed = passed_over(uji.published, inbox, witness)
    hooks.admin.post(f"{path}/resume").raise_for_status()
    inbox.wait_for(missed)


def test_what_the_journal_holds_comes_after_many_others(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url, FREE, terms={"filters": [{"exact": {"subject": "jarang"}}]})
    uji.publish_batch([{**event(), "subject": f"s{n}"} for n in range(500)]).raise_for_status()
    rare = uji.published(subject="jarang")
    inbox.wait_for(rare)
    assert inbox.ids() == [rare]
    assert made["delivery"] == "webhook"


def test_large_events(uji: Actor, inbox: Inbox) -> None:
    hooked(uji, inbox.url)
    sent = [uji.published(data={"isi": "x" * 900_000}) for _ in range(12)]
    inbox.wait_for(*sent)
    assert sorted(inbox.ids()) == sorted(sent)


def event() -> dict[str, object]:
    return {"specversion": "1.0", "id": an_id(), "source": "/uji", "type": FREE, "data": {}}
