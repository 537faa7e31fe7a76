"""`nusabus requests` against a gateway: ask, look again, answer."""

import json
from typing import Any

import pytest

from adapters.cli.exits import Exit
from tests.builders import QUESTIONS, a_name, a_question, a_reply
from tests.bus import Actor
from tests.e2e.conftest import Command
from tests.pull_receiver import Puller
from tests.responders import AmqpResponder

ANSWERED, PULLED, EXPIRED, NOBODY = QUESTIONS[:4]
DATA = json.dumps({"nik": "1"}).encode()


def about(type: str) -> tuple[str, ...]:
    return (type, "--source", "/uji")


def test_the_reply_is_printed(nusabus: Command, uji: Actor) -> None:
    subscribed = uji.subscribe(ANSWERED)
    with AmqpResponder(subscribed.url, subscribed.queue):
        code, out, err = nusabus("requests", "ask", *about(ANSWERED), "--wait", 30, stdin=DATA)
        assert (code, json.loads(out), err) == (Exit.OK, {"hasil": "COCOK"}, "")
        whole = json.dumps(a_question(ANSWERED, source="/uji")).encode()
        calls = ("requests", "ask", "--event", "-", "--wait", 30, "--json")
        shown = json.loads(nusabus(*calls, stdin=whole)[1])
    assert shown["state"] == "answered"
    assert json.loads(nusabus(*calls, stdin=whole)[1]) == shown


def test_a_reply_is_found_later(nusabus: Command, uji: Actor) -> None:
    worker = Puller(uji, PULLED)
    calls = ("requests", "ask", *about(PULLED), "--wait", 0, "--within", 600, "--id", a_name())
    code, out, err = nusabus(*calls, stdin=DATA)
    assert (code, out) == (Exit.CHANGES, "")
    assert "No reply yet" in err
    (taken,) = worker.receive()
    id = taken["event"]["requestid"]
    assert f"nusabus requests show {id} --wait 30" in err
    assert nusabus("requests", "show", f"/v1/requests/{id}")[0] == Exit.CHANGES
    reply = ("requests", "answer", id, "--source", "/uji", "--id", a_name())
    code, _, err = nusabus(*reply, stdin=b"{}")
    assert code == Exit.ERROR
    assert "hasil" in err
    assert "answered" in nusabus(*reply, stdin=b'{"hasil":"COCOK"}')[1]
    assert "stored before" in nusabus(*reply, stdin=b'{"hasil":"COCOK"}')[1]
    assert json.loads(nusabus(*reply, "--json", stdin=b'{"hasil":"COCOK"}')[1])["duplicate"]
    code, out, _ = nusabus("requests", "show", id, "--wait", 5)
    assert (code, json.loads(out)) == (Exit.OK, {"hasil": "COCOK"})


def test_a_deadline_passes(nusabus: Command, uji: Actor) -> None:
    worker = Puller(uji, EXPIRED)
    calls = ("requests", "ask", *about(EXPIRED), "--within", 2, "--id", a_name())
    code, out, err = nusabus(*calls, "--wait", 1, stdin=DATA)
    assert (code, out) == (Exit.CHANGES, "")
    question: dict[str, Any] = worker.receive()[0]["event"]
    id = question["requestid"]
    assert uji.answer(id, a_reply(question, data={})).status_code == 422
    code, out, err = nusabus("requests", "show", id, "--wait", 30)
    assert (code, out) == (Exit.ERROR, "")
    assert "A reply of uji was refused: contract-violation" in err
    code, out, err = nusabus("requests", "show", id, "--wait", 30, "--json")
    assert (code, json.loads(out)["state"]) == (Exit.ERROR, "expired")
    late = ("requests", "answer", id, "--source", "/uji")
    assert "after the deadline" in nusabus(*late, stdin=b'{"hasil":"COCOK"}')[1]
    code, out, err = nusabus("requests", "show", id)
    assert (code, json.loads(out)) == (Exit.OK, {"hasil": "COCOK"})
    assert err.startswith("late: ")


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["ask", *about(NOBODY), "--wait", "5"], DATA, "There is no responder"),
        (["ask"], DATA, "TYPE and --data"),
        (["ask", NOBODY], DATA, "--source"),
        (["ask", "--event", "-"], b"[]", "not a CloudEvent"),
        (["ask", *about(NOBODY), "--wait", "-1"], DATA, "Invalid value for '--wait'"),
        (["ask", *about("id.go.uji.tanya.tak-ada.v1")], DATA, "There is no contract"),
        (["show", "0" * 32], b"", "There is no such request"),
        (["show", "bukan-id"], b"", "422"),
        (["answer", "0" * 32, "--source", "/uji"], b"{}", "There is no such request"),
    ],
)
def test_an_error_says_what_is_wrong(
    nusabus: Command, arguments: list[str], stdin: bytes, says: str
) -> None:
    code, out, err = nusabus("requests", *arguments, stdin=stdin)
    assert (code, out) == (Exit.ERROR, "")
    assert says in err


def test_a_request_that_waits_for_somebody(nusabus: Command) -> None:
    calls = ("requests", "ask", *about(NOBODY), "--no-responder", "wait", "--wait", 0, "--json")
    code, out, _ = nusabus(*calls, stdin=DATA)
    assert (code, json.loads(out)["state"]) == (Exit.CHANGES, "waiting")
