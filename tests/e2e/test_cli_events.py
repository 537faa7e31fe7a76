"""The `nusabus` command against a gateway: publish, subscribe, follow, look at what failed."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.exits import Exit
from tests.builders import CITIZEN, FREE, a_document, a_name
from tests.bus import Actor
from tests.e2e.conftest import Command
from tests.pulling import Puller, tokens


def test_publish_data_and_whole_events(nusabus: Command, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"a": 1}')
    told = ("publish", file, "--type", FREE, "--source", "/uji", "--id", a_name())
    assert nusabus(*told)[1].startswith("stored")
    assert "it was there already" in nusabus(*told)[1]
    events = json.dumps([a_document(), a_document(type=CITIZEN, data={"nik": "x"})]).encode()
    code, out, _ = nusabus("publish", "--whole", stdin=events)
    assert code == Exit.ERROR
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["stored", "refused"]
    assert "/nik" in out
    code, out, _ = nusabus("publish", "--whole", "--json", stdin=events)
    assert {"receipt", "problem"} == {key for each in json.loads(out) for key in each}


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["publish"], b"{}", "--type and --source"),
        (["publish", "--whole"], b"{", "no JSON"),
        (["publish", "/nowhere"], b"", "No such file"),
        (["subscriptions", "create", "x", FREE, "--terms", "{"], b"", "no JSON"),
        (["subscriptions", "show", "tidak-ada"], b"", "no subscription"),
        (["dead-letters", "show", "999999999"], b"", "no such dead letter"),
    ],
)
def test_what_cannot_be_done_is_told(
    nusabus: Command, arguments: list[str], stdin: bytes, says: str
) -> None:
    code, _, err = nusabus(*arguments, stdin=stdin)
    assert code == Exit.ERROR
    assert says in err


def test_follow_a_stream(nusabus: Command, uji: Actor) -> None:
    name = a_name()
    code, out, _ = nusabus("subscriptions", "create", name, FREE, "--delivery", "stream")
    assert (code, json.loads(out)["delivery"]) == (Exit.OK, "stream")
    sent = [uji.published() for _ in range(3)]
    code, out, _ = nusabus("tail", name, "--count", 3)
    assert sorted(json.loads(line)["id"] for line in out.splitlines()) == sorted(sent)
    assert name in nusabus("subscriptions", "list")[1]
    assert json.loads(nusabus("subscriptions", "show", name)[1])["lag"]["shards"]
    nusabus("subscriptions", "pause", name)
    assert nusabus("tail", name)[0] == Exit.ERROR
    nusabus("subscriptions", "resume", name)
    assert "it held 0" in nusabus("subscriptions", "delete", name, "--yes")[1]


def test_try_a_subscription(nusabus: Command, uji: Actor) -> None:
    puller = Puller(uji, FREE)
    code, out, _ = nusabus("subscriptions", "test", puller.name)
    assert (code, json.loads(out)["delivered"]) == (Exit.OK, True)
    assert [each["event"]["id"] for each in puller.receive()] == [json.loads(out)["id"]]


def test_dead_letters_are_shown_and_sent_again(nusabus: Command, uji: Actor) -> None:
    puller = Puller(uji, FREE)
    sent = [uji.published() for _ in range(5)]
    puller.call("reject", tokens=tokens(puller.receive()), reason="rusak")
    listed: list[dict[str, Any]] = json.loads(
        nusabus("dead-letters", "list", "--subscription", puller.name, "--json")[1]
    )["items"]
    assert len(listed) == 5
    assert "rusak" in nusabus("dead-letters", "list", "--subscription", puller.name)[1]
    first, second = listed[0]["number"], listed[1]["number"]
    assert json.loads(nusabus("dead-letters", "show", first)[1])["event"]["id"] in sent
    assert nusabus("dead-letters", "redrive", first)[1] == "sent again\n"
    assert "not dead" in nusabus("dead-letters", "redrive", first)[1]
    assert nusabus("dead-letters", "discard", second, "--reason", "uji")[1] == "discarded\n"
    code, out, _ = nusabus("dead-letters", "redrive", "--subscription", puller.name, "--yes")
    assert (code, out.splitlines()[-1]) == (Exit.OK, "finished: 3 sent, 0 stay dead")
    assert len(puller.receive()) == 4


def test_a_dead_letter_is_corrected(nusabus: Command, uji: Actor, tmp_path: Path) -> None:
    puller = Puller(uji, FREE)
    sent = uji.published(extra="lama")
    puller.call("reject", tokens=tokens(puller.receive(1)), reason="rusak")
    letter = json.loads(nusabus("dead-letters", "list", "-w", f"event={sent}", "--json")[1])[
        "items"
    ][0]
    file = tmp_path / "data.json"
    file.write_text('{"jumlah": 1.10}')
    told = ("dead-letters", "resend", letter["number"], "--data", file, "-a", "subject=baru")
    assert nusabus(*told, "-a", "extra=")[1].startswith("stored")
    assert "it was there already" in nusabus(*told, "-a", "extra=")[1]
    (got,) = puller.receive(1)
    assert (got["event"]["subject"], "extra" in got["event"]) == ("baru", False)
    assert got["event"]["data"] == {"jumlah": 1.1}
    listed = ("dead-letters", "list", "--subscription", puller.name)
    assert "resent" not in nusabus(*listed)[1]
    assert "resent" in nusabus(*listed, "--state", "all")[1]
    receipt = json.loads(nusabus(*told, "-a", "extra=", "--json")[1])
    assert (receipt["duplicate"], receipt["number"]) == (True, letter["number"])
    code, _, err = nusabus(*listed, "-w", "salah=1")
    assert (code, "not found by 'salah'" in err) == (Exit.ERROR, True)
    code, _, err = nusabus("dead-letters", "resend", letter["number"], "-a", "extra")
    assert (code, "name=value" in err) == (Exit.ERROR, True)
    code, _, err = nusabus("dead-letters", "resend", letter["number"], "--data", "-", stdin=b"{")
    assert (code, "no JSON" in err) == (Exit.ERROR, True)
