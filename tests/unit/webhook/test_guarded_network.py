"""Connecting: every address is checked, and only a checked one is connected to."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest

from gateway.delivery.webhook.addresses import (
    Address,
    AddressPolicy,
    AddressProhibited,
    networks_of,
)
from gateway.delivery.webhook.guarded_network import GuardedBackend


class Dialled:
    """A backend that remembers where it was to connect, after a name service with these answers."""

    def __init__(
        self, *answers: Iterable[str] | Exception, policy: AddressPolicy | None = None
    ) -> None:
        self.answers = list(answers)
        self.connected: list[str] = []
        self.refusing: set[str] = set()
        self.guarded = GuardedBackend(policy or AddressPolicy(), secure=True, resolve=self.resolve)
        self.guarded._backend = self  # type: ignore[assignment]  # what would open sockets

    async def resolve(self, host: str) -> list[Address]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [ip_address(each) for each in answer]

    async def connect_tcp(self, host: str, port: int, **_: Any) -> str:
        self.connected.append(host)
        if host in self.refusing:
            raise httpcore.ConnectError("refused")
        return host


async def test_connects_to_the_address_that_was_checked_and_not_to_the_name() -> None:
    dialled = Dialled(["1.1.1.1", "2606:4700::1111"])
    await dialled.guarded.connect_tcp("contoh.example", 443)
    assert dialled.connected == ["1.1.1.1"]


async def test_the_next_address_where_the_first_does_not_answer() -> None:
    dialled = Dialled(["1.1.1.1", "8.8.8.8"])
    dialled.refusing = {"1.1.1.1"}
    await dialled.guarded.connect_tcp("contoh.example", 443)
    assert dialled.connected == ["1.1.1.1", "8.8.8.8"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"])
async def test_one_bad_address_among_good_ones_is_enough(bad: str) -> None:
    dialled = Dialled(["8.8.8.8", bad])
    with pytest.raises(AddressProhibited):
        await dialled.guarded.connect_tcp("contoh.example", 443)
    assert dialled.connected == []


async def test_a_name_that_changes_is_checked_for_each_connection() -> None:
    dialled = Dialled(["8.8.8.8"], ["127.0.0.1"])
    await dialled.guarded.connect_tcp("ganti.example", 443)
    with pytest.raises(AddressProhibited):
        await dialled.guarded.connect_tcp("ganti.example", 443)
    assert dialled.connected == ["8.8.8.8"]


async def test_a_look_up_that_says_something_else_later_is_not_asked_again() -> None:
    dialled = Dialled(["8.8.8.8"], ["127.0.0.1"])
    await dialled.guarded.connect_tcp("ganti.example", 443)
    assert (dialled.connected, len(dialled.answers)) == (["8.8.8.8"], 1)


@pytest.mark.parametrize(
    "failure",
    [
        OSError("no such name"),
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        TimeoutError(),
        UnicodeError("label too long"),
    ],
)
async def test_a_name_service_that_fails_connects_nowhere(failure: Exception) -> None:
    dialled = Dialled(failure)
    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        await dialled.guarded.connect_tcp("contoh.example", 443)
    assert dialled.connected == []


async def test_a_name_without_addresses_connects_nowhere() -> None:
    with pytest.raises(httpcore.ConnectError):
        await Dialled([]).guarded.connect_tcp("contoh.example", 443)


async def test_never_a_unix_socket() -> None:
    with pytest.raises(AddressProhibited):
        await Dialled().guarded.connect_unix_socket("/run/docker.sock")


async def test_an_approved_network_excuses_no_other_address() -> None:
    policy = AddressPolicy(networks_of("10.1.0.0/16"))
    for other in ("10.2.0.1", "169.254.169.254", "127.0.0.1", "::ffff:10.1.2.3"):
        dialled = Dialled(["10.1.2.3", other], policy=policy)
        with pytest.raises(AddressProhibited):
            await dialled.guarded.connect_tcp("dalam.example", 443)
        assert dialled.connected == []


async def test_approved_networks_are_reached() -> None:
    dialled = Dialled(["10.1.2.3"], policy=AddressPolicy(networks_of("10.0.0.0/8")))
    await dialled.guarded.connect_tcp("dalam.example", 9443)
    assert dialled.connected == ["10.1.2.3"]
