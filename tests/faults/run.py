"""One run: let events flow, do harm, wait until all is quiet, and judge."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.base.event import Event
from tests.faults.catalogue import FAULTS, a_round, choices
from tests.faults.checker import judge
from tests.faults.harm import Harm, NoEvidence
from tests.faults.ledger import Shot
from tests.faults.observed import DeadLetter, Effect, FrontierMove, LeadWrite, Least, Observed, Row
from tests.faults.redriving import read_ledger, redrive
from tests.faults.servers import Servers
from tests.faults.stage import Stage
from tests.faults.world import Shape, TooLate, World

_ROWS = "SELECT shard, sequence, source, id, type, subject, attributes, digest FROM journal_entries"
_LEADS = """
SELECT shard, at, writer, holder_before, holder, epoch_before, epoch, cursor_before, cursor,
       expired_before
FROM faults_lead_writes WHERE holder IS NOT NULL OR writer IS DISTINCT FROM holder_before
ORDER BY at
"""
_MOVES = """
SELECT m.name, m.shard, m.at, m.writer, t.writer, m.before, m.after
FROM faults_frontier_moves m JOIN faults_lease_takes t USING (organisation, name, epoch)
ORDER BY m.at
"""
_EFFECTS = "SELECT subscription, serial, source, id FROM effects"
_DEAD = """
SELECT 'sub.' || d.organisation || '.' || d.name, e.source, e.id, d.state
FROM dead_letters d JOIN journal_entries e USING (shard, sequence)
"""
_STATES = "SELECT count(*) FROM subscriptions WHERE state <> 'active'"
_OPEN = "SELECT count(*) FROM delivery_open"
_DIED = "SELECT count(DISTINCT (organisation, name, shard, sequence)) FROM dead_letters"
_NOT_SETTLED = """
SELECT count(*) FROM journal_entries e JOIN delivery_cursors f USING (shard)
WHERE f.name = $1 AND e.sequence > f.sequence AND e.type = ANY ($2)
"""
_NOT_HANDLED = """
SELECT count(*) FROM journal_entries e WHERE e.type = ANY ($2)
  AND NOT EXISTS (SELECT FROM effects f
                  WHERE f.subscription = $1 AND f.source = e.source AND f.id = e.id)
  AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.name = $1 AND d.shard = e.shard
                  AND d.sequence = e.sequence AND d.state = 'dead')
"""
LEFT_OVER = {"webhook": _NOT_SETTLED, "consumer": _NOT_HANDLED}
"""What such a subscription is still to get; its types are no patterns."""
QUIET = 1.0  # seconds without a delivery


@dataclass(frozen=True)
class Scenario:
    """What is to happen. `seconds` is how long rounds of the faults are begun again."""

    seed: int
    faults: Sequence[str]
    seconds: float = 0.0
    shape: Shape = field(default_factory=Shape)
    least: Least = field(default_factory=Least)
    latecomers: bool = True
    patience: float = 60.0
    """Seconds for the gateway to recover from a fault, and to come to rest in the end."""


@dataclass(frozen=True)
class Report:
    """What came of it."""

    scenario: Scenario
    observed: Observed
    breaches: dict[str, list[str]]
    seconds: float


Say = Callable[[World, str], None]


async def run(
    servers: Servers, folder: Path, scenario: Scenario, say: Say = lambda world, what: None
) -> Report:
    """Run a scenario to its end; `say` is told what is going on."""
    for chatty in ("aiormq", "aio_pika"):  # a traceback for each connection that we cut
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    begun = time.monotonic()
    world = World(servers, f"run_{begun:.0f}", folder, scenario.shape)
    seen = Observed(world.ledger, least=scenario.least)
    try:
        say(world, "starting")
        await world.open()
        await _play(world, scenario, seen, say)
    finally:
        await world.close()
    return Report(scenario, seen, judge(seen), time.monotonic() - begun)


async def _play(world: World, scenario: Scenario, seen: Observed, say: Say) -> None:
    stage = Stage(world, scenario.seed)
    try:
        await _let_flow(world, stage, scenario, seen, say)
    finally:
        await stage.leave()
    say(world, "judging")
    await _observe(world, seen)
    await read_ledger(world, seen, scenario.seed)


async def _let_flow(
    world: World, stage: Stage, scenario: Scenario, seen: Observed, say: Say
) -> None:
    stage.publish()
    await stage.subscribe(late=False)
    await world.until(lambda: _flows(world, stage), "no events arrived")
    seen.planned = await _do_harm(world, stage, scenario, say)
    say(world, "letting publishers finish")
    if not await stage.silence(scenario.patience):
        world.ledger.surprises.append("a publisher got no last answer")
    say(world, "waiting until all is quiet")
    seen.restless = await _settle(world, stage, scenario.patience)
    if not seen.restless:
        say(world, "redriving")
        await redrive(world, stage)
        say(world, "waiting until all is quiet again")
        seen.restless = await _settle(world, stage, scenario.patience)


async def _do_harm(world: World, stage: Stage, scenario: Scenario, say: Say) -> Sequence[str]:
    """Rounds of faults until the time is over, one at least; what was planned."""
    planned: list[str] = []
    end, number = time.monotonic() + scenario.seconds, 0
    while number == 0 or time.monotonic() < end:
        names = a_round(scenario.seed, number, scenario.faults)
        planned += names
        for index, name in enumerate(names):
            if number == 0 and scenario.latecomers and index == len(names) // 3:
                say(world, "subscribing late")
                await stage.subscribe(late=True)
            say(world, name)
            harm = choices(scenario.seed, len(world.ledger.shots))
            world.ledger.shots.append(await _shoot(world, stage, name, harm, scenario))
        number += 1
    return planned


async def _shoot(world: World, stage: Stage, name: str, harm: Harm, scenario: Scenario) -> Shot:
    begun = time.monotonic()
    evidence, failure = None, ""
    try:
        evidence = await FAULTS[name](world, stage, harm)
    except (NoEvidence, TooLate) as error:
        failure = str(error)
    recovered = await _recovers(world, scenario.patience)
    # Sometimes the next fault meets what the last one has left behind.
    await asyncio.sleep(harm.random.uniform(0, 1))
    return Shot(name, time.monotonic() - begun, evidence, failure, recovered)


async def _recovers(world: World, patience: float) -> bool:
    """Whether events are accepted and relayed again within the time."""
    accepted = world.ledger.accepted

    async def recovered() -> bool:
        if world.ledger.accepted < accepted + 10:
            return False
        return await world.backlog() < 100

    return await _in_time(world, recovered, patience)


async def _settle(world: World, stage: Stage, patience: float) -> str:
    """What does not come to rest in time; empty where the gateway says that nothing is left."""
    restless = "nothing was looked at"

    async def quiet() -> bool:
        nonlocal restless
        restless = await _restless(world, stage)
        return not restless

    await _in_time(world, quiet, patience)
    return restless


async def _restless(world: World, stage: Stage) -> str:
    """What is under way still, as far as the gateway and the receivers can tell."""
    if time.monotonic() - world.ledger.last_delivery < QUIET or await world.backlog():
        return "events are on their way"
    if await world.value(_STATES):
        return "a subscription is not active"
    if await world.value(_OPEN):
        return "deliveries are open"
    rejected = {(d.subscription, d.identity) for d in world.ledger.deliveries if d.rejected}
    if int(await world.value(_DIED)) < len(rejected):
        return "not everything that was rejected is a dead letter"
    return await _waited_for(world, stage)


async def _waited_for(world: World, stage: Stage) -> str:
    """Who has not got everything."""
    for name, receiver in stage.receivers.items():
        if not receiver.idle:
            return f"{name} is at work"
    for name, subscriber in stage.subscribers.items():
        if await world.admin.ready(subscriber.interest.queue):
            return f"the queue of {name} is not empty"
    for interest in world.ledger.interests:
        left = LEFT_OVER.get(interest.delivery)
        if left and await world.value(left, interest.name, interest.types):
            return f"{interest.name} has not got everything"
    return ""


async def _in_time(world: World, condition: Callable[[], object], patience: float) -> bool:
    try:
        await world.until(condition, "too late", patience)  # type: ignore[arg-type]
    except TooLate:
        return False
    return True


async def _observe(world: World, seen: Observed) -> None:
    """Read what the gateway holds."""
    seen.rows = [_row(*record) for record in await world.query(_ROWS)]
    seen.leads = [LeadWrite(*record) for record in await world.query(_LEADS)]
    seen.backlog = await world.backlog()
    seen.held = {
        interest.queue: await world.admin.ready(interest.queue) or 0
        for interest in world.ledger.interests
    }
    seen.moves = [FrontierMove(*record) for record in await world.query(_MOVES)]
    seen.effects = [Effect(*record) for record in await world.query(_EFFECTS)]
    seen.dead = [DeadLetter(*record) for record in await world.query(_DEAD)]


def _row(
    shard: int,
    sequence: int,
    source: str,
    id: str,
    type: str,
    subject: str | None,
    attributes: str,
    digest: bytes,
) -> Row:
    event = Event(id, source, type, subject, json.loads(attributes))
    return Row(shard, sequence, source, id, type, event.ordering_key, digest)


async def _flows(world: World, stage: Stage) -> bool:
    """Whether everybody has got something."""
    got = {name for name, count in world.ledger.delivered.items() if count}
    got |= {row[0] for row in await world.query("SELECT DISTINCT subscription FROM effects")}
    return world.ledger.accepted > 50 and got.issuperset(
        interest.name for interest in world.ledger.interests
    )
