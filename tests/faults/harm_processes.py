"""Faults of the gateway's own processes and of what connects them."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from tests.faults.children import Child
from tests.faults.harm import Harm, NoEvidence
from tests.faults.ledger import Answer, Attempt, Kind
from tests.faults.stage import Stage
from tests.faults.watches import Knife
from tests.faults.world import TooLate, World

FROZEN = 5.0  # seconds, above the lease
TRIES = 5


async def kill_api(world: World, stage: Stage, harm: Harm) -> str:
    """SIGKILL of an api process under load."""
    return await _kill(world, harm.random.choice(world.apis))


async def freeze_api(world: World, stage: Stage, harm: Harm) -> str:
    """SIGSTOP of an api process: its connections stay open and nothing answers."""
    child = harm.random.choice(world.apis)
    before = len(world.ledger.attempts)
    child.signal(signal.SIGSTOP)
    await world.until(lambda: child.stopped, "the process did not stop")
    await asyncio.sleep(FROZEN)
    child.signal(signal.SIGCONT)
    await world.until(lambda: not child.stopped, "the process did not go on")
    silent = sum(a.reply.status == 0 for a in world.ledger.attempts[before:])
    if not silent and len(world.apis) > 1:
        raise NoEvidence("every request was answered")
    return f"{child.name} frozen for {FROZEN:.0f} s, {silent} requests without an answer"


async def kill_relay(world: World, stage: Stage, harm: Harm) -> str:
    """SIGKILL of a lead; the other relay takes over, then it comes back."""
    child = await _leading(world, harm)
    before = await _epochs(world)
    await child.kill()
    ended = child.exit_code
    if len(world.relays) > 1:
        await world.until(lambda: _taken_over(world, child), "nobody took the shards over")
    await child.start()
    after = await _epochs(world)
    if ended != -signal.SIGKILL:
        raise NoEvidence(f"{child.name} ended with {ended}")
    return f"{child.name} ended with {ended}; epochs {before} -> {after}"


async def freeze_relay(world: World, stage: Stage, harm: Harm) -> str:
    """SIGSTOP of a lead for longer than its lease; it wakes up and believes to lead still."""
    child = await _leading(world, harm)
    before = await _epochs(world)
    child.signal(signal.SIGSTOP)
    await world.until(lambda: child.stopped, "the process did not stop")
    await asyncio.gather(
        asyncio.sleep(FROZEN),
        world.until(lambda: _taken_over(world, child), "nobody took the shards over"),
    )
    child.signal(signal.SIGCONT)
    await world.until(lambda: not child.stopped, "the process did not go on")
    return f"{child.name} frozen for {FROZEN:.0f} s; epochs {before} -> {await _epochs(world)}"


async def cut_after_commit(world: World, stage: Stage, harm: Harm) -> str:
    """The append is committed, and the connection breaks before the word of it arrives."""
    return await _cut_append(world, "after-commit", stored=True)


async def cut_before_commit(world: World, stage: Stage, harm: Harm) -> str:
    """The connection breaks before the append has reached the database."""
    return await _cut_append(world, "before-commit", stored=False)


async def cut_confirm(world: World, stage: Stage, harm: Harm) -> str:
    """The connection of a relay breaks at a confirm, which is lost."""
    cuts = world.broker_knife.cuts
    world.broker_knife.arm("ack")
    await world.until(partial(_beyond, world.broker_knife, cuts), "no confirm came by")
    return "a relay's connection was cut at a confirm"


async def cut_subscriber(world: World, stage: Stage, harm: Harm) -> str:
    """The connections of all subscribers break while they hold unacknowledged messages."""
    await _all_hold(world, stage)
    before = len(world.ledger.deliveries)
    severed = await world.to_subscribers.sever()
    for subscriber in stage.subscribers.values():
        subscriber.hold(False)

    def again() -> bool:
        return any(delivery.redelivered for delivery in world.ledger.deliveries[before:])

    await world.until(again, "nothing was delivered again")
    return f"{severed} connections were cut, messages came marked as delivered again"


async def _all_hold(world: World, stage: Stage) -> None:
    for subscriber in stage.subscribers.values():
        subscriber.hold(True)
    await world.until(
        lambda: sum(s.unacknowledged > 0 for s in stage.subscribers.values()) > 1,
        "no subscriber held messages",
    )


async def _kill(world: World, child: Child) -> str:
    pid = child.pid
    await child.kill()
    ended = child.exit_code
    await child.start()
    await world.until(lambda: child.listening, f"{child.name} did not come back")
    if ended != -signal.SIGKILL or child.pid == pid:
        raise NoEvidence(f"{child.name} ended with {ended}")
    return f"{child.name} ({pid}) ended with {ended}, {child.pid} listens"


async def _leading(world: World, harm: Harm) -> Child:
    """A relay that leads a shard."""
    await world.until(lambda: _led(world), "nobody leads")
    holders = {row[0] for row in await world.query("SELECT holder FROM journal_leases")}
    return harm.random.choice([relay for relay in world.relays if relay.name in holders])


async def _led(world: World) -> bool:
    rows = await world.query("SELECT holder FROM journal_leases")
    return all(row[0] is not None for row in rows)


async def _epochs(world: World) -> list[int]:
    rows = await world.query("SELECT epoch FROM journal_leases ORDER BY shard")
    return [row[0] for row in rows]


async def _taken_over(world: World, child: Child) -> bool:
    rows = await world.query("SELECT holder FROM journal_leases")
    return all(row[0] not in (None, child.name) for row in rows)


async def _cut_append(world: World, place: str, *, stored: bool) -> str:
    """Cut until a new event shows what was left: stored, or not."""
    knife = world.append_knife
    for _ in range(TRIES):
        before, cuts = len(world.ledger.attempts), knife.cuts
        knife.arm(place)
        await world.until(partial(_beyond, knife, cuts), "no append came by")
        with suppress(TooLate):
            shown = partial(_shows, world.ledger.attempts, before, stored)
            await world.until(shown, "no event shows it", seconds=5)
            what = "a duplicate: it was stored" if stored else "new: it was not stored"
            return f"cut {place}; an event without an answer was then {what}"
    raise NoEvidence(f"{TRIES} cuts {place} left no trace")


def _beyond(knife: Knife, cuts: int) -> bool:
    return knife.cuts > cuts


def _shows(attempts: Sequence[Attempt], since: int, stored: bool) -> bool:
    new = [a for a in attempts[since:] if a.kind is Kind.NEW]
    lost = {a.identity for a in new if a.reply.answer is Answer.UNKNOWN}
    return any(
        a.identity in lost and a.reply.answer is Answer.OK and a.reply.duplicate is stored
        for a in new
    )
