"""`nusabus publish`: what it reads, what it sends, and what it prints."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.cli import session
from adapters.cli.app import run
from adapters.cli.exits import Exit, Failure
from adapters.cli.publish import LARGEST, MOST, batches
from tests.unit.client_gateway import RECEIPT, Gateway, a_problem

TYPE = "id.go.bmkg.gempa.terdeteksi.v1"
Publish = Callable[..., tuple[int, str, str]]


def stored(*receipts: dict[str, Any]) -> httpx.Response:
    return httpx.Response(207, json={"results": [{"receipt": RECEIPT | each} for each in receipts]})


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Publish:
    """Runs `nusabus publish ...` against a gateway of canned answers."""
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"NUSABUS_{name}", "x")

    def command(gateway: Gateway, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(session, "connect", lambda *_: gateway.bus())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run(["publish", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_data_become_one_event(publish: Publish, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    text = '{"magnitudo": 5.6}'
    file.write_text(text)
    for data, stdin in ((text, ""), (f"@{file}", ""), ("-", text), ("", text)):
        gateway = Gateway(stored({}))
        more = ("--subject", "42", "--key", "k", "--attribute", "traceparent=00-1", "--id", "e1")
        given = ("--data", data) if data else ()
        code, out, _ = publish(gateway, TYPE, *given, "--source", "/s", *more, stdin=stdin)
        assert (code, out) == (Exit.OK, "stored e1 at 2/7\n")
        [[event]] = gateway.bodies
        assert event == {
            "specversion": "1.0",
            "id": "e1",
            "source": "/s",
            "type": TYPE,
            "subject": "42",
            "partitionkey": "k",
            "traceparent": "00-1",
            "datacontenttype": "application/json",
            "data": {"magnitudo": 5.6},
        }


def test_an_event_without_an_id_gets_one(publish: Publish) -> None:
    gateway = Gateway(stored({}), stored({}))
    for _ in range(2):
        publish(gateway, TYPE, "--data", "1", "--source", "/s")
    first, second = (body[0]["id"] for body in gateway.bodies)
    assert first != second


def test_each_line_is_an_event(publish: Publish) -> None:
    gateway = Gateway(stored({"id": "a"}, {"id": "b", "duplicate": True}))
    code, out, _ = publish(gateway, TYPE, "--lines", "--source", "/s", stdin="1\n\n2\n")
    assert [event["data"] for event in gateway.bodies[0]] == [1, 2]
    assert out == "stored a at 2/7\nstored b at 2/7 (duplicate: it was stored before)\n"
    assert code == Exit.OK


def test_whole_events_and_what_is_refused(publish: Publish) -> None:
    violation = {"pointer": "/x", "keyword": "type", "message": "is not a number"}
    problem = json.loads(a_problem(422, "contract-violation", violations=[violation]).content)
    results = {"results": [{"receipt": RECEIPT}, {"problem": problem}]}
    events = json.dumps([{"id": "a"}, {"id": "b"}])
    lines = '{"id": "a"}\n{"id": "b"}'
    for given, stdin in ((("--events", "-"), events), (("--events", "-", "--lines"), lines)):
        gateway = Gateway(httpx.Response(207, json=results))
        code, out, _ = publish(gateway, *given, stdin=stdin)
        assert code == Exit.ERROR
        assert out == "stored e1 at 2/7\nrefused Do something else.\n  /x is not a number\n"
        assert [event["id"] for event in gateway.bodies[0]] == ["a", "b"]


def test_json_holds_what_is_known_before_a_failure(publish: Publish) -> None:
    gateway = Gateway(stored(*[{}] * MOST), a_problem(403, "forbidden"))
    stdin = "1\n" * (MOST + 1)
    code, out, _ = publish(gateway, TYPE, "--lines", "--json", "--source", "/s", stdin=stdin)
    shown, end = json.JSONDecoder().raw_decode(out)
    assert (code, len(shown)) == (Exit.ERROR, MOST)
    assert json.loads(out[end:])["error"]["status"] == 403


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        ((), "", "Give TYPE and --data, or --events"),
        ((TYPE, "--events", "-"), "{}", "Give TYPE and --data, or --events"),
        ((TYPE,), "{}", "Missing --source"),
        ((TYPE, "-s", "/s", "--id", "a", "--lines"), "1\n", "--id names one event"),
        ((TYPE, "-s", "/s", "-a", "x"), "1", "'x' has no value. Write name=value."),
        ((TYPE, "-s", "/s", "-d", "pyproject.toml"), "", "write @pyproject.toml"),
        ((TYPE, "-s", "/s"), "1\n2\n", "add --lines"),
        ((TYPE, "-s", "/s", "--lines"), "1\n{\n", "Line 2 of Standard input is not JSON"),
        ((TYPE, "-s", "/s"), "1" * (5 << 20), "larger than"),
        (("--events", "-"), "[1]", "Value 1 is not a CloudEvent"),
    ],
)
def test_an_error_says_what_to_do(
    publish: Publish, arguments: tuple[str, ...], stdin: str, says: str
) -> None:
    gateway = Gateway()
    code, out, err = publish(gateway, *arguments, stdin=stdin)
    assert (code, out, gateway.requests) == (Exit.ERROR, "", [])
    assert says in err


def test_a_call_holds_what_the_gateway_takes() -> None:
    assert [len(each) for each in batches({} for _ in range(MOST + 1))] == [MOST, 1]
    large = {"data": "x" * (LARGEST // 2)}
    assert [len(each) for each in batches([large, large, {}])] == [1, 2]
    assert list(batches([])) == []
    with pytest.raises(Failure):
        list(batches([[]]))
