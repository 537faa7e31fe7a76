"""All receivers of a bench, in one process: endpoints, pull, streams and AMQP consumers.

`python -m bench.receiver_process PORT` listens there. Endpoints are `/take/NAME` (204 at once),
`/fail/NAME` (500), `/later/NAME` (503 with an odd time) and `/hang/NAME` (no answer). `POST
/follow` begins a receiver, `POST /leave` ends one, and `POST /received` returns what has come since
the last time: {name: [[id, time], ...]}.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import aio_pika
import msgspec
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from bench.failure import BenchFailure
from deploy.local.ports import LOOPBACK

PREFETCH = 100
MOST = 100  # events of one pull
WAIT = 20  # seconds that a pull waits
_END = b"\r\n\r\n"
_BUSY, _DONE = b"HTTP/1.1 500 Failing\r\n", b"HTTP/1.1 204 Taken\r\n"
_AGREED = b"HTTP/1.1 200 OK\r\nwebhook-allowed-origin: *\r\n"
_LATER = b"HTTP/1.1 503 Later\r\nretry-after: Wed, 21 Oct 99999999999999999999 07:28:00 GMT\r\n"
_NOTHING = b"content-length: 0\r\n\r\n"


class _Event(msgspec.Struct):
    id: str


class _Pulled(msgspec.Struct):
    token: str
    event: _Event


class _Pull(msgspec.Struct):
    events: list[_Pulled]


_event = msgspec.json.Decoder(_Event).decode
_pulled = msgspec.json.Decoder(_Pull).decode


class ReceivedEvents:
    """What has come, by subscription."""

    def __init__(self) -> None:
        self._all: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)

    def note(self, name: str, *ids: str) -> None:
        """These are in the receiver's hands."""
        now = time.time()
        self._all[name] += [(id, now) for id in ids]

    def take(self) -> Mapping[str, list[tuple[str, float]]]:
        """All of it, and forget it."""
        found, self._all = self._all, defaultdict(list)
        return found


class Connection:
    """One HTTP connection to the gateway, for one request at a time."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = f"Host: {LOOPBACK}:{port}\r\nAuthorization: Bearer {token}\r\n"
        self.reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        """Connect."""
        self.reader, self._writer = await asyncio.open_connection(LOOPBACK, self._port)

    async def ask(self, method: str, path: str, body: object = None) -> dict[bytes, bytes]:
        """Send a request and read the head of its answer, which must be 200."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        self._writer.write(
            b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(content), content)
        )
        first, fields = _head(await self.reader.readuntil(_END))
        if not first.startswith(b"HTTP/1.1 200"):
            raise BenchFailure(f"{path}: {first!r} {await self.reader.read(500)!r}")
        return fields

    async def post(self, path: str, body: object) -> bytes:
        """The content of an answer."""
        fields = await self.ask("POST", path, body)
        return await self.reader.readexactly(int(fields[b"content-length"]))


async def pull(
    received: ReceivedEvents, name: str, port: int, token: str, *, settles: bool
) -> None:
    """Receive and acknowledge; or receive, and keep the locks."""
    connection = Connection(port, token)
    await connection.open()
    path = f"/v1/subscriptions/{name}"
    while True:
        content = await connection.post(f"{path}/receive", {"max": MOST, "wait": WAIT})
        events = _pulled(content).events
        received.note(name, *(each.event.id for each in events))
        if events and settles:
            tokens = [each.token for each in events]
            await connection.post(f"{path}/acknowledge", {"tokens": tokens})


async def stream(received: ReceivedEvents, name: str, port: int, token: str) -> None:
    """Read server-sent events. A frame is one chunk, so no line of data is cut."""
    connection = Connection(port, token)
    await connection.open()
    await connection.ask("GET", f"/v1/subscriptions/{name}/stream")
    while line := await connection.reader.readline():
        if line.startswith(b"data: "):
            received.note(name, _event(line[6:]).id)


async def consume(
    received: ReceivedEvents, name: str, url: str, queue: str, *, settles: bool
) -> None:
    """Read a queue and acknowledge; or take as much as is prefetched, and keep it."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)

        async def take(message: AbstractIncomingMessage) -> None:
            received.note(name, _event(message.body).id)
            if settles:
                await message.ack()

        await (await channel.get_queue(queue, ensure=False)).consume(take)
        await asyncio.Future()


class ReceiverTasks:
    """Who receives now. One that fails ends the process."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.received = ReceivedEvents()
        self._group = group
        self._tasks: defaultdict[str, list[asyncio.Task[None]]] = defaultdict(list)

    def follow(self, name: str, delivery: str, settles: bool, **where: Any) -> None:
        """Begin to receive."""
        if delivery == "pull":
            work = pull(self.received, name, settles=settles, **where)
        elif delivery == "stream":
            work = stream(self.received, name, **where)
        else:
            work = consume(self.received, name, settles=settles, **where)
        self._tasks[name] += [self._group.create_task(work)]

    async def leave(self, name: str) -> None:
        """End those of a subscription."""
        tasks = self._tasks.pop(name)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to us."""
        try:
            while True:
                first, fields = _head(await reader.readuntil(_END))
                content = await reader.readexactly(int(fields.get(b"content-length", 0)))
                method, path, _ = first.decode().split(" ")
                writer.write(await self._answer(method, path, content))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, method: str, path: str, content: bytes) -> bytes:
        what, _, name = path.removeprefix("/").partition("/")
        if method == "OPTIONS":
            return _AGREED + _NOTHING
        match what:
            case "take":
                self.received.note(name, _event(content).id)
                return _DONE + _NOTHING
            case "fail":
                return _BUSY + _NOTHING
            case "later":
                return _LATER + _NOTHING
            case "hang":
                await asyncio.Future()
            case "follow":
                self.follow(**json.loads(content))
            case "leave":
                await self.leave(**json.loads(content))
        found = msgspec.json.encode(self.received.take() if what == "received" else {})
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(found), found)


def _head(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The first line, and the fields by lower-case name."""
    first, *lines = text[: -len(_END)].split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return first, {name.lower(): value.strip() for name, _, value in pairs}


async def main(port: int) -> None:
    """Serve until killed."""
    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(
            ReceiverTasks(group).serve, LOOPBACK, port, limit=1 << 20
        )
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
