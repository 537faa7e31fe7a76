"""The part `killed`: very many events in one gRPC stream, whose process is killed meanwhile."""

import asyncio
from typing import Any

from bench.children import Service, answer_of
from bench.costs import resident
from bench.failure import BenchFailure
from bench.results import Results, Value
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from deploy.local.ports import LOOPBACK

DATABASE = "killed"
CHUNK = 500  # events
KILLS = 3
LOOK = 0.2  # seconds
MIB = 1 << 20
_STORED = "SELECT count(*), count(DISTINCT (source, id)) FROM journal_entries"


async def kill(servers: Servers, scale: Scale, results: Results) -> None:
    """Kill the process three times; fails unless every event is stored once, and relayed."""
    await servers.clone(DATABASE)
    try:
        async with Site(servers, DATABASE, (), grpc=True) as site:
            results.values += await _Run(servers, site, scale.memory_events).carry_out()
    finally:
        await servers.drop(DATABASE)


class _Run:
    """One stream. Its queue is emptied as it fills: the broker's disk is not measured here."""

    def __init__(self, servers: Servers, site: Site, events: int) -> None:
        self._servers, self._site, self._events = servers, site, events
        self._memory, self._arrived, self._killed = 0, 0, 0

    async def carry_out(self) -> list[Value]:
        """Publish, kill, count."""
        question = {
            "address": f"{LOOPBACK}:{self._site.grpc_port}",
            "token": self._servers.token,
            "chunk": CHUNK,
            "events": self._events,
        }
        publishing = asyncio.create_task(answer_of("bench.resuming_client", question))
        while not publishing.done():
            await self._look()
            await asyncio.wait({publishing}, timeout=LOOK)
        outcome = await publishing
        confirmed = await self._site.settled()
        await self._look()
        if self._killed < KILLS:
            raise BenchFailure(f"the process was killed {self._killed} times, {KILLS} were meant")
        await self._require_stored_once()
        return self._values(outcome, confirmed)

    async def _look(self) -> None:
        """Kill the process when it is due; note its memory, and what has reached the queue."""
        process = self._site.grpc
        assert process is not None
        stored, _ = await self._site.places()
        if self._killed < KILLS and stored >= self._events * (self._killed + 1) // (KILLS + 1):
            self._killed += 1
            await self._replace(process, stored)
        if process.pid is not None:
            self._memory = max(self._memory, resident(process.pid))
        self._arrived += await self._servers.queues.empty(self._servers.queue)

    async def _replace(self, process: Service, stored: int) -> None:
        say(f"killed at {stored:,} events, with {resident(process.pid or 0) / MIB:.0f} MiB")
        await process.kill()
        await process.start()

    async def _require_stored_once(self) -> None:
        connection = await self._servers.connect(DATABASE)
        try:
            (row,) = await connection.fetch(_STORED)
        finally:
            await connection.close()
        found = {"entries": row[0], "events": row[1], "messages": self._arrived}
        if set(found.values()) != {self._events}:
            raise BenchFailure(f"{self._events} events were sent, and there are {found}")

    def _values(self, outcome: dict[str, Any], confirmed: float) -> list[Value]:
        rate = self._events / (confirmed - outcome["began"])
        unanswered = self._events // CHUNK - outcome["answered"]
        detail = (
            f"{self._events:,} events to the last confirm, killed {self._killed} times, "
            f"{outcome['calls']} calls; every event is stored once, and reached the queue once"
        )
        again = f"and {outcome['duplicates']} events were sent again that were stored"
        return [
            Value("killed_rate", rate, "events/s", detail),
            Value("killed_unanswered", unanswered, "chunks", f"stored without an answer, {again}"),
            Value("killed_memory", self._memory / MIB, "MiB", "most RSS of the grpc process"),
        ]
