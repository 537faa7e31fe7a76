"""Clients that offer another protocol: the offer is ignored (RFC 9110, section 7.8)."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from deploy.local.external_programs import ensure
from tests.builders import a_document
from tests.bus import STRUCTURED, Actor, Bus
from tests.wire import Wire, request

H2C = {
    "connection": "Upgrade, HTTP2-Settings",
    "upgrade": "h2c",
    "http2-settings": "AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",  # what the JDK sends
}
WEBSOCKET = {"connection": "keep-alive, Upgrade", "upgrade": "websocket"}
OFFERS = pytest.mark.parametrize("offer", [H2C, WEBSOCKET], ids=["h2c", "websocket"])


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def publish(uji: Actor, offer: dict[str, str], **changes: str) -> tuple[bytes, bytes]:
    """The head and the body of a request that publishes an event."""
    body = json.dumps(a_document()).encode()
    headers = {**uji.headers, **STRUCTURED, **offer, "content-length": str(len(body)), **changes}
    return request("POST", "/v1/events", b"", **headers), body


@OFFERS
def test_the_body_is_read(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    with Wire(bus.port) as wire:
        for _ in range(2):  # on the same connection
            wire.send(b"".join(publish(uji, offer)))
            assert wire.reply().status == 202


@OFFERS
def test_the_body_may_come_later_and_in_pieces(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    head, body = publish(uji, offer)
    with Wire(bus.port) as wire:
        for piece in (head[:-2], head[-2:] + body[:1], *(body[n : n + 1] for n in range(1, 20))):
            wire.send(piece)
        assert wire.send(body[20:]).reply().status == 202


@OFFERS
def test_a_chunked_body_is_read(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    head, body = publish(uji, offer)
    head = head.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    with Wire(bus.port) as wire:
        wire.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert wire.reply().status == 202


@OFFERS
def test_requests_behind_it_are_answered(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    one = b"".join(publish(uji, offer))
    two = request("GET", "/health/live", b"", **offer)
    with Wire(bus.port) as wire:
        wire.send(one + two + two + b"".join(publish(uji, offer)))
        assert [wire.reply().status for _ in range(4)] == [202, 200, 200, 202]


@OFFERS
def test_a_token_is_issued(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    basic = base64.b64encode(f"{uji.id}:{uji.secret}".encode()).decode()
    form = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    with Wire(bus.port) as wire:
        body = b"grant_type=client_credentials"
        wire.send(request("POST", "/oauth/token", body, **form, **offer))
        assert wire.reply().status == 200


@OFFERS
def test_framing_stays_strict(bus: Bus, uji: Actor, offer: dict[str, str]) -> None:
    head, body = publish(uji, offer, **{"transfer-encoding": "chunked"})
    with Wire(bus.port) as wire:
        assert wire.send(head + body).reply().status == 400
        assert wire.ended()
    head = head.replace(b"content-length: %d\r\n" % len(body), b"")
    with Wire(bus.port) as wire:
        assert wire.send(head + b"zz\r\n" + body).reply().status == 400
        assert wire.ended()


def test_the_client_of_the_jdk_publishes_with_its_defaults(
    bus: Bus, uji: Actor, tmp_path: Path
) -> None:
    if not ensure("javac"):
        pytest.skip("a JDK is not here and cannot be installed")
    event = tmp_path / "event.json"
    event.write_text(json.dumps(a_document()))
    program = Path(__file__).with_name("Publish.java")
    done = subprocess.run(
        ["java", str(program), f"http://127.0.0.1:{bus.port}"],
        env={"TOKEN": uji.headers["authorization"], "EVENT": str(event), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["202", "202", "200"], done.stderr
