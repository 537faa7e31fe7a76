"""Two publishers to compare the relay with, in a process of their own.

`limit`: frames prepared beforehand and blasted over one socket, `in_flight` at a time, which is
what the broker itself can take. `aio-pika`: `Exchange.publish` with confirms, many in flight. Both
send one and the same message, as the relay made it, to a queue of the same kind.
"""

import asyncio
import base64
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from struct import Struct
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
import uvloop
from aio_pika.abc import AbstractExchange
from pamqp import body, commands, frame, header
from pamqp.frame import FrameTypes

LIMIT_WRITE = 100  # messages in one write
IN_FLIGHT = 500
TIMEOUT = 120.0
_confirms = Struct(">BHIHHQBB").iter_unpack  # head, class, method, tag, bits, end
_CONFIRM = 21
_ACK = 80


def blast(question: Mapping[str, Any]) -> float:
    """Seconds until `count` prepared messages are confirmed."""
    link = _Link(question["url"])
    one = _frames(question["message"], question["exchange"], question["key"])
    count, most, sent, rest = question["count"], question["in_flight"], 0, b""
    low, early = 0, set[int]()  # all up to `low` are confirmed, and those in `early`
    began = time.monotonic()
    while low < count:
        while sent < count and sent - low - len(early) <= most - LIMIT_WRITE:
            piece = min(LIMIT_WRITE, count - sent)
            link.socket.sendall(one * piece)
            sent += piece
        rest += link.socket.recv(1 << 20)
        whole = len(rest) // _CONFIRM * _CONFIRM
        for *_, method, tag, bits, _end in _confirms(rest[:whole]):
            if method != _ACK:
                raise SystemExit(f"the broker answered {method} to publish {tag}")
            if bits & 1:
                low = max(low, tag)
                early = {each for each in early if each > low}
            else:
                early.add(tag)
            while low + 1 in early:
                low += 1
                early.discard(low)
        rest = rest[whole:]
    return time.monotonic() - began


class _Link:
    """A connection with one confirming channel, over a plain socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        login = f"\0{unquote(parts.username or '')}\0{unquote(parts.password or '')}"
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self._next()
        self._send(commands.Connection.StartOk({}, "PLAIN", login, "en_US"), 0)
        tune = self._next()
        assert isinstance(tune, commands.Connection.Tune)
        self._send(commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0), 0)
        for method, channel in (
            (commands.Connection.Open(unquote(parts.path[1:]) or "/"), 0),
            (commands.Channel.Open(), 1),
            (commands.Confirm.Select(), 1),
        ):
            self._send(method, channel)
            self._next()

    def _send(self, value: FrameTypes, channel: int) -> None:
        self.socket.sendall(frame.marshal(value, channel))

    def _next(self) -> FrameTypes:
        while len(self._rest) < 7 or len(self._rest) < 8 + int.from_bytes(self._rest[3:7]):
            self._rest += self.socket.recv(1 << 16)
        size, _, value = frame.unmarshal(self._rest)
        self._rest = self._rest[size:]
        return value


def _frames(message: Mapping[str, Any], exchange: str, key: str) -> bytes:
    content = base64.b64decode(message["body"])
    properties = commands.Basic.Properties(
        content_type=message["content_type"],
        headers=message["headers"],
        delivery_mode=2,
        message_id=message["message_id"],
    )
    return b"".join(
        frame.marshal(value, 1)
        for value in (
            commands.Basic.Publish(0, exchange, key, True, False),
            header.ContentHeader(0, len(content), properties),
            body.ContentBody(content),
        )
    )


async def publish_by_aio_pika(question: Mapping[str, Any]) -> float:
    """Seconds until `count` messages are confirmed, IN_FLIGHT at a time."""
    message = question["message"]
    content = base64.b64decode(message["body"])
    left = iter(range(question["count"]))

    async def work(exchange: AbstractExchange) -> None:
        for _ in left:
            await exchange.publish(
                aio_pika.Message(
                    content,
                    content_type=message["content_type"],
                    headers=dict(message["headers"]),
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    message_id=message["message_id"],
                ),
                question["key"],
            )

    async with await aio_pika.connect(question["url"]) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(question["exchange"])
        began = time.monotonic()
        async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(work(exchange))
        return time.monotonic() - began


def main() -> None:
    """Read what to send as JSON from standard input, write the seconds to standard output."""
    question = json.load(sys.stdin)
    cpu = sum(os.times()[:2])
    if question["way"] == "limit":
        seconds = blast(question)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seconds = runner.run(publish_by_aio_pika(question))
    json.dump({"seconds": seconds, "cpu": sum(os.times()[:2]) - cpu}, sys.stdout)


if __name__ == "__main__":
    main()
