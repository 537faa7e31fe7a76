"""Connects to the first host of a cluster that answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection

from gateway.base.errors import BrokerUnavailable
from gateway.base.hosts import each_host
from gateway.broker.errors import OUTAGES

PER_HOST = 3.0  # seconds until the next host is tried; the last one has the caller's time
C = TypeVar("C")
_NEXT: tuple[type[BaseException], ...] = (*OUTAGES, BrokerUnavailable)


async def first_host(url: str, connect: Callable[[str], Awaitable[C]]) -> C:
    """What `connect` returns for the first host in the order of the URL. Raises what the last does.

    A host that refuses us is treated like one that does not answer.
    """
    *others, last = each_host(url)
    for each in others:
        try:
            async with asyncio.timeout(PER_HOST):
                return await connect(each)
        except _NEXT:
            continue
    return await connect(last)


async def open_connection(url: str, name: str) -> AbstractConnection:
    """A connection to the broker. `name` is shown to operators."""

    async def connect(host: str) -> AbstractConnection:
        return await aio_pika.connect(host, client_properties={"connection_name": name})

    return await first_host(url, connect)
