"""HTTPS by the gateway itself: the same limits as without TLS, and some for TLS."""

import json
import ssl

import pytest

from tests.builders import a_document
from tests.bus import STRUCTURED, Bus
from tests.integration.tls.conftest import NAME, Connect
from tests.wire import Wire, request

LIVE = request("GET", "/health/live", host=NAME)


def test_an_event_is_published_by_https(https: Bus) -> None:
    assert https.actor("uji").publish(a_document()).status_code == 202
    assert "strict-transport-security" in https.http.get("/health/live").headers


def test_the_version_is_current_and_there_are_no_tickets(connect: Connect) -> None:
    with connect() as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert wire.socket.version() == "TLSv1.3"
        assert wire.send(LIVE).reply().status == 200
        assert wire.socket.session is None or not wire.socket.session.has_ticket


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", None])
def test_old_tls_is_refused(https: Bus, connect: Connect, ciphers: str | None) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers:
        old.set_ciphers(ciphers)
        with pytest.raises(ssl.SSLError):
            connect(old)
    else:
        with connect(old) as wire:
            assert wire.send(LIVE).reply().status == 200


def test_a_request_behind_the_handshake_is_answered(connect: Connect) -> None:
    """Many at once, too, and the last says that it is."""
    with connect() as wire:
        wire.send(LIVE * 3)
        assert [wire.reply().status for _ in range(3)] == [200] * 3


def test_who_says_nothing_is_closed(https: Bus) -> None:
    with Wire(https.port) as wire:
        assert wire.ended()
    assert (
        'nusabus_http_refused_total{reason="tls-handshake"}'
        in https.http.get(
            "/metrics", headers={"authorization": "Bearer a token that is only for tests."}
        ).text
    )


def test_who_speaks_without_tls_is_closed(https: Bus) -> None:
    with Wire(https.port) as wire:
        wire.send(LIVE)
        assert wire.ended()


def test_an_idle_connection_ends_with_the_end_of_tls(connect: Connect) -> None:
    with connect() as wire:
        assert wire.send(LIVE).reply().status == 200
        assert wire.socket.recv(1) == b""


def test_a_body_that_nobody_reads_does_not_lose_the_answer(connect: Connect) -> None:
    """The peer is still sending when it is answered."""
    head = request("POST", "/v1/contracts", b"", host=NAME, content_length=str(8 << 20))
    with connect() as wire:
        wire.send(head)
        wire.offer(b"x" * 65536, 8)
        reply = wire.reply()
    assert (reply.status, reply.closes) == (401, True)
    assert json.loads(reply.body)["status"] == 401


def test_a_head_that_stops_is_answered(connect: Connect) -> None:
    with connect() as wire:
        assert wire.send(LIVE[:-2]).reply().status == 408


def test_a_large_answer_is_whole(https: Bus) -> None:
    answer = https.http.get("/openapi.json", headers={"connection": "close"})
    assert answer.status_code == 200
    assert answer.json()["paths"]


def test_an_upload_of_the_largest_batch(https: Bus) -> None:
    uji = https.actor("uji")
    events = [a_document(data={"name": "x" * 900_000}) for _ in range(4)]
    assert uji.publish_batch(events).status_code in (200, 202, 207, 422)
    assert uji.post("/v1/events", content=b"{", headers=STRUCTURED).status_code == 400
