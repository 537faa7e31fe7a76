"""One run: let events flow, carry out faults, wait until all is quiet, and check."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.base.event import Event
from tests.faults.actors import Actors
from tests.faults.catalogue import CLUSTER_FAULTS, FAULTS, a_round, make_choices
from tests.faults.checker import check
from tests.faults.cluster import Cluster, ClusterOptions, TooLate
from tests.faults.fault import Choices, NoEvidence
from tests.faults.observed import (
    CursorMove,
    DeadLetter,
    Effect,
    JournalRow,
    LeaseWrite,
    Minimum,
    Observed,
    SequenceGap,
)
from tests.faults.redrives import read_ledger, redrive
from tests.faults.run_log import FaultResult
from tests.faults.servers import Servers

_ROWS = """
SELECT shard, sequence, source, id, type, subject, attributes, digest, publisher
FROM journal_entries
"""
_GAPS = "SELECT number, shard, restored, begins FROM journal_gaps"
_LEADS = """
SELECT shard, at, writer, holder_before, holder, epoch_before, epoch, cursor_before, cursor,
       expired_before
FROM faults_lease_writes WHERE holder IS NOT NULL OR writer IS DISTINCT FROM holder_before
ORDER BY at
"""
_MOVES = """
SELECT m.name, m.shard, m.at, m.writer, t.writer, m.before, m.after
FROM faults_cursor_moves m JOIN faults_lease_takes t USING (organisation, name, epoch)
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
    options: ClusterOptions = field(default_factory=ClusterOptions)
    minimum: Minimum = field(default_factory=Minimum)
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


Say = Callable[[Cluster, str], None]


async def run(
    servers: Servers, folder: Path, scenario: Scenario, say: Say = lambda cluster, what: None
) -> Report:
    """Run a scenario to its end; `say` is called with each step."""
    for chatty in ("aiormq", "aio_pika"):  # a traceback for each connection that we cut
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    begun = time.monotonic()
    cluster = Cluster(servers, f"run_{begun:.0f}", folder, scenario.options)
    seen = Observed(cluster.run_log, minimum=scenario.minimum)
    try:
        say(cluster, "starting")
        await cluster.open()
        await _run_actors(cluster, scenario, seen, say)
    finally:
        await cluster.close()
    return Report(scenario, seen, check(seen), time.monotonic() - begun)


async def _run_actors(cluster: Cluster, scenario: Scenario, seen: Observed, say: Say) -> None:
    actors = Actors(cluster, scenario.seed)
    try:
        await _run_phases(cluster, actors, scenario, seen, say)
    finally:
        await actors.stop()
    say(cluster, "checking")
    await _observe(cluster, seen)
    await read_ledger(cluster, seen, scenario.seed)


async def _run_phases(
    cluster: Cluster, actors: Actors, scenario: Scenario, seen: Observed, say: Say
) -> None:
    actors.publish()
    await actors.subscribe(late=False)
    await cluster.until(lambda: _everybody_received(cluster, actors), "no events arrived")
    seen.planned = await _carry_out_faults(cluster, actors, scenario, say)
    say(cluster, "letting publishers finish")
    if not await actors.stop_publishing(scenario.patience):
        cluster.run_log.incidents.append("a publisher got no last answer")
    say(cluster, "waiting until all is quiet")
    seen.unsettled = await _settle(cluster, actors, scenario.patience)
    if not seen.unsettled:
        say(cluster, "redriving")
        await redrive(cluster, actors)
        say(cluster, "waiting until all is quiet again")
        seen.unsettled = await _settle(cluster, actors, scenario.patience)


async def _carry_out_faults(
    cluster: Cluster, actors: Actors, scenario: Scenario, say: Say
) -> Sequence[str]:
    """Rounds of faults until the time is over, one at least; what was planned."""
    planned: list[str] = []
    end, number = time.monotonic() + scenario.seconds, 0
    while number == 0 or time.monotonic() < end:
        names = a_round(scenario.seed, number, scenario.faults)
        planned += names
        for index, name in enumerate(names):
            if number == 0 and scenario.latecomers and index == len(names) // 3:
                say(cluster, "subscribing late")
                await actors.subscribe(late=True)
            say(cluster, name)
            choices = make_choices(scenario.seed, len(cluster.run_log.fault_results))
            cluster.run_log.fault_results.append(
                await _carry_out_fault(cluster, actors, name, choices, scenario)
            )
        number += 1
    return planned


async def _carry_out_fault(
    cluster: Cluster,
    actors: Actors,
    name: str,
    choices: Choices,
    scenario: Scenario,
) -> FaultResult:
    begun = time.monotonic()
    evidence, failure = None, ""
    try:
        evidence = await {**FAULTS, **CLUSTER_FAULTS}[name](cluster, actors, choices)
    except (NoEvidence, TooLate) as error:
        failure = str(error)
    recovered = await _recovers(cluster, scenario.patience)
    # Sometimes the next fault meets what the last one has left behind.
    await asyncio.sleep(choices.random.uniform(0, 1))
    return FaultResult(name, time.monotonic() - begun, evidence, failure, recovered)


async def _recovers(cluster: Cluster, patience: float) -> bool:
    """Whether events are accepted and relayed again within the time."""
    accepted = cluster.run_log.accepted

    async def recovered() -> bool:
        if cluster.run_log.accepted < accepted + 10:
            return False
        return await cluster.backlog() < 100

    return await _in_time(cluster, recovered, patience)


async def _settle(cluster: Cluster, actors: Actors, patience: float) -> str:
    """What does not come to rest in time; empty where the gateway says that nothing is left."""
    unsettled = "nothing was looked at"

    async def quiet() -> bool:
        nonlocal unsettled
        unsettled = await _find_unsettled(cluster, actors)
        return not unsettled

    await _in_time(cluster, quiet, patience)
    return unsettled


async def _find_unsettled(cluster: Cluster, actors: Actors) -> str:
    """What is under way still, as far as the gateway and the receivers can tell."""
    if time.monotonic() - cluster.run_log.last_delivery < QUIET or await cluster.backlog():
        return "events are on their way"
    if await cluster.value(_STATES):
        return "a subscription is not active"
    if await cluster.value(_OPEN):
        return "deliveries are open"
    rejected = {(d.subscription, d.identity) for d in cluster.run_log.deliveries if d.rejected}
    if int(await cluster.value(_DIED)) < len(rejected):
        return "not everything that was rejected is a dead letter"
    return await _find_incomplete(cluster, actors)


async def _find_incomplete(cluster: Cluster, actors: Actors) -> str:
    """Who has not got everything."""
    for name, receiver in actors.receivers.items():
        if not receiver.idle:
            return f"{name} is at work"
    for name, subscriber in actors.subscribers.items():
        if await cluster.admin.ready(subscriber.subscription.queue):
            return f"the queue of {name} is not empty"
    for subscription in cluster.run_log.subscriptions:
        left = LEFT_OVER.get(subscription.delivery)
        if left and await cluster.value(left, subscription.name, subscription.types):
            return f"{subscription.name} has not got everything"
    return ""


async def _in_time(cluster: Cluster, condition: Callable[[], object], patience: float) -> bool:
    try:
        await cluster.until(condition, "too late", patience)  # type: ignore[arg-type]
    except TooLate:
        return False
    return True


async def _observe(cluster: Cluster, seen: Observed) -> None:
    """Read what the gateway holds."""
    seen.rows = [_row(*record) for record in await cluster.query(_ROWS)]
    seen.gaps = [SequenceGap(*record) for record in await cluster.query(_GAPS)]
    seen.journal_leases = [LeaseWrite(*record) for record in await cluster.query(_LEADS)]
    seen.backlog = await cluster.backlog()
    seen.held = {
        subscription.queue: await cluster.admin.ready(subscription.queue) or 0
        for subscription in cluster.run_log.subscriptions
    }
    seen.moves = [CursorMove(*record) for record in await cluster.query(_MOVES)]
    seen.effects = [Effect(*record) for record in await cluster.query(_EFFECTS)]
    seen.dead = [DeadLetter(*record) for record in await cluster.query(_DEAD)]


def _row(
    shard: int,
    sequence: int,
    source: str,
    id: str,
    type: str,
    subject: str | None,
    attributes: str,
    digest: bytes,
    publisher: str,
) -> JournalRow:
    event = Event(id, source, type, subject, json.loads(attributes))
    return JournalRow(shard, sequence, source, id, type, event.ordering_key, digest, publisher)


async def _everybody_received(cluster: Cluster, actors: Actors) -> bool:
    """Whether everybody has got something."""
    got = {name for name, count in cluster.run_log.delivered.items() if count}
    got |= {row[0] for row in await cluster.query("SELECT DISTINCT subscription FROM effects")}
    return cluster.run_log.accepted > 50 and got.issuperset(
        subscription.name for subscription in cluster.run_log.subscriptions
    )
