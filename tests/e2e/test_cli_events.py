"""The `nusabus` command against a gateway: publish, subscribe, follow, look at what failed."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.exits import Exit
from tests.builders import CITIZEN, FREE, a_document, a_name
from tests.bus import Actor
from tests.e2e.conftest import Command
from tests.pull_receiver import Puller, tokens
from tests.waiting import eventually


def test_publish_data_and_whole_events(nusabus: Command, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"a": 1}')
    line = ("publish", FREE, "--data", f"@{file}", "--source", "/uji", "--id", a_name())
    assert nusabus(*line)[1].startswith("stored")
    assert "it was stored before" in nusabus(*line)[1]
    events = json.dumps([a_document(), a_document(type=CITIZEN, data={"nik": "x"})]).encode()
    code, out, _ = nusabus("publish", "--events", "-", stdin=events)
    assert code == Exit.ERROR
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["stored", "refused"]
    assert "/nik" in out
    code, out, _ = nusabus("publish", "--events", "-", "--json", stdin=events)
    assert {"receipt", "problem"} == {key for each in json.loads(out) for key in each}


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["publish"], b"{}", "TYPE and --data"),
        (["publish", FREE], b"{}", "--source"),
        (["publish", "--events", "-"], b"{", "not JSON"),
        (["publish", FREE, "--data", "@/nowhere"], b"", "No such file"),
        (["subscriptions", "create", "x", FREE, "--terms", "{"], b"", "not JSON"),
        (["subscriptions", "show", "tidak-ada"], b"", "no subscription"),
        (["dead-letters", "show", "999999999"], b"", "No such dead letter"),
    ],
)
def test_an_error_says_what_is_wrong(
    nusabus: Command, arguments: list[str], stdin: bytes, says: str
) -> None:
    code, _, err = nusabus(*arguments, stdin=stdin)
    assert code == Exit.ERROR
    assert says in err


def test_tail_a_stream_subscription(nusabus: Command, uji: Actor) -> None:
    name = a_name()
    code, out, _ = nusabus("subscriptions", "create", name, FREE, "--delivery", "stream")
    assert (code, json.loads(out)["delivery"]) == (Exit.OK, "stream")
    sent = [uji.published() for _ in range(3)]
    code, out, _ = nusabus("tail", "--subscription", name, "--count", 3, "--json")
    assert sorted(json.loads(line)["id"] for line in out.splitlines()) == sorted(sent)
    assert name in nusabus("subscriptions", "list")[1]
    assert json.loads(nusabus("subscriptions", "show", name)[1])["lag"]["shards"]
    nusabus("subscriptions", "pause", name)
    assert nusabus("tail", "--subscription", name)[0] == Exit.ERROR
    nusabus("subscriptions", "resume", name)
    assert "discarded 0 events" in nusabus("subscriptions", "delete", name, "--yes")[1]


def test_try_a_subscription(nusabus: Command, uji: Actor) -> None:
    puller = Puller(uji, FREE)
    code, out, _ = nusabus("subscriptions", "test", puller.name)
    assert (code, json.loads(out)["delivered"]) == (Exit.OK, True)
    assert [each["event"]["id"] for each in puller.receive()] == [json.loads(out)["id"]]


def test_dead_letters_are_shown_and_redriven(nusabus: Command, uji: Actor) -> None:
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
    assert nusabus("dead-letters", "redrive", first)[1] == "redriven\n"
    assert "no longer dead" in nusabus("dead-letters", "redrive", first)[1]
    assert nusabus("dead-letters", "discard", second, "--reason", "uji")[1] == "discarded\n"
    code, out, _ = nusabus("dead-letters", "redrive", "--subscription", puller.name, "--yes")
    assert (code, out.splitlines()[-1]) == (Exit.OK, "finished: 3 redriven, 0 still dead")
    assert len(puller.receive()) == 4


def test_a_dead_letter_is_corrected(nusabus: Command, uji: Actor, tmp_path: Path) -> None:
    puller = Puller(uji, FREE)
    sent = uji.published(extra="lama")
    puller.call("reject", tokens=tokens(puller.receive(1)), reason="rusak")
    dead_letter = json.loads(nusabus("dead-letters", "list", "-w", f"event={sent}", "--json")[1])[
        "items"
    ][0]
    file = tmp_path / "data.json"
    file.write_text('{"jumlah": 1.10}')
    number = dead_letter["number"]
    line = ("dead-letters", "resend", number, "--data", f"@{file}", "-a", "subject=baru")
    assert nusabus(*line, "-a", "extra=")[1].startswith("stored")
    assert "it was stored before" in nusabus(*line, "-a", "extra=")[1]
    (got,) = puller.receive(1)
    assert (got["event"]["subject"], "extra" in got["event"]) == ("baru", False)
    assert got["event"]["data"] == {"jumlah": 1.1}
    listed = ("dead-letters", "list", "--subscription", puller.name)
    assert "resent" not in nusabus(*listed)[1]
    assert "resent" in nusabus(*listed, "--state", "all")[1]
    receipt = json.loads(nusabus(*line, "-a", "extra=", "--json")[1])
    assert (receipt["duplicate"], receipt["number"]) == (True, number)
    code, _, err = nusabus(*listed, "-w", "salah=1")
    assert (code, "Unknown filter 'salah'" in err) == (Exit.ERROR, True)
    code, _, err = nusabus("dead-letters", "resend", number, "-a", "extra")
    assert (code, "name=value" in err) == (Exit.ERROR, True)
    code, _, err = nusabus(
        "dead-letters", "resend", dead_letter["number"], "--data", "-", stdin=b"{"
    )
    assert (code, "not JSON" in err) == (Exit.ERROR, True)


def test_publish_and_tail_by_type(nusabus: Command, uji: Actor) -> None:
    started = datetime.now(UTC).isoformat()
    data = b'{"nama": "Siti"}\n\n{"nama": "Budi"}\n'
    line = ("publish", FREE, "--source", f"/uji/{a_name()}", "--lines", "--key", "k", "--json")
    code, out, _ = nusabus(*line, stdin=data)
    receipts = [each["receipt"] for each in json.loads(out)]
    assert (code, len(receipts)) == (Exit.OK, 2)
    before = [each["name"] for each in uji.get("/v1/subscriptions").json()["items"]]
    tail = ("tail", FREE, "--from", started, "--count", 2)
    code, out, err = nusabus(*tail)
    lines = [each for each in out.splitlines() if receipts[1]["id"] in each]
    assert (code, len(lines)) == (Exit.OK, 1)
    assert lines[0].startswith(f"{receipts[1]['recordedtime']}  {FREE}  -  ")
    assert lines[0].endswith('{"nama": "Budi"}')
    assert "tail-" in err
    events = [json.loads(each) for each in nusabus(*tail, "--json")[1].splitlines()]
    assert [each["partitionkey"] for each in events] == ["k", "k"]
    assert [each["name"] for each in uji.get("/v1/subscriptions").json()["items"]] == before


def test_ctrl_c_ends_tail_and_its_subscription(nusabus: Command, uji: Actor) -> None:
    def subscriptions() -> list[str]:
        items = uji.get("/v1/subscriptions").json()["items"]
        return [each["name"] for each in items if each["name"].startswith("tail-")]

    command = [sys.executable, "-m", "adapters.cli", "tail", FREE, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        eventually(lambda: len(subscriptions()) == 1)
        sent = uji.published()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["id"] == sent
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == Exit.OK
    assert subscriptions() == []


def test_login_saves_a_profile(
    nusabus: Command, uji: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"NUSABUS_{name}")
    login = ("login", "uji", "--client-id", uji.id)
    code, _, err = nusabus(*login, stdin=b"wrong")
    assert (code, "invalid_client" in err) == (Exit.ERROR, True)
    assert nusabus(*login, stdin=uji.secret.encode())[0] == Exit.OK
    assert nusabus("subscriptions", "list", "--profile", "uji")[0] == Exit.OK
    env = tmp_path / "demo.env"
    env.write_text(
        f"NUSABUS_URL={uji.bus.http.base_url}\nUJI_SATU_CLIENT_ID={uji.id}\n"
        f"UJI_SATU_CLIENT_SECRET='{uji.secret}'\nUJI_SATU_QUEUE=x\n"
    )
    assert "uji-satu" in nusabus("login", "--file", env)[1]
    assert nusabus("subscriptions", "list", "--profile", "uji-satu")[0] == Exit.OK
