"""Requests over webhooks: an endpoint that answers, and one that takes the replies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import QUESTIONS, a_question, a_reply
from tests.bus import Actor, Bus
from tests.integration.webhook.conftest import MakeInbox, hooked
from tests.integration.webhook.inbox import Call, Inbox, Reply
from tests.problems import problem_of
from tests.waiting import eventually

ANSWERED, DROPPED, REFUSED = QUESTIONS[:3]


@pytest.fixture(scope="module")
def lain(hooks: Bus) -> Actor:
    """An organisation that asks."""
    for type_ in (ANSWERED, DROPPED, REFUSED):
        hooks.grant("lain", "publish", type_)
    return hooks.actor("lain")


def answer_call(uji: Actor, call: Call) -> Reply:
    """What an endpoint does that answers."""
    reply = uji.answer(call.event["requestid"], a_reply(call.event))
    return Reply(204 if reply.is_success else 500)


def test_endpoints_at_both_ends(
    uji: Actor, lain: Actor, inbox: Inbox, make_inbox: MakeInbox
) -> None:
    hooked(uji, make_inbox(lambda call: answer_call(uji, call)).url, ANSWERED)
    hooked(lain, inbox.url, f"{ANSWERED}.reply")
    hooked(uji, (others := make_inbox()).url, f"{ANSWERED}.reply")
    shown = lain.ask(a_question(ANSWERED), wait=20).json()
    assert shown["state"] == "answered"
    assert inbox.wait(1)[0].event == shown["reply"]
    own = uji.ask(a_question(ANSWERED, source="/uji"), wait=20).json()
    assert others.wait(1)[0].event == own["reply"]
    assert (len(inbox.calls), len(others.calls)) == (1, 1)


def test_who_dies_before_it_answers_is_asked_again(
    uji: Actor, lain: Actor, inbox: Inbox, make_inbox: MakeInbox
) -> None:
    def behave(call: Call) -> Reply:
        return Reply(drop=True) if len(responder.calls) == 1 else answer_call(uji, call)

    responder = make_inbox(behave)
    hooked(uji, responder.url, DROPPED)
    hooked(lain, inbox.url, f"{DROPPED}.reply")
    shown = lain.ask(a_question(DROPPED), wait=20).json()
    assert shown["state"] == "answered"
    first, second = responder.wait(2)
    assert first.event == second.event
    late = uji.answer(shown["id"], a_reply(first.event, data={"hasil": "LAIN"}))
    problem_of(late, 409, "already-answered")
    assert [call.event for call in inbox.wait(1)] == [shown["reply"]]


def test_a_deadline_that_passes_while_the_endpoint_refuses(
    uji: Actor, lain: Actor, make_inbox: MakeInbox
) -> None:
    """It is neither tried again, nor a dead letter, nor in the way of the next one."""
    behaviour: dict[str, Reply] = {"now": Reply(503)}
    inbox = make_inbox(lambda _: behaviour["now"])
    name = hooked(uji, inbox.url, REFUSED, terms={"attempts": 100})["name"]
    until = (datetime.now(UTC) + timedelta(seconds=2.5)).isoformat()
    shown: dict[str, Any] = lain.ask(old := a_question(REFUSED, expirytime=until)).json()
    inbox.wait(2)
    eventually(lambda: lain.get(f"/v1/requests/{shown['id']}").json()["state"] == "expired")
    left = "SELECT count(*) FROM delivery_open WHERE name = $1"
    eventually(lambda: uji.bus.query(left, name) == [(0,)])
    behaviour["now"], tried = Reply(204), len(inbox.calls)
    lain.ask(new := a_question(REFUSED))
    inbox.wait_for(new["id"])
    assert inbox.ids() == [old["id"]] * tried + [new["id"]]
    assert uji.get(f"/v1/dead-letters?subscription={name}").json()["items"] == []
