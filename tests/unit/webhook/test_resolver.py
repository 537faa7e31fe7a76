"""A name server that hangs costs its own organisation, and a look-up that fails costs nothing."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from gateway.delivery.webhook import resolver
from gateway.delivery.webhook.addresses import Address
from gateway.delivery.webhook.resolver import SHARE, THREADS, Resolver

HERE = ip_address("192.0.2.1")


class NameServer:
    """Hangs for names that begin with `hang`, until `release`."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._released = threading.Event()

    def look_up(self, host: str) -> list[Address]:
        self.asked[host] += 1
        if host.startswith("hang"):
            self._released.wait()
        if host.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [HERE]

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.release()


async def test_a_name_server_that_hangs_costs_its_own_organisation(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "RESOLVE", 60)  # a slow machine must not end the look-ups
    found = Resolver(server.look_up)
    hanging = [
        asyncio.create_task(found.of(f"org-{number % 10}")(f"hang-{number}.example"))
        for number in range(10 * THREADS)
    ]
    assert await found.of("lain")("contoh.example") == [HERE]
    assert sum(server.asked.values()) == 10 * SHARE + 1
    server.release()
    assert await asyncio.gather(*hanging) == [[HERE]] * len(hanging)


async def test_a_look_up_ends_in_time_and_keeps_its_thread_until_it_is_free(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "RESOLVE", 0.01)
    found = Resolver(server.look_up)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await found.of("uji")("hang.example")
    assert server.asked == {"hang.example": 1}
    monkeypatch.undo()
    server.release()
    assert await found.of("uji")("hang.example") == [HERE]


async def test_a_name_without_address_is_asked_again(server: NameServer) -> None:
    found = Resolver(server.look_up)
    for _ in range(3):
        with pytest.raises(OSError, match="no such name"):
            await found.of("uji")("none.example")
    assert server.asked["none.example"] == 3
