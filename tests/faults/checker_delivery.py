"""The rules about delivery: effects, signatures, leases, tokens, redrives, delivery ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.faults.endpoints import EndpointAction
from tests.faults.observed import Observed, ReportedStage, wants
from tests.faults.run_log import Identity, KnownSubscription

Breaches = Iterator[str]
SETTLED = {"acknowledged", "drained", "dead", "discarded"}
"""Stages at which a delivery is at its end."""
OPEN_ENDED = {"amqp": {"queued"}, "consumer": {"queued"}, "stream": {"waiting"}}
"""Further ones that tell the truth at rest: the broker is asked now and then what has drained, and
a stream is settled by who comes back to it."""


def taken(seen: Observed) -> Mapping[str, set[Identity]]:
    """What each subscription's receiver has done its work for."""
    found: dict[str, set[Identity]] = defaultdict(set)
    for delivery in seen.run_log.deliveries:
        if delivery.taken:
            found[delivery.subscription].add(delivery.identity)
    for effect in seen.effects:
        found[effect.subscription].add(effect.identity)
    return found


def effects(seen: Observed) -> Breaches:
    """A consumer's effect happens once for each event, in order, and for nothing else."""
    rows = {row.identity: row for row in seen.rows}
    counts = Counter((effect.subscription, effect.identity) for effect in seen.effects)
    for (name, identity), count in counts.items():
        if count > 1:
            yield f"{name} has {count} effects of {identity}"
    for subscription in _consumers(seen):
        late = {
            dead_letter.identity
            for dead_letter in seen.dead
            if dead_letter.queue == subscription.queue
        }
        latest: dict[str, int] = {}
        for effect in sorted(seen.effects, key=lambda effect: effect.serial):
            row = rows.get(effect.identity)
            if effect.subscription != subscription.name or effect.identity in late:
                continue
            if row is None or not wants(subscription, row):
                yield f"{subscription.name} has an effect of {effect.identity}, which is not for it"
            elif row.sequence < latest.setdefault(row.key, row.sequence):
                yield f"{subscription.name} handled {row.identity} of {row.key!r} too late"
            else:
                latest[row.key] = row.sequence


def signatures(seen: Observed) -> Breaches:
    """Every delivery to an endpoint verifies, and no redirect is followed."""
    for forged in seen.run_log.forged:
        yield f"no secret verifies {forged}"
    yield from seen.run_log.redirected_calls


def webhook_leases(seen: Observed) -> Breaches:
    """One dispatcher at a time: only the lease holder moves a cursor, and never back."""
    for move in seen.moves:
        what = f"{move.writer} on {move.subscription} {move.shard} at {move.at:%H:%M:%S.%f}"
        if move.writer != move.holder:
            yield f"{what}: moved the cursor, while {move.holder} had the lease"
        if move.after < move.before:
            yield f"{what}: moved the cursor back from {move.before} to {move.after}"


def tokens(seen: Observed) -> Breaches:
    """A token settles nothing once its lock has ended or it was used."""
    for replay in seen.run_log.replays:
        if replay.result != "gone":
            yield f"{replay.subscription}: an old token of {replay.identity} was {replay.result}"


def redriven(seen: Observed) -> Breaches:
    """What is redriven arrives at its own subscription alone; the second time changes nothing."""
    began = min((each.time for each in seen.run_log.redriven), default=0.0)
    names = {subscription.queue: subscription.name for subscription in seen.run_log.subscriptions}
    meant = {(names[each.queue], each.identity) for each in seen.run_log.redriven}
    if meant:
        late = [each for each in seen.run_log.deliveries if each.time >= began]
        arrived = {(each.subscription, each.identity) for each in late}
        for name, identity in sorted(arrived - meant):
            yield f"{name} got {identity} when others were redriven"
        done = {(each.subscription, each.identity) for each in late if each.taken}
        done |= {(effect.subscription, effect.identity) for effect in seen.effects}
        for name, identity in sorted(meant - done):
            yield f"{identity} was redriven, and {name} never took it"
    for each in seen.run_log.redriven:
        if each.again:
            yield f"{each.identity} was redriven by {each.queue} twice"


def agreed(seen: Observed) -> Breaches:
    """What the gateway tells of deliveries is what the receivers saw."""
    rows = {row.position: row for row in seen.rows}
    got = taken(seen)
    reported = {(each.position, each.queue): each for each in seen.reported}
    dead = {
        (dead_letter.queue, dead_letter.identity): dead_letter.state for dead_letter in seen.dead
    }
    for subscription in seen.run_log.subscriptions:
        for position in rows.keys() & set(seen.asked):
            row, said = rows[position], reported.get((position, subscription.queue))
            if (said is not None) is not wants(subscription, row):
                word = "keeps silent" if said is None else f"says {said.stage}"
                yield f"of {position} for {subscription.name} the gateway {word}"
            elif said is not None:
                dead_letter = dead.get((subscription.queue, row.identity))
                yield from _contradicts(
                    said, subscription, dead_letter, row.identity in got[subscription.name]
                )


def _contradicts(
    said: ReportedStage, subscription: KnownSubscription, dead_letter: str | None, done: bool
) -> Breaches:
    what = f"{subscription.name}, {said.position}: the gateway says {said.stage}"
    if said.stage not in SETTLED | OPEN_ENDED.get(subscription.delivery, set()):
        yield f"{what}, and all is quiet"
    elif said.stage in ("acknowledged", "drained") and not done:
        yield f"{what}, and its receiver never took it"
    elif said.stage in ("dead", "discarded") and dead_letter != said.stage:
        yield f"{what}, and there is no such dead letter"


def enough_received(seen: Observed) -> Breaches:
    """Every way of receiving had its share."""
    minimum, run_log = seen.minimum, seen.run_log
    kinds = {subscription.queue: subscription.delivery for subscription in run_log.subscriptions}
    counts = {
        "redriven": (len(run_log.redriven), minimum.redriven),
        "redriven one by one": (
            sum(each.again is not None for each in run_log.redriven),
            min(minimum.redriven, 1),
        ),
        "tokens used again": (len(run_log.replays), minimum.replays),
        **{
            f"times {action}": (run_log.actions[action], minimum.actions)
            for action in EndpointAction
        },
        **{
            f"stages reported for {kind}": (
                sum(kinds.get(each.queue) == kind for each in seen.reported),
                minimum.reported,
            )
            for kind in sorted(set(kinds.values()))
        },
        **{
            f"effects of {subscription.name}": (
                sum(effect.subscription == subscription.name for effect in seen.effects),
                minimum.delivered,
            )
            for subscription in _consumers(seen)
        },
    }
    for what, (count, wanted) in counts.items():
        if count < wanted:
            yield f"{count} {what}, at least {wanted} were meant"


def _consumers(seen: Observed) -> list[KnownSubscription]:
    return [each for each in seen.run_log.subscriptions if each.delivery == "consumer"]
