"""The proxy of `deploy/proxy` in front of a gateway: the shipped files, run by nginx."""

import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.external_programs import nginx
from tests.builders import a_document
from tests.bus import STRUCTURED, Bus, MakeBus
from tests.integration.test_stream import a_stream, events
from tests.proxy import NAME, Proxy
from tests.waiting import eventually
from tests.wire import Reply, Wire, request

LIVE = request("GET", "/health/live", host=NAME)
HSTS = "max-age=31536000; includeSubDomains"
SHORT = {"client_header_timeout 10s": "client_header_timeout 1s"}
NIK = "3273015104089901"


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A gateway that trusts the proxy's address, and has short patience with bodies."""
    settings = {
        "NUSABUS_TRUSTED_PROXIES": "127.0.0.1",
        "NUSABUS_CLIENT_CERT_HEADER": "true",
        "NUSABUS_URL": f"https://{NAME}",
        "NUSABUS_BODY_SECONDS": "1",
    }
    with make_bus(**settings) as bus:
        yield bus.run("api", "relay")


@pytest.fixture(scope="module")
def proxy(bus: Bus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = nginx()
    if program is None:
        pytest.skip("nginx is not here and cannot be fetched")
    with Proxy(program, tmp_path_factory.mktemp("proxy"), bus.port, **SHORT) as proxy:
        yield proxy


def answer(proxy: Proxy, data: bytes, source: str = "127.0.0.1") -> Reply:
    with proxy.connect(source=source) as wire:
        return wire.send(data).reply()


def test_tls_is_current_and_for_its_name_alone(proxy: Proxy) -> None:
    with proxy.connect() as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert wire.socket.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        proxy.connect(name="other.example.go.id")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(proxy.authority)
    old.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Wire(proxy.port) as wire, pytest.raises(ssl.SSLError):
        old.wrap_socket(wire.socket, server_hostname=NAME)


def test_http_2_is_offered(proxy: Proxy) -> None:
    context = proxy.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Wire(proxy.port) as wire:
        chosen = context.wrap_socket(wire.socket, server_hostname=NAME)
        assert chosen.selected_alpn_protocol() == "h2"
        chosen.close()


def test_an_event_and_a_token_go_through_by_http_2(bus: Bus, proxy: Proxy) -> None:
    """Also without a Content-Length, which HTTP/2 does not need: towards the gateway in chunks."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not here")
    uji = bus.actor("uji")
    user = ("-u", f"{uji.id}:{uji.secret}")
    assert curl(proxy, "/oauth/token", *user, body="grant_type=client_credentials") == "HTTP/2 200"
    headers = {**uji.headers, **STRUCTURED}
    fields = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    for more in ((), ("-H", "content-length:")):
        event = json.dumps(a_document())
        assert curl(proxy, "/v1/events", *fields, *more, body=event) == "HTTP/2 202"
    assert curl(proxy, "/v1/events", *fields, body="x" * 5_000_000) == "HTTP/2 413"
    large = curl(proxy, "/health/live", "-H", f"x: {'y' * 20_000}")
    assert large in ("", "HTTP/2 431")  # nginx 1.22 ends the connection


def curl(proxy: Proxy, path: str, *more: str, body: str = "") -> str:
    """The version and the status of an answer to curl."""
    place = f"{NAME}:{proxy.port}"
    trust = ("--cacert", str(proxy.authority), "--resolve", f"{place}:127.0.0.1")
    sent = ("--data-binary", "@-") if body else ()
    done = subprocess.run(
        ("curl", "-s", "--http2", "-i", *trust, *more, *sent, f"https://{place}{path}"),
        input=body,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.partition("\n")[0].strip()


def test_without_tls_nothing_is_served(proxy: Proxy) -> None:
    with Wire(proxy.port) as wire:
        reply = wire.send(LIVE).reply()
    assert (reply.status, json.loads(reply.body)["detail"]) == (400, "Use https.")


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (LIVE[:-2] + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (LIVE[:-2] + b"X: y\r\n" * 12_000 + b"\r\n", 431, "headers-too-large"),
        (request("GET", "/" + "x" * 20_000, host=NAME), 414, "url-too-long"),
        (request("GET", "/" + "x" * 9_000, host=NAME), 414, "url-too-long"),
        (request("POST", "/v1/events", host=NAME, content_length="5000000"), 413, "too-large"),
        (LIVE[:-2] + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed"),
        (LIVE[:-2] + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed"),
        (LIVE.replace(NAME.encode(), b"a b"), 400, "malformed"),
        (b"NONSENSE\r\n\r\n", 400, "malformed"),
        (b"GET nonsense HTTP/1.1\r\n\r\n", 400, "malformed"),
        (request("GET", "/-/large", host=NAME), 404, None),
        (request("GET", "/metrics", host=NAME), 404, "not-found"),
        (request("GET", "/v1/events", host=NAME), 401, "not-authenticated"),
        (LIVE, 200, None),
    ],
)
def test_every_answer_is_a_problem_with_the_same_headers(
    proxy: Proxy, data: bytes, status: int, reason: str | None
) -> None:
    with proxy.connect() as wire:
        wire.send(data)
        head = wire._until(b"\r\n\r\n").decode().lower()
    assert head.split()[1] == str(status)
    assert head.count("strict-transport-security:") == 1
    assert f"strict-transport-security: {HSTS}".lower() in head
    assert "x-content-type-options: nosniff" in head
    assert "cache-control: no-store" in head
    assert "server: nginx\r\n" in head + "\r\n"  # no version
    if reason is not None:
        assert "content-type: application/problem+json" in head
        reply = answer(proxy, data)
        assert json.loads(reply.body)["type"].endswith(f"/{reason}")


def test_a_slow_head_is_closed_and_others_are_served(proxy: Proxy) -> None:
    slow = [proxy.connect(source="127.0.0.8").send(LIVE[:-2] + b"X: ") for _ in range(50)]
    assert answer(proxy, LIVE).status == 200
    for wire in slow:
        answered = b""
        with contextlib.suppress(ConnectionResetError):  # how nginx 1.26 closes it
            answered = wire.socket.recv(1 << 16)
        assert answered[9:12] in (b"", b"408")
        wire.close()


def test_a_slow_body_is_ended_by_the_gateway(bus: Bus, proxy: Proxy) -> None:
    """It goes through at once, so the gateway sees that it is slow."""
    headers = {**bus.actor("uji").headers, **STRUCTURED, "content-length": "60000", "host": NAME}
    with proxy.connect() as wire:
        wire.send(request("POST", "/v1/events", b"", **headers) + b"{")
        reply = wire.reply()
    assert (reply.status, json.loads(reply.body)["type"].rpartition("/")[2]) == (408, "too-slow")


def test_a_body_of_nobody_is_not_waited_for(proxy: Proxy) -> None:
    head = request("POST", "/v1/contracts", b"", host=NAME, content_length="60000")
    with proxy.connect() as wire:
        assert wire.send(head).reply().status == 401


def test_an_event_goes_through_and_its_stream_is_not_held_back(bus: Bus, proxy: Proxy) -> None:
    uji = bus.actor("uji")
    path = a_stream(uji)
    headers = {**uji.headers, "host": NAME}
    url = f"https://127.0.0.1:{proxy.port}"
    with (
        httpx.Client(base_url=url, verify=proxy.context(), headers=headers, timeout=10) as client,
        client.stream("GET", path, extensions={"sni_hostname": NAME}) as stream,
    ):
        found = events(stream.iter_lines())
        for _ in range(3):
            event = a_document()
            body = json.dumps(event).encode()
            sent = request("POST", "/v1/events", body, **headers, **STRUCTURED)
            assert answer(proxy, sent).status == 202
            assert next(found)["event"]["id"] == event["id"]


def test_an_offered_upgrade_goes_no_further(bus: Bus, proxy: Proxy) -> None:
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMA"}
    headers = {**bus.actor("uji").headers, **STRUCTURED, **offer, "host": NAME}
    sent = request("POST", "/v1/events", json.dumps(a_document()).encode(), **headers)
    assert answer(proxy, sent).status == 202


def test_nobody_names_a_certificate_through_it(bus: Bus, proxy: Proxy) -> None:
    """The gateway would answer 400 to what is no certificate, if it saw the header."""
    said = request("GET", "/health/live", host=NAME, client_cert=":x:")
    assert answer(proxy, said).status == 200
    with Wire(bus.port) as wire:
        assert wire.send(said).reply().status == 400


@pytest.mark.parametrize("claimed", ["203.0.113.9", "127.0.0.1", "127.0.0.1, 203.0.113.9"])
def test_the_gateway_learns_the_address_of_the_client(bus: Bus, proxy: Proxy, claimed: str) -> None:
    said = {"x_forwarded_for": claimed, "forwarded": f"for={claimed}", "host": NAME}
    form = {"content_type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials&client_id=nobody&client_secret=x"
    reply = answer(proxy, request("POST", "/oauth/token", body, **form, **said), "127.0.0.77")
    assert reply.status == 401
    assert _last_address(bus) == "127.0.0.77"
    with Wire(bus.port, source="127.0.0.78") as wire:  # not by the proxy: what it says is nothing
        assert (
            wire.send(request("POST", "/oauth/token", body, **form, **said)).reply().status == 401
        )
    assert _last_address(bus) == "127.0.0.78"


def _last_address(bus: Bus) -> str:
    def found() -> list[str]:
        return [line for line in bus.logs().splitlines() if '"token.refused"' in line]

    eventually(found)
    return str(json.loads(found()[-1])["address"])


def test_many_requests_of_one_address_are_refused_for_it_alone(proxy: Proxy) -> None:
    wrong = request("POST", "/oauth/token", b"", host=NAME)
    with proxy.connect(source="127.0.0.79") as wire:
        statuses = [wire.send(wrong).reply().status for _ in range(300)]
    assert 429 in statuses
    assert answer(proxy, wrong, "127.0.0.80").status != 429


def test_nothing_personal_is_written_to_disk(bus: Bus, proxy: Proxy) -> None:
    headers = {**bus.actor("uji").headers, "host": NAME, "referer": f"https://x/{NIK}"}
    body = json.dumps(a_document(data={"nik": NIK, "lama": "x" * 900_000})).encode()
    assert answer(proxy, request("POST", "/v1/events", body, **headers, **STRUCTURED)).status == 202
    for query in (f"?id={NIK}&source=/uji", f"?id={NIK}" + "x" * 20_000):
        answer(proxy, request("GET", f"/v1/events{query}", b"", **headers))
    eventually(lambda: '"status":414' in proxy.logs)
    written = [path.read_bytes() for path in proxy.folder.rglob("*") if path.is_file()]
    assert not any(NIK.encode() in each for each in written)


def test_a_gateway_that_is_away_is_a_problem_with_a_time(
    bus: Bus, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = nginx()
    if program is None:
        pytest.skip("nginx is not here and cannot be fetched")
    with Wire(bus.port) as taken:  # a port at which nobody listens
        nobody = taken.socket.getsockname()[1]
        with Proxy(program, tmp_path_factory.mktemp("alone"), nobody, **SHORT) as proxy:
            reply = answer(proxy, LIVE)
    assert (reply.status, reply.headers["retry-after"]) == (503, "2")
    assert "same event id" in json.loads(reply.body)["detail"]
