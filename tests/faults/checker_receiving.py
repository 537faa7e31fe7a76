"""The rules about ways of receiving: effects, signatures, leases, tokens, redrives, the ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.faults.endpoints import Mood
from tests.faults.ledger import Identity, Interest
from tests.faults.observed import Observed, Told, wants

Breaches = Iterator[str]
SETTLED = {"acknowledged", "drained", "dead", "discarded"}
"""Stages at which a delivery is at its end."""
OPEN_ENDED = {"amqp": {"queued"}, "consumer": {"queued"}, "stream": {"waiting"}}
"""Further ones that tell the truth at rest: the broker is asked now and then what has drained, and
a stream is settled by who comes back to it."""


def taken(seen: Observed) -> Mapping[str, set[Identity]]:
    """What each subscription's receiver has done its work for."""
    found: dict[str, set[Identity]] = defaultdict(set)
    for delivery in seen.ledger.deliveries:
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
    for interest in _consumers(seen):
        late = {letter.identity for letter in seen.dead if letter.queue == interest.queue}
        latest: dict[str, int] = {}
        for effect in sorted(seen.effects, key=lambda effect: effect.serial):
            row = rows.get(effect.identity)
            if effect.subscription != interest.name or effect.identity in late:
                continue
            if row is None or not wants(interest, row):
                yield f"{interest.name} has an effect of {effect.identity}, which is not for it"
            elif row.sequence < latest.setdefault(row.key, row.sequence):
                yield f"{interest.name} handled {row.identity} of {row.key!r} too late"
            else:
                latest[row.key] = row.sequence


def signatures(seen: Observed) -> Breaches:
    """Every delivery to an endpoint verifies, and no redirect is followed."""
    for forged in seen.ledger.forged:
        yield f"no secret verifies {forged}"
    yield from seen.ledger.strays


def leases(seen: Observed) -> Breaches:
    """One dispatcher at a time: only who has the lease moves a frontier, and never back."""
    for move in seen.moves:
        what = f"{move.writer} on {move.subscription} {move.shard} at {move.at:%H:%M:%S.%f}"
        if move.writer != move.holder:
            yield f"{what}: moved the frontier, while {move.holder} had the lease"
        if move.after < move.before:
            yield f"{what}: moved the frontier back from {move.before} to {move.after}"


def tokens(seen: Observed) -> Breaches:
    """A token settles nothing once its lock has ended or it was used."""
    for replay in seen.ledger.replays:
        if replay.result != "gone":
            yield f"{replay.subscription}: an old token of {replay.identity} was {replay.result}"


def redriven(seen: Observed) -> Breaches:
    """What is redriven arrives at its own subscription and nowhere else; twice does no harm."""
    began = min((each.time for each in seen.ledger.redriven), default=0.0)
    names = {interest.queue: interest.name for interest in seen.ledger.interests}
    meant = {(names[each.queue], each.identity) for each in seen.ledger.redriven}
    if meant:
        late = [each for each in seen.ledger.deliveries if each.time >= began]
        arrived = {(each.subscription, each.identity) for each in late}
        for name, identity in sorted(arrived - meant):
            yield f"{name} got {identity} when others were redriven"
        done = {(each.subscription, each.identity) for each in late if each.taken}
        done |= {(effect.subscription, effect.identity) for effect in seen.effects}
        for name, identity in sorted(meant - done):
            yield f"{identity} was redriven, and {name} never took it"
    for each in seen.ledger.redriven:
        if each.again:
            yield f"{each.identity} was redriven by {each.queue} twice"


def agreed(seen: Observed) -> Breaches:
    """What the gateway tells of deliveries is what the receivers saw."""
    rows = {row.place: row for row in seen.rows}
    got = taken(seen)
    told = {(each.place, each.queue): each for each in seen.told}
    dead = {(letter.queue, letter.identity): letter.state for letter in seen.dead}
    for interest in seen.ledger.interests:
        for place in rows.keys() & set(seen.asked):
            row, said = rows[place], told.get((place, interest.queue))
            if (said is not None) is not wants(interest, row):
                word = "keeps silent" if said is None else f"says {said.stage}"
                yield f"of {place} for {interest.name} the gateway {word}"
            elif said is not None:
                letter = dead.get((interest.queue, row.identity))
                yield from _contradicts(said, interest, letter, row.identity in got[interest.name])


def _contradicts(said: Told, interest: Interest, letter: str | None, done: bool) -> Breaches:
    what = f"{interest.name}, {said.place}: the gateway says {said.stage}"
    if said.stage not in SETTLED | OPEN_ENDED.get(interest.delivery, set()):
        yield f"{what}, and all is quiet"
    elif said.stage in ("acknowledged", "drained") and not done:
        yield f"{what}, and its receiver never took it"
    elif said.stage in ("dead", "discarded") and letter != said.stage:
        yield f"{what}, and there is no such dead letter"


def enough_received(seen: Observed) -> Breaches:
    """Every way of receiving had its share."""
    least, ledger = seen.least, seen.ledger
    kinds = {interest.queue: interest.delivery for interest in ledger.interests}
    counts = {
        "redriven": (len(ledger.redriven), least.redriven),
        "redriven one by one": (
            sum(each.again is not None for each in ledger.redriven),
            min(least.redriven, 1),
        ),
        "tokens used again": (len(ledger.replays), least.replays),
        **{f"times {mood}": (ledger.moods[mood], least.moods) for mood in Mood},
        **{
            f"stages told of {kind}": (
                sum(kinds.get(each.queue) == kind for each in seen.told),
                least.told,
            )
            for kind in sorted(set(kinds.values()))
        },
        **{
            f"effects of {interest.name}": (
                sum(effect.subscription == interest.name for effect in seen.effects),
                least.delivered,
            )
            for interest in _consumers(seen)
        },
    }
    for what, (count, wanted) in counts.items():
        if count < wanted:
            yield f"{count} {what}, at least {wanted} were meant"


def _consumers(seen: Observed) -> list[Interest]:
    return [each for each in seen.ledger.interests if each.delivery == "consumer"]
