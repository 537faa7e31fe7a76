"""Faults of the grpc process, under streams in both directions."""

import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

import asyncpg

from tests.faults.actors import Actors
from tests.faults.cluster import Cluster
from tests.faults.fault import Choices, NoEvidence

_APPENDS = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND client_port = ANY ($1)"
_COUNT = f"SELECT count(*) {_APPENDS}"
_END = f"SELECT count(pg_terminate_backend(pid)) {_APPENDS}"
_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND client_port = ANY ($1)"


async def kill_grpc(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL in the middle of streams, twice: a chunk is committed after it, and another never.

    Each time an append waits for its locks when the process dies.
    """
    before = len(cluster.run_log.resumptions)
    await _kill_at_append(cluster, commit=True)
    await cluster.until(partial(_resumed, cluster, actors, before), "no stream went on")
    passed = sum(len(each.unanswered) for each in cluster.run_log.resumptions[before:])
    if not passed:
        raise NoEvidence("no stream went on after a chunk that had no answer")
    before = len(cluster.run_log.resumptions)
    lost = await _kill_at_append(cluster, commit=False)
    await cluster.until(partial(_resumed, cluster, actors, before), "no stream went on again")
    return (
        f"streams went on after {passed} events without an answer; {lost} appends were lost with "
        "their process, and sent again"
    )


async def drain_grpc(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGTERM while another process takes over: every stream hears of it, and goes on there."""
    heard = cluster.run_log.drained
    await cluster.until(partial(_connected, actors), "not everybody was connected")
    before = heard.copy()
    ended = await cluster.grpc.replace()
    if ended or len(heard - before) < 2:
        raise NoEvidence(f"it ended with {ended}, and said so to {heard - before}")
    return f"told that the process ends: {dict(heard - before)}"


async def _kill_at_append(cluster: Cluster, *, commit: bool) -> int:
    """Kill it while appends wait; they are committed all the same, or not. How many there were."""
    child, database = cluster.grpc, cluster.servers.postgres
    async with cluster.without_commits():
        ports = child.connections_to(database.port)
        await cluster.until(
            partial(_some, database.superuser_url, _COUNT, ports), "no chunk was under way"
        )
        count = int(await _ask(database.superuser_url, _COUNT, ports))
        await child.kill()
        if not commit:  # the database notices at once that the process is gone
            await _ask(database.superuser_url, _END, ports)
    ended = child.exit_code
    await cluster.until(
        partial(_none, database.superuser_url, _AT_WORK, ports), "an append did not end"
    )
    await child.start()
    if ended != -signal.SIGKILL:
        raise NoEvidence(f"it ended with {ended}")
    return count


async def _some(url: str, statement: str, ports: Sequence[int]) -> bool:
    return bool(await _ask(url, statement, ports))


async def _none(url: str, statement: str, ports: Sequence[int]) -> bool:
    return not await _ask(url, statement, ports)


async def _ask(url: str, statement: str, ports: Sequence[int]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, ports)
    finally:
        await connection.close()


def _resumed(cluster: Cluster, actors: Actors, before: int) -> bool:
    resumptions = cluster.run_log.resumptions[before:]
    streams = {each.stream for each in resumptions if each.sent}
    return len(streams) == len(actors.chunk_publishers)


def _connected(actors: Actors) -> bool:
    receivers = all(each.connected for each in actors.grpc_receivers.values())
    return receivers and all(each.connected for each in actors.chunk_publishers)
