"""Sends an attack (`bench.attacks`) for so long, in a process of its own, and counts the answers.

It comes from another loopback address than the clients that are measured.
"""

import asyncio
import base64
import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import uvloop

from deploy.local.ports import LOOPBACK

ADDRESS = "127.0.0.9"
PATIENCE = 10.0  # seconds in which a request must be answered
AGAIN = 5.0  # seconds until a held connection that was closed is opened again
TOGETHER = 100  # requests of a rate that wait for their answers


class Attacker:
    """One attack."""

    def __init__(self, question: Mapping[str, Any]) -> None:
        self.counts: Counter[str] = Counter()
        self._port, self._seconds = question["port"], question["seconds"]
        self._requests = [base64.b64decode(each) for each in question["requests"]]
        self._chunk = base64.b64decode(question["chunk"])
        self._rate, self._times, self._held = (question[n] for n in ("rate", "times", "held"))
        self._sent = 0

    async def run(self) -> None:
        """Until its time is over; what is open then is closed."""
        async with asyncio.TaskGroup() as group:
            if self._held:
                tasks = [group.create_task(self._hold()) for _ in range(self._held)]
                await asyncio.sleep(self._seconds)
            else:
                tasks = await self._at_the_rate(group)
            for task in tasks:
                task.cancel()

    async def _at_the_rate(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        places = asyncio.Semaphore(TOGETHER)

        async def one() -> None:
            async with places:
                await self._once()

        loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[None]]()
        began = loop.time()
        for number in range(int(self._rate * self._seconds)):
            await asyncio.sleep(max(0.0, began + number / self._rate - loop.time()))
            tasks.append(group.create_task(one()))
        await asyncio.wait(tasks, timeout=PATIENCE)
        return tasks

    async def _once(self) -> None:
        """One request on a connection of its own."""
        async with asyncio.timeout(PATIENCE):
            try:
                reader, writer = await self._connect()
            except OSError:
                self.counts["refused"] += 1
                return
            try:
                for _ in range(self._times):
                    writer.write(self._chunk)
                    await writer.drain()
                await self._answer(reader)
            except OSError:
                self.counts["closed"] += 1
            finally:
                writer.close()

    async def _hold(self) -> None:
        """A connection that stays; again and again when it is closed."""
        while True:
            try:
                reader, writer = await self._connect()
                answer = asyncio.create_task(self._answer(reader))
                try:
                    while not answer.done():
                        writer.write(self._chunk)
                        await asyncio.wait({answer}, timeout=1)
                finally:
                    answer.cancel()
                    writer.close()
            except OSError:
                self.counts["refused"] += 1
            await asyncio.sleep(AGAIN)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            LOOPBACK, self._port, local_addr=(ADDRESS, 0)
        )
        writer.write(self._requests[self._sent % len(self._requests)])
        self._sent += 1
        return reader, writer

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        try:
            line = await reader.readline()
        except OSError:
            line = b""
        self.counts[line[9:12].decode() or "closed"] += 1


async def attack(question: Mapping[str, Any]) -> dict[str, int]:
    """What came back, by status; `closed` without one, `refused` not even connected."""
    attacker = Attacker(question)
    await attacker.run()
    return dict(attacker.counts)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(attack(json.load(sys.stdin))), sys.stdout)
