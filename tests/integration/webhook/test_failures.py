"""Endpoints that fail, each in its own way: nothing is lost, and nobody else notices."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.bus import Actor, Bus
from tests.integration.webhook.conftest import MakeInbox, hooked, passed_over
from tests.integration.webhook.inbox import Call, Inbox, Reply
from tests.waiting import eventually


def first_then_fine(reply: Reply) -> Callable[[Call], Reply]:
    """Every event is answered like this once, and taken after that."""
    seen: set[str] = set()
    lock = threading.Lock()

    def behave(call: Call) -> Reply:
        with lock:
            if call.id in seen:
                return Reply()
            seen.add(call.id)
            return reply

    return behave


def attempts(hooks: Bus, name: str) -> Sequence[Any]:
    return hooks.query(
        "SELECT failure, detail FROM delivery_attempts WHERE name = $1 ORDER BY at", name
    )


def dead(hooks: Bus, name: str) -> Sequence[Any]:
    return hooks.query(
        "SELECT failure, detail, attempts FROM dead_letters WHERE name = $1 ORDER BY number", name
    )


def acknowledged(hooks: Bus, name: str) -> int:
    query = "SELECT sum(cardinality(sequences))::int FROM delivery_settlements WHERE name = $1"
    return int(hooks.query(query, name)[0][0] or 0)


def settled(hooks: Bus, name: str) -> bool:
    return not hooks.query("SELECT FROM delivery_open WHERE name = $1", name)


def test_five_hundred_half_of_the_time(hooks: Bus, uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox(first_then_fine(Reply(500, body=b"NIK 3273014105900001")))
    made = hooked(uji, inbox.url)
    sent = [uji.published() for _ in range(10)]
    eventually(lambda: Counter(inbox.ids()) == Counter({id: 2 for id in sent}))
    eventually(lambda: settled(hooks, made["name"]))
    assert set(attempts(hooks, made["name"])) == {("refused", "500 Internal Server Error")}
    for id in sent:
        first, second = (call for call in inbox.calls if call.id == id)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body


def test_one_that_dies_after_the_effect(hooks: Bus, uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox(first_then_fine(Reply(drop=True)))
    made = hooked(uji, inbox.url)
    sent = uji.published()
    calls = inbox.wait(2)
    assert [call.id for call in calls] == [sent, sent]
    assert len({call.headers["webhook-id"] for call in calls}) == 1
    eventually(lambda: settled(hooks, made["name"]))
    assert [row[0] for row in attempts(hooks, made["name"])] == ["unreachable"]


def test_one_that_hangs_holds_up_nobody(hooks: Bus, uji: Actor, make_inbox: MakeInbox) -> None:
    stuck, fine = make_inbox(lambda _: Reply(hang=60)), make_inbox()
    made = hooked(uji, stuck.url, endpoint={"timeout": 2, "concurrency": 2})
    hooked(uji, fine.url)
    sent = []
    for _ in range(20):
        began = time.monotonic()
        sent.append(uji.published())
        fine.wait_for(sent[-1], seconds=2)
        assert time.monotonic() - began < 2
    eventually(lambda: ("unreachable", "no response within 2 s") in attempts(hooks, made["name"]))
    assert len([call for call in stuck.calls if call.at < stuck.calls[0].at + 1.5]) <= 2
    uji.delete(f"/v1/subscriptions/{made['name']}").raise_for_status()


def test_redirects_are_not_followed(hooks: Bus, uji: Actor, make_inbox: MakeInbox) -> None:
    other = make_inbox()
    inbox = make_inbox(lambda _: Reply(307, {"location": other.url}))
    made = hooked(uji, inbox.url, terms={"attempts": 2})
    uji.published()
    eventually(lambda: dead(hooks, made["name"]))
    assert dead(hooks, made["name"]) == [
        ("refused", "307 Temporary Redirect: redirects are not followed", 2)
    ]
    assert len(inbox.calls) == 2
    assert other.calls == []


def test_the_last_attempt_makes_a_dead_letter(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(lambda _: Reply(503))
    made = hooked(uji, inbox.url, terms={"attempts": 3})
    uji.published()
    eventually(lambda: dead(hooks, made["name"]))
    assert dead(hooks, made["name"]) == [("refused", "503 Service Unavailable", 3)]
    assert len(inbox.calls) == 3
    assert attempts(hooks, made["name"]) == [("refused", "503 Service Unavailable")] * 3


def test_an_event_that_the_endpoint_never_wants(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(lambda _: Reply(422))
    made = hooked(uji, inbox.url)
    uji.published()
    eventually(lambda: dead(hooks, made["name"]))
    assert dead(hooks, made["name"]) == [("rejected", "422 Unprocessable Content", 1)]
    assert len(inbox.calls) == 1


def test_what_comes_after_a_dead_letter_of_its_key_is_delivered(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    poison = uji.published(subject="kunci")
    inbox = make_inbox(lambda call: Reply(500 if call.id == poison else 204))
    made = hooked(uji, inbox.url, ordered=True, start="beginning", terms={
        "attempts": 2, "filters": [{"exact": {"subject": "kunci"}}],
    })  # fmt: skip
    later = [uji.published(subject="kunci") for _ in range(3)]
    inbox.wait_for(*later)
    assert inbox.ids() == [poison, poison, *later]
    assert len(dead(hooks, made["name"])) == 1
    eventually(lambda: settled(hooks, made["name"]))
    last = uji.published(subject="kunci")
    inbox.wait_for(last)


def test_410_switches_off_and_resume_goes_on(hooks: Bus, uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox(lambda _: Reply(410))
    made = hooked(uji, inbox.url)
    sent = uji.published()
    path = f"/v1/subscriptions/{made['name']}"
    eventually(lambda: uji.get(path).json()["paused"])
    assert uji.get(path).json()["pause_reason"] == "the endpoint answered 410 Gone"
    witness = make_inbox()
    hooked(uji, witness.url)
    later = passed_over(uji.published, inbox, witness)
    inbox.behave = lambda _: Reply()
    resumed = uji.post(f"{path}/resume").json()
    assert (resumed["paused"], resumed["pause_reason"]) == (False, None)
    inbox.wait_for(sent, later)


def test_retry_after_is_honoured(uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox(first_then_fine(Reply(429, {"retry-after": "2"})))
    hooked(uji, inbox.url)
    uji.published()
    first, second = inbox.wait(2)
    assert second.at - first.at >= 2


def test_a_body_without_end_costs_the_endpoint_its_connection(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(lambda _: Reply(200, body=b"x" * (4 << 20)))
    made = hooked(uji, inbox.url)
    sent = [uji.published() for _ in range(5)]
    inbox.wait_for(*sent)
    eventually(lambda: acknowledged(hooks, made["name"]) == len(sent))
    assert Counter(inbox.ids()) == Counter(sent)


def test_a_slow_body_does_not_hold_a_delivery_up(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(lambda _: Reply(200, body=b"x" * 1000, drip=0.5))
    made = hooked(uji, inbox.url)
    sent = [uji.published() for _ in range(3)]
    inbox.wait_for(*sent)
    eventually(lambda: acknowledged(hooks, made["name"]) == len(sent))
    assert Counter(inbox.ids()) == Counter(sent)
    assert attempts(hooks, made["name"]) == []


def test_an_endpoint_that_is_down_loses_nothing(uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    made = hooked(uji, inbox.url)
    first = uji.published()
    inbox.wait_for(first)
    inbox.behave = lambda _: Reply(502)
    sent = [uji.published() for _ in range(40)]
    path = f"/v1/subscriptions/{made['name']}"
    eventually(lambda: "held back" in (uji.get(path).json()["webhook"]["last_error"] or ""))
    inbox.behave = lambda _: Reply()
    inbox.wait_for(*sent)
    eventually(lambda: uji.get(path).json()["webhook"]["last_error"] is None)


def test_another_inbox_is_not_mixed_up(uji: Actor, inbox: Inbox) -> None:
    made = [hooked(uji, inbox.url) for _ in range(2)]
    sent = uji.published()
    calls = inbox.wait(2)
    assert [call.id for call in calls] == [sent, sent]
    assert made[0]["secret"] != made[1]["secret"]
    assert calls[0].headers["webhook-signature"] != calls[1].headers["webhook-signature"]
