"""A defect of the gateway costs the delivery or the subscription that meets it, and no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bus import Actor, Bus, MakeBus
from tests.defective import NIK, defective, defects_found
from tests.integration.webhook.conftest import PERMISSIVE, MakeInbox, hooked
from tests.integration.webhook.inbox import Reply
from tests.waiting import eventually

DEFECT = """
    from gateway.delivery.webhook import attempt, dispatcher, sender

    broken(attempt.message, "body", lambda event, *_: event.subject == "rusak")
    broken(dispatcher.Dispatcher, "_read", lambda self: self._subscription.name == "rusak")
    broken(sender, "classify", lambda response: response.status == 299)
"""


@pytest.fixture(scope="module")
def hooks(make_bus: MakeBus, mended: Path) -> Iterator[Bus]:
    with make_bus(**PERMISSIVE) as bus:
        bus.start("deliver", **defective(mended.parent / "code", DEFECT, mended))
        yield bus.run("api")


@pytest.fixture(autouse=True)
def defects_again(mended: Path) -> None:
    mended.unlink(missing_ok=True)


def last_error(uji: Actor, name: str) -> str:
    return str(uji.get(f"/v1/subscriptions/{name}").json()["webhook"]["last_error"] or "")


def test_a_delivery_that_raises_is_a_failed_attempt_and_comes_later(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox, mended: Path
) -> None:
    inbox = make_inbox()
    made = hooked(uji, inbox.url)
    odd = uji.published(subject="rusak")
    others = [uji.published() for _ in range(5)]
    inbox.wait_for(*others)
    query = "SELECT failure, detail FROM delivery_attempts WHERE name = $1 ORDER BY at"
    eventually(lambda: len(hooks.query(query, made["name"])) >= 2)
    assert odd not in inbox.ids()
    failure, detail = hooks.query(query, made["name"])[0]
    assert failure == "defect"
    assert detail == "the gateway failed on this call (ValueError), which was logged"
    mended.touch()
    inbox.wait_for(odd)
    (line,) = defects_found(hooks, "webhooks.delivery")
    assert line["trace"][-1].endswith(" part")
    assert NIK not in hooks.logs()


def test_a_delivery_that_always_raises_becomes_a_dead_letter(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox()
    made = hooked(uji, inbox.url, terms={"attempts": 2})
    uji.published(subject="rusak")
    path = f"/v1/dead-letters?subscription={made['name']}"
    (dead_letter,) = eventually(lambda: uji.get(path).json()["items"])
    assert (dead_letter["failure"], dead_letter["attempts"]) == ("defect", 2)
    inbox.wait_for(uji.published())


def test_a_dispatcher_that_raises_begins_again_alone(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox, mended: Path
) -> None:
    odd, even = make_inbox(), make_inbox()
    body = {"delivery": "webhook", "terms": {"endpoint": {"url": odd.url}}}
    answer = uji.put_subscription("rusak", "id.go.uji.bebas.dicatat.v1", **body)
    assert answer.status_code == 201, answer.text
    hooked(uji, even.url)
    sent = [uji.published() for _ in range(3)]
    even.wait_for(*sent)
    eventually(lambda: "it tries again in" in last_error(uji, "rusak"))
    assert "(ValueError)" in last_error(uji, "rusak")
    assert odd.calls == []
    mended.touch()
    odd.wait_for(*sent, seconds=60)
    eventually(lambda: not last_error(uji, "rusak"))
    assert [each["subscription"] for each in defects_found(hooks, "webhooks.dispatcher")] == [
        "rusak"
    ]
    assert all(process.running for process in hooks.processes)
    uji.delete("/v1/subscriptions/rusak").raise_for_status()


def test_an_answer_that_raises_is_a_failed_attempt(
    hooks: Bus, uji: Actor, make_inbox: MakeInbox, mended: Path
) -> None:
    inbox = make_inbox(lambda _: Reply(299))
    made = hooked(uji, inbox.url)
    sent = uji.published()
    query = "SELECT failure FROM delivery_attempts WHERE name = $1"
    eventually(lambda: hooks.query(query, made["name"]))
    assert hooks.query(query, made["name"])[0][0] == "defect"
    mended.touch()
    eventually(lambda: not hooks.query("SELECT FROM delivery_open WHERE name = $1", made["name"]))
    assert sent in inbox.ids()
