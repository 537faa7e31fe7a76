"""Faults of the gateway's own processes and of what connects them."""

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from tests.faults.actors import Actors
from tests.faults.children import Child
from tests.faults.cluster import Cluster, TooLate
from tests.faults.fault import Choices, NoEvidence
from tests.faults.gateway_client import PATIENCE
from tests.faults.run_log import Answer, Attempt, Kind
from tests.faults.watches import ConnectionCutter

FROZEN = 5.0  # seconds, above the lease
TRIES = 5


async def kill_api(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of an api process under load."""
    return await _kill(cluster, choices.random.choice(cluster.apis))


async def freeze_api(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGSTOP of an api process: its connections stay open and nothing answers."""
    child = choices.random.choice(cluster.apis)
    before = len(cluster.run_log.attempts)
    child.signal(signal.SIGSTOP)
    await cluster.until(lambda: child.stopped, "the process did not stop")
    await asyncio.sleep(FROZEN)
    child.signal(signal.SIGCONT)
    await cluster.until(lambda: not child.stopped, "the process did not go on")
    silent = sum(a.reply.status == 0 for a in cluster.run_log.attempts[before:])
    if not silent and len(cluster.apis) > 1:
        raise NoEvidence("every request was answered")
    return f"{child.name} frozen for {FROZEN:.0f} s, {silent} requests without an answer"


async def replace_apis(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """All api processes make room for new ones by SIGTERM: no request stays without an answer."""
    began, before = time.monotonic(), len(cluster.run_log.attempts)
    ended = await asyncio.gather(*(child.replace() for child in cluster.apis))
    if any(ended) or not all(child.pid for child in cluster.apis):
        raise NoEvidence(f"the processes ended with {ended}")
    sent = [a for a in cluster.run_log.attempts[before:] if a.sent >= began]
    cut_off = [a for a in sent if a.reply.status == 0 and a.answered - a.sent < PATIENCE / 2]
    silent = len(cut_off)  # without those that only waited longer than their publisher
    if silent or not sent:
        raise NoEvidence(f"{silent} of {len(sent)} requests got no answer")
    return f"{len(cluster.apis)} processes replaced, {len(sent)} requests, all answered"


async def kill_relay(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGKILL of a lease holder; the other relay takes over, then it comes back."""
    child = await _leading(cluster, choices)
    before = await _epochs(cluster)
    await child.kill()
    ended = child.exit_code
    if len(cluster.relays) > 1:
        await cluster.until(lambda: _taken_over(cluster, child), "nobody took the shards over")
    await child.start()
    after = await _epochs(cluster)
    if ended != -signal.SIGKILL:
        raise NoEvidence(f"{child.name} ended with {ended}")
    return f"{child.name} ended with {ended}; epochs {before} -> {after}"


async def freeze_relay(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """SIGSTOP of a lease holder for longer than its lease; it wakes up and goes on."""
    child = await _leading(cluster, choices)
    before = await _epochs(cluster)
    child.signal(signal.SIGSTOP)
    await cluster.until(lambda: child.stopped, "the process did not stop")
    await asyncio.gather(
        asyncio.sleep(FROZEN),
        cluster.until(lambda: _taken_over(cluster, child), "nobody took the shards over"),
    )
    await cluster.wake(child, "journal_relays")
    return f"{child.name} frozen for {FROZEN:.0f} s; epochs {before} -> {await _epochs(cluster)}"


async def cut_after_commit(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The append is committed, and the connection breaks before the word of it arrives."""
    return await _cut_append(cluster, "after-commit", stored=True)


async def cut_before_commit(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The connection breaks before the append has reached the database."""
    return await _cut_append(cluster, "before-commit", stored=False)


async def cut_confirm(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The connection of a relay breaks at a confirm, which is lost."""
    cuts = cluster.routes.broker_cutter.cuts
    cluster.routes.broker_cutter.arm("ack")
    await cluster.until(partial(_beyond, cluster.routes.broker_cutter, cuts), "no confirm came by")
    return "a relay's connection was cut at a confirm"


async def cut_subscriber(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """The connections of all subscribers break while they hold unacknowledged messages."""
    await _all_hold(cluster, actors)
    before = len(cluster.run_log.deliveries)
    severed = await cluster.routes.to_subscribers.sever()
    for subscriber in actors.subscribers.values():
        subscriber.hold(False)

    def again() -> bool:
        return any(delivery.redelivered for delivery in cluster.run_log.deliveries[before:])

    await cluster.until(again, "nothing was delivered again")
    return f"{severed} connections were cut, messages came marked as delivered again"


async def _all_hold(cluster: Cluster, actors: Actors) -> None:
    for subscriber in actors.subscribers.values():
        subscriber.hold(True)
    await cluster.until(
        lambda: sum(s.unacknowledged > 0 for s in actors.subscribers.values()) > 1,
        "no subscriber held messages",
    )


async def _kill(cluster: Cluster, child: Child) -> str:
    pid = child.pid
    await child.kill()
    ended = child.exit_code
    await child.start()
    await cluster.until(lambda: child.listening, f"{child.name} did not come back")
    if ended != -signal.SIGKILL or child.pid == pid:
        raise NoEvidence(f"{child.name} ended with {ended}")
    return f"{child.name} ({pid}) ended with {ended}, {child.pid} listens"


async def _leading(cluster: Cluster, choices: Choices) -> Child:
    """A relay that has the lease of a shard."""
    await cluster.until(lambda: _led(cluster), "no relay has a lease")
    holders = {row[0] for row in await cluster.query("SELECT holder FROM journal_leases")}
    return choices.random.choice([relay for relay in cluster.relays if relay.name in holders])


async def _led(cluster: Cluster) -> bool:
    rows = await cluster.query("SELECT holder FROM journal_leases")
    return all(row[0] is not None for row in rows)


async def _epochs(cluster: Cluster) -> list[int]:
    rows = await cluster.query("SELECT epoch FROM journal_leases ORDER BY shard")
    return [row[0] for row in rows]


async def _taken_over(cluster: Cluster, child: Child) -> bool:
    rows = await cluster.query("SELECT holder FROM journal_leases")
    return all(row[0] not in (None, child.name) for row in rows)


async def _cut_append(cluster: Cluster, position: str, *, stored: bool) -> str:
    """Cut until a new event shows what was left: stored, or not."""
    cutter = cluster.routes.append_cutter
    for _ in range(TRIES):
        before, cuts = len(cluster.run_log.attempts), cutter.cuts
        cutter.arm(position)
        await cluster.until(partial(_beyond, cutter, cuts), "no append came by")
        with suppress(TooLate):
            shown = partial(_shows, cluster.run_log.attempts, before, stored)
            await cluster.until(shown, "no event shows it", seconds=5)
            what = "a duplicate: it was stored" if stored else "new: it was not stored"
            return f"cut {position}; an event without an answer was then {what}"
    raise NoEvidence(f"{TRIES} cuts {position} left no trace")


def _beyond(cutter: ConnectionCutter, cuts: int) -> bool:
    return cutter.cuts > cuts


def _shows(attempts: Sequence[Attempt], since: int, stored: bool) -> bool:
    new = [a for a in attempts[since:] if a.kind is Kind.NEW]
    lost = {a.identity for a in new if a.reply.answer is Answer.UNKNOWN}
    return any(
        a.identity in lost and a.reply.answer is Answer.OK and a.reply.duplicate is stored
        for a in new
    )
