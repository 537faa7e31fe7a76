"""`nusabus tail`: its temporary subscription, and what it prints."""

import json
from collections.abc import Callable

import httpx
import pytest

from adapters.cli import session
from adapters.cli.app import run
from adapters.cli.exits import Exit
from tests.unit.client_gateway import Gateway, a_problem

TYPE = "id.go.bmkg.gempa.terdeteksi.v1"
EVENT = {"id": "e1", "type": TYPE, "recordedtime": "T", "data": {"a": "\x9b31m \u2028"}}
CREATED = httpx.Response(
    201,
    json={
        "name": "x", "types": [TYPE], "ordered": False, "state": "active", "queue": None,
        "amqp_url": None, "delivery": "stream",
    },
)  # fmt: skip
ENDED = httpx.Response(200, json={"discarded_messages": 0})
Tail = Callable[..., tuple[int, str, str]]


def a_stream(*positions: int) -> httpx.Response:
    frame = f"id: {{}}\ndata: {json.dumps(EVENT, ensure_ascii=False)}\n\n"
    text = "".join(frame.replace("{}", str(each), 1) for each in positions)
    return httpx.Response(200, content=text.encode())


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tail:
    """Runs `nusabus tail ...` against a gateway of canned answers."""
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"NUSABUS_{name}", "x")

    def command(gateway: Gateway, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(session, "connect", lambda *_: gateway.bus())
        code = run(["tail", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def calls(gateway: Gateway) -> list[tuple[str, str]]:
    return [(each.method, each.url.path.rpartition("/")[2]) for each in gateway.requests]


def test_a_temporary_subscription_lives_as_long_as_the_command(tail: Tail) -> None:
    gateway = Gateway(CREATED, a_stream(1, 2, 3), ENDED)
    code, out, err = tail(gateway, TYPE, "--from", "beginning", "--count", "2")
    assert (code, out.count(f"T  {TYPE}  -  e1  ")) == (Exit.OK, 2)
    name = gateway.requests[0].url.path.rpartition("/")[2]
    assert name.startswith("tail-")
    assert name in err
    assert calls(gateway) == [("PUT", name), ("GET", "stream"), ("DELETE", name)]
    assert json.loads(gateway.requests[0].content) == {
        "types": [TYPE],
        "delivery": "stream",
        "ordered": False,
        "start": "beginning",
    }


def test_it_ends_with_the_command_that_is_refused(tail: Tail) -> None:
    code, _, err = tail(Gateway(CREATED, a_problem(403, "forbidden"), ENDED), TYPE)
    assert (code, "403 forbidden" in err) == (Exit.ERROR, True)
    code, _, err = tail(Gateway(a_problem(403, "forbidden"), a_problem(404, "not-found")), TYPE)
    assert (code, "403 forbidden" in err) == (Exit.ERROR, True)
    assert "not removed" not in err
    gateway = Gateway(CREATED, a_stream(1), httpx.ConnectError("gone"))
    code, _, err = tail(gateway, TYPE, "--count", "1")
    assert code == Exit.OK
    assert "nusabus subscriptions delete tail-" in err


def test_a_named_subscription_stays(tail: Tail) -> None:
    gateway = Gateway(CREATED, a_stream(7))
    line = ("--subscription", "mine", "--after", "6", "--count", "1", "--json")
    code, out, err = tail(gateway, *line)
    assert (code, json.loads(out), err) == (Exit.OK, EVENT, "")
    assert calls(gateway) == [("GET", "mine"), ("GET", "stream")]
    assert gateway.requests[1].headers["last-event-id"] == "6"


def test_nothing_commands_the_terminal(tail: Tail) -> None:
    for more in ((), ("--json",)):
        _, out, _ = tail(Gateway(CREATED, a_stream(7), ENDED), TYPE, "--count", "1", *more)
        assert "\x9b" not in out
        assert "\u2028" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "at least one TYPE"),
        ((TYPE, "--subscription", "x"), "at least one TYPE"),
        (("--subscription", "x", "--from", "now"), "--from needs TYPE"),
        ((TYPE, "--after", "1"), "--resume need --subscription"),
        (("--subscription", "x"), "The delivery of x is pull"),
    ],
)
def test_an_error_says_what_to_do(tail: Tail, arguments: tuple[str, ...], says: str) -> None:
    gateway = Gateway(httpx.Response(200, json={"delivery": "pull"}))
    code, out, err = tail(gateway, *arguments)
    assert (code, out) == (Exit.ERROR, "")
    assert says in err
