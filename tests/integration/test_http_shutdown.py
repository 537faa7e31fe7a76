"""SIGTERM: what a client has sent is answered, and the last answer says that it is the last."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.processes.http_protocol import DRAIN
from gateway.processes.server import Server, server_config
from tests.builders import a_document
from tests.bus import STRUCTURED, Bus, MakeBus
from tests.integration.identity_api import settings_for
from tests.waiting import eventually
from tests.wire import Wire, request

LIVE = request("GET", "/health/live")
CLIENTS = 40


@pytest.fixture
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        yield bus.run("api")


def stop(bus: Bus) -> threading.Thread:
    """Send SIGTERM; joined once the process has ended."""
    thread = threading.Thread(target=bus.processes[0].stop)
    thread.start()
    return thread


def test_every_request_that_was_sent_is_answered(bus: Bus) -> None:
    headers = {**bus.actor("uji").headers, **STRUCTURED}
    answered = [0] * CLIENTS

    def publish(number: int) -> list[int]:
        """Publish until an answer says that it is the last: no connection ends before."""
        statuses, began = list[int](), time.monotonic()
        with Wire(bus.port) as wire:
            while True:
                body = json.dumps(a_document()).encode()
                idle = time.monotonic() - began
                try:
                    reply = wire.send(request("POST", "/v1/events", body, **headers)).reply()
                except OSError:
                    assert idle > DRAIN / 2, "only a connection that was idle may be closed"
                    return statuses
                began = time.monotonic()
                statuses.append(reply.status)
                answered[number] += 1
                if reply.closes:
                    assert wire.ended()
                    return statuses

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(publish, number) for number in range(CLIENTS)]
        eventually(lambda: min(answered) > 3)
        stop(bus).join()
        statuses = {status for client in clients for status in client.result()}
    assert statuses == {202}


def test_a_body_under_way_is_waited_for(bus: Bus) -> None:
    headers = {**bus.actor("uji").headers, **STRUCTURED}
    body = json.dumps(a_document()).encode()
    with Wire(bus.port) as wire, Wire(bus.port) as idle:
        wire.send(request("POST", "/v1/events", body, **headers)[:-5])
        assert idle.send(LIVE).reply().status == 200
        stopped = stop(bus)
        assert idle.ended()
        reply = wire.send(body[-5:]).reply()
        assert (reply.status, reply.closes) == (202, True)
        assert wire.ended()
        stopped.join()


def test_requests_that_wait_on_a_connection_are_answered(bus: Bus) -> None:
    with Wire(bus.port) as wire:
        wire.send(LIVE * 10)
        stopped = stop(bus)
        replies = [wire.reply() for _ in range(10)]
        assert {reply.status for reply in replies} == {200}
        stopped.join()


async def test_who_has_connected_is_served() -> None:
    """Those whom the loop has not seen when the process stops to listen: none is reset."""

    async def answer_nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    everybody: Any = SimpleNamespace(shed=lambda _: None)
    server = Server(server_config(answer_nothing, settings_for("postgresql://unused"), everybody))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.setblocking(False)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    port = listening.getsockname()[1]
    # The kernel connects them; the loop of this test has no turn in between.
    clients = [Wire(port).send(LIVE) for _ in range(20)]
    await server.shutdown([listening])
    assert [client.reply().status for client in clients] == [204] * len(clients)
    for client in clients:
        client.close()
